-- Audit entries know where they happened and with which program, removal and insertion at the end show,
-- and what happens outside of every organization has a chain of its own.

ALTER TABLE event_logs
  ADD COLUMN site_id uuid,
  ADD COLUMN area_id uuid,
  ADD COLUMN unit_id uuid,
  ADD COLUMN user_agent text;
CREATE INDEX event_logs_site ON event_logs (organization_id, site_id, seq) WHERE site_id IS NOT NULL;
CREATE INDEX event_logs_unit ON event_logs (organization_id, unit_id, seq) WHERE unit_id IS NOT NULL;
CREATE INDEX event_logs_actor ON event_logs (organization_id, actor_id, seq);

-- As before, and what was added here behind it. Entries that have none of that keep the hash they had.
CREATE OR REPLACE FUNCTION event_log_hash(entry event_logs) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(entry.previous_hash || convert_to(string_agg(
    coalesce(octet_length(field) || ':' || field || ',', '-'), '' ORDER BY place), 'UTF8'))
  FROM unnest(ARRAY[
    entry.organization_id::text, entry.seq::text, entry.id::text,
    (extract(epoch FROM entry.occurred_at) * 1000000)::bigint::text,
    entry.actor_type, entry.actor_id, entry.event_type, entry.entity_type, entry.entity_id::text,
    entry.before::text, entry.after::text, entry.request_id, entry.ip_address
  ] || CASE
    WHEN num_nonnulls(entry.site_id, entry.area_id, entry.unit_id, entry.user_agent) = 0 THEN '{}'::text[]
    ELSE ARRAY[entry.site_id::text, entry.area_id::text, entry.unit_id::text, entry.user_agent]
  END) WITH ORDINALITY AS fields (field, place)
$$;

-- A member of a JSON object that is a UUID.
CREATE FUNCTION uuid_member(object jsonb, name text) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN object->>name ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN (object->>name)::uuid END
$$;

-- Fills in where the entry's thing stands: by itself, by what its row names, and upwards from there.
CREATE FUNCTION place_event_log(INOUT entry event_logs) LANGUAGE plpgsql AS $$
DECLARE
  thing jsonb := coalesce(entry.after, entry.before);
BEGIN
  entry.unit_id := CASE entry.entity_type WHEN 'unit' THEN entry.entity_id ELSE uuid_member(thing, 'unit_id') END;
  entry.area_id := CASE entry.entity_type WHEN 'area' THEN entry.entity_id ELSE uuid_member(thing, 'area_id') END;
  entry.site_id := CASE entry.entity_type WHEN 'site' THEN entry.entity_id ELSE uuid_member(thing, 'site_id') END;
  IF entry.unit_id IS NOT NULL AND entry.area_id IS NULL THEN
    SELECT u.area_id INTO entry.area_id FROM units u
    WHERE u.organization_id = entry.organization_id AND u.id = entry.unit_id;
  END IF;
  IF entry.area_id IS NOT NULL AND entry.site_id IS NULL THEN
    SELECT a.site_id INTO entry.site_id FROM areas a
    WHERE a.organization_id = entry.organization_id AND a.id = entry.area_id;
  END IF;
END $$;

