-- Who did what: one chain of hashes for each organization, so that a changed, removed or inserted entry shows.

-- The end of each chain. Its row is the lock under which entries are appended.
CREATE TABLE event_log_heads (
  organization_id uuid PRIMARY KEY REFERENCES organizations (id),
  seq bigint NOT NULL,
  event_hash bytea NOT NULL
);

CREATE TABLE event_logs (
  organization_id uuid NOT NULL REFERENCES organizations (id),
  seq bigint NOT NULL,
  id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  occurred_at timestamptz NOT NULL,
  actor_type text NOT NULL CHECK (actor_type IN ('user', 'api_key', 'system')),
  actor_id text,
  event_type text NOT NULL,
  entity_type text NOT NULL,
  entity_id uuid,
  before jsonb,
  after jsonb,
  request_id text,
  ip_address text,
  previous_hash bytea NOT NULL,
  event_hash bytea NOT NULL,
  PRIMARY KEY (organization_id, seq)
);
CREATE INDEX event_logs_entity ON event_logs (organization_id, entity_type, entity_id, seq);

-- SHA-256 over the previous hash and every field, each as `<length>:<UTF-8 text>,` (a netstring) or `-` when null.
-- Time is in microseconds since 1970 and JSON in PostgreSQL's normal form, so nothing depends on a session's settings.
CREATE FUNCTION event_log_hash(entry event_logs) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(entry.previous_hash || convert_to(string_agg(
    coalesce(octet_length(field) || ':' || field || ',', '-'), '' ORDER BY place), 'UTF8'))
  FROM unnest(ARRAY[
    entry.organization_id::text, entry.seq::text, entry.id::text,
    (extract(epoch FROM entry.occurred_at) * 1000000)::bigint::text,
    entry.actor_type, entry.actor_id, entry.event_type, entry.entity_type, entry.entity_id::text,
    entry.before::text, entry.after::text, entry.request_id, entry.ip_address
  ]) WITH ORDINALITY AS fields (field, place)
$$;

-- Appends one entry. The next writer of the same organization waits until this transaction ends.
-- author: {"at": microseconds since 1970, "type", "id", "request", "ip"}.
CREATE FUNCTION append_event_log(
  organization uuid, author jsonb, what text, on_type text, on_id uuid, was jsonb, becomes jsonb
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  entry event_logs;
BEGIN
  INSERT INTO event_log_heads (organization_id, seq, event_hash)
    VALUES (organization, 0, decode(repeat('00', 32), 'hex')) ON CONFLICT DO NOTHING;
  SELECT head.seq + 1, head.event_hash INTO entry.seq, entry.previous_hash
    FROM event_log_heads head WHERE head.organization_id = organization FOR UPDATE;
  entry.organization_id := organization;
  entry.id := gen_random_uuid();
  entry.occurred_at := timestamptz 'epoch' + (author->>'at')::bigint * interval '1 microsecond';
  entry.actor_type := author->>'type';
  entry.actor_id := author->>'id';
  entry.event_type := what;
  entry.entity_type := on_type;
  entry.entity_id := on_id;
  entry.before := was;
  entry.after := becomes;
  entry.request_id := author->>'request';
  entry.ip_address := author->>'ip';
  entry.event_hash := event_log_hash(entry);
  INSERT INTO event_logs SELECT entry.*;
  UPDATE event_log_heads SET seq = entry.seq, event_hash = entry.event_hash WHERE organization_id = organization;
  RETURN entry.seq;
END $$;

-- The first entry at which the chain of an organization breaks; null when it is whole.
CREATE FUNCTION first_broken_event_log(organization uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
  WITH chain AS (
    SELECT log.seq, log.event_hash, log.previous_hash, event_log_hash(log.*::event_logs) AS computed,
      lag(log.event_hash, 1, decode(repeat('00', 32), 'hex')) OVER (ORDER BY log.seq) AS expected,
      row_number() OVER (ORDER BY log.seq) AS place
    FROM event_logs log WHERE log.organization_id = organization
  )
  SELECT min(seq) FROM (
    SELECT seq FROM chain WHERE event_hash <> computed OR previous_hash <> expected OR seq <> place
    UNION ALL
    SELECT head.seq FROM event_log_heads head
    WHERE head.organization_id = organization AND NOT EXISTS (
      SELECT FROM chain WHERE chain.seq = head.seq AND chain.event_hash = head.event_hash)
  ) broken
$$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event_logs
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What live clients are told, written in the transaction that did it. A reader goes by transaction_id up to
-- pg_snapshot_xmin(pg_current_snapshot()): ids alone may become visible out of order.
CREATE TABLE events (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  transaction_id xid8 NOT NULL DEFAULT pg_current_xact_id(),
  organization_id uuid NOT NULL,
  type text NOT NULL,
  site_id uuid,
  unit_id uuid,
  payload jsonb NOT NULL DEFAULT '{}',
  occurred_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_organization ON events (organization_id, id);
CREATE INDEX events_transaction ON events (transaction_id, id);