-- Appends one entry. The next writer of the same organization waits until this transaction ends.
-- author: {"at": microseconds since 1970, "type", "id", "request", "ip", "agent"}.
CREATE OR REPLACE FUNCTION append_event_log(
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
  entry.user_agent := author->>'agent';
  entry := place_event_log(entry);
  entry.event_hash := event_log_hash(entry);
  INSERT INTO event_logs SELECT entry.*;
  UPDATE event_log_heads SET seq = entry.seq, event_hash = entry.event_hash WHERE organization_id = organization;
  RETURN entry.seq;
END $$;

-- The first entry at which the chain of an organization breaks; null when it is whole. The end of the chain counts
-- too: an entry behind it was inserted, one before it is missing.
CREATE OR REPLACE FUNCTION first_broken_event_log(organization uuid) RETURNS bigint LANGUAGE sql STABLE AS $$
  WITH chain AS (
    SELECT log.seq, log.event_hash, log.previous_hash, event_log_hash(log.*::event_logs) AS computed,
      lag(log.event_hash, 1, decode(repeat('00', 32), 'hex')) OVER (ORDER BY log.seq) AS expected,
      row_number() OVER (ORDER BY log.seq) AS place
    FROM event_logs log WHERE log.organization_id = organization
  ), head AS (
    SELECT coalesce(max(h.seq), 0) AS seq, max(encode(h.event_hash, 'hex')) AS event_hash
    FROM event_log_heads h WHERE h.organization_id = organization
  )
  SELECT min(seq) FROM (
    SELECT chain.seq FROM chain, head
    WHERE chain.event_hash <> chain.computed OR chain.previous_hash <> chain.expected OR chain.seq <> chain.place
      OR chain.seq > head.seq
    UNION ALL
    SELECT head.seq FROM head
    WHERE head.seq > 0 AND NOT EXISTS (
      SELECT FROM chain WHERE chain.seq = head.seq AND encode(chain.event_hash, 'hex') = head.event_hash)
  ) broken
$$;

-- What kind of thing an event is about, for the filters of clients.
CREATE FUNCTION event_category(event_type text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE split_part(event_type, '.', 1)
    WHEN 'alert' THEN 'alert' WHEN 'incident' THEN 'alert' WHEN 'escalation' THEN 'alert'
    WHEN 'notification' THEN 'alert' WHEN 'suppression' THEN 'alert'
    WHEN 'manual_log' THEN 'compliance' WHEN 'corrective_action' THEN 'compliance' WHEN 'report' THEN 'compliance'
    WHEN 'calibration' THEN 'compliance' WHEN 'inspector_link' THEN 'compliance' WHEN 'annotation' THEN 'compliance'
    WHEN 'member' THEN 'user_action' WHEN 'invitation' THEN 'user_action' WHEN 'profile' THEN 'user_action'
    WHEN 'dashboard_layout' THEN 'user_action' WHEN 'export' THEN 'user_action'
    WHEN 'job' THEN 'system' WHEN 'import' THEN 'system'
    ELSE 'settings'
  END
$$;

CREATE FUNCTION event_severity(event_type text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE split_part(event_type, '.', 2)
    WHEN 'triggered' THEN 'warning' WHEN 'escalated' THEN 'critical' WHEN 'reopened' THEN 'warning'
    WHEN 'deleted' THEN 'warning' WHEN 'removed' THEN 'warning' WHEN 'revoked' THEN 'warning'
    WHEN 'resolved' THEN 'success' WHEN 'restored' THEN 'success'
    ELSE 'info'
  END
$$;

-- `site.updated` of the site Main: `Site updated: Main`.
CREATE FUNCTION event_title(event_type text, was jsonb, becomes jsonb) RETURNS text
  LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT upper(left(event_type, 1)) || translate(substr(event_type, 2), '._', '  ')
    || coalesce(': ' || left(coalesce(becomes->>'name', was->>'name', becomes->>'email', was->>'email'), 256), '')
$$;

-- What is done outside of every organization, or to an organization as a whole: grants, deletions, restorations.
-- One chain; an organization that is deleted for good leaves its last trace here.
CREATE TABLE platform_logs (
  seq bigint PRIMARY KEY,
  occurred_at timestamptz NOT NULL,
  actor_type text NOT NULL CHECK (actor_type IN ('user', 'api_key', 'system')),
  actor_id text,
  event_type text NOT NULL,
  about_organization uuid,
  target_id uuid,
  details jsonb NOT NULL DEFAULT '{}',
  request_id text,
  ip_address text,
  user_agent text,
  previous_hash bytea NOT NULL,
  event_hash bytea NOT NULL
);
COMMENT ON COLUMN platform_logs.about_organization IS 'which organization it was about; it may be gone';

CREATE FUNCTION platform_log_hash(entry platform_logs) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(entry.previous_hash || convert_to(string_agg(
    coalesce(octet_length(field) || ':' || field || ',', '-'), '' ORDER BY place), 'UTF8'))
  FROM unnest(ARRAY[
    entry.seq::text, (extract(epoch FROM entry.occurred_at) * 1000000)::bigint::text, entry.actor_type, entry.actor_id,
    entry.event_type, entry.about_organization::text, entry.target_id::text, entry.details::text,
    entry.request_id, entry.ip_address, entry.user_agent
  ]) WITH ORDINALITY AS fields (field, place)
$$;

-- The lock lets one writer after the other find the end of the chain.
CREATE FUNCTION append_platform_log(
  author jsonb, what text, organization uuid, on_id uuid, more jsonb
) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  entry platform_logs;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('platform_logs'));
  SELECT seq + 1, event_hash INTO entry.seq, entry.previous_hash FROM platform_logs ORDER BY seq DESC LIMIT 1;
  entry.seq := coalesce(entry.seq, 1);
  entry.previous_hash := coalesce(entry.previous_hash, decode(repeat('00', 32), 'hex'));
  entry.occurred_at := timestamptz 'epoch' + (author->>'at')::bigint * interval '1 microsecond';
  entry.actor_type := author->>'type';
  entry.actor_id := author->>'id';
  entry.event_type := what;
  entry.about_organization := organization;
  entry.target_id := on_id;
  entry.details := coalesce(more, '{}');
  entry.request_id := author->>'request';
  entry.ip_address := author->>'ip';
  entry.user_agent := author->>'agent';
  entry.event_hash := platform_log_hash(entry);
  INSERT INTO platform_logs SELECT entry.*;
  RETURN entry.seq;
END $$;

-- Only the deletion of a whole organization may take rows from an append-only table: see purge_organization.
CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('freshtrack.purging', true) = 'on' THEN RETURN NULL; END IF;
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON platform_logs
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Deletes every row of an organization that was deleted softly before, in every table that has an organization_id,
-- children before their parents. Returns how many rows there were.
CREATE FUNCTION purge_organization(organization uuid) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  remaining oid[];
  ready oid[];
  place oid;
  deleted bigint;
  total bigint := 0;
BEGIN
  PERFORM FROM organizations WHERE id = organization AND deleted_at IS NOT NULL FOR UPDATE;
  IF NOT FOUND THEN RETURN NULL; END IF;
  PERFORM set_config('freshtrack.purging', 'on', true);
  SELECT array_agg(c.oid) INTO remaining FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'organization_id' AND NOT a.attisdropped
  WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace = current_schema()::regnamespace;
  WHILE cardinality(remaining) > 0 LOOP
    SELECT array_agg(t) INTO ready FROM unnest(remaining) AS t WHERE NOT EXISTS (
      SELECT FROM pg_constraint k
      WHERE k.contype = 'f' AND k.confrelid = t AND k.conrelid <> t AND k.conrelid = ANY (remaining));
    IF ready IS NULL THEN RAISE EXCEPTION 'tables refer to each other in a circle'; END IF;
    FOREACH place IN ARRAY ready LOOP
      EXECUTE format('DELETE FROM %s WHERE organization_id = $1', place::regclass) USING organization;
      GET DIAGNOSTICS deleted = ROW_COUNT;
      total := total + deleted;
    END LOOP;
    SELECT array_agg(t) INTO remaining FROM unnest(remaining) AS t WHERE t <> ALL (ready);
  END LOOP;
  DELETE FROM organizations WHERE id = organization;
  PERFORM set_config('freshtrack.purging', '', true);
  RETURN total + 1;
END $$;
