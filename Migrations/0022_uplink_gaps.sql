-- Which uplinks of a device came, which came twice, and what became of those that did not come.

-- One for each session of a device: frame counters start over with each join. What is counted lies until last_at.
CREATE TABLE uplink_sessions (
  device_id uuid NOT NULL,
  session_key_id text NOT NULL,
  organization_id uuid NOT NULL,
  received bigint NOT NULL,
  first_f_cnt bigint NOT NULL,
  first_at timestamptz NOT NULL,
  last_f_cnt bigint NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (device_id, session_key_id),
  FOREIGN KEY (organization_id, device_id) REFERENCES devices (organization_id, id)
);
CREATE INDEX uplink_sessions_device ON uplink_sessions (organization_id, device_id);
CREATE INDEX uplink_sessions_last ON uplink_sessions (device_id, last_at);

-- Deliveries of what was stored already.
CREATE TABLE uplink_duplicates (
  device_id uuid NOT NULL,
  session_key_id text NOT NULL,
  organization_id uuid NOT NULL,
  count bigint NOT NULL,
  last_at timestamptz NOT NULL,
  PRIMARY KEY (device_id, session_key_id),
  FOREIGN KEY (organization_id, device_id) REFERENCES devices (organization_id, id)
);
CREATE INDEX uplink_duplicates_device ON uplink_duplicates (organization_id, device_id);

-- Frames first_f_cnt to last_f_cnt that were missing between two that came, at after_at and at before_at.
--   open         nobody knows yet
--   received     came after all, or held no reading
--   healed       was fetched from the network server's storage
--   lost_on_air  the storage holds a frame beside it and not this one: the network never heard it
--   unexplained  the storage could not be asked, or does not reach so far back
-- seen: frames that the storage had, whatever became of them. is_covered: it had a frame beside the gap.
CREATE TABLE uplink_gaps (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  device_id uuid NOT NULL,
  session_key_id text NOT NULL,
  first_f_cnt bigint NOT NULL,
  last_f_cnt bigint NOT NULL,
  after_at timestamptz NOT NULL,
  before_at timestamptz NOT NULL,
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'received', 'healed', 'lost_on_air', 'unexplained')),
  reason text,
  seen bigint[] NOT NULL DEFAULT '{}',
  is_covered boolean NOT NULL DEFAULT false,
  detected_at timestamptz NOT NULL,
  settled_at timestamptz,
  CHECK (first_f_cnt <= last_f_cnt),
  CHECK ((state = 'open') = (settled_at IS NULL)),
  FOREIGN KEY (organization_id, device_id) REFERENCES devices (organization_id, id)
);
CREATE UNIQUE INDEX uplink_gaps_once ON uplink_gaps (device_id, session_key_id, first_f_cnt, after_at);
CREATE INDEX uplink_gaps_device ON uplink_gaps (organization_id, device_id, after_at);
CREATE INDEX uplink_gaps_open ON uplink_gaps (device_id) WHERE state = 'open';
CREATE INDEX uplink_gaps_settled ON uplink_gaps (settled_at) WHERE state IN ('lost_on_air', 'unexplained');

-- A change of a device's settings that somebody asked for, and how far its downlink has come.
-- correlation_id: what every message of The Things Stack about the downlink carries.
CREATE TABLE device_settings_requests (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  device_id uuid NOT NULL,
  settings jsonb NOT NULL,
  f_port smallint NOT NULL CHECK (f_port BETWEEN 1 AND 223),
  payload bytea NOT NULL CHECK (octet_length(payload) BETWEEN 1 AND 242),
  confirmed boolean NOT NULL,
  correlation_id text NOT NULL UNIQUE,
  state text NOT NULL DEFAULT 'requested' CHECK (state IN ('requested', 'queued', 'sent', 'failed', 'acked')),
  error text,
  requested_by uuid NOT NULL,
  requested_at timestamptz NOT NULL,
  queued_at timestamptz,
  sent_at timestamptz,
  failed_at timestamptz,
  acked_at timestamptz,
  FOREIGN KEY (organization_id, device_id) REFERENCES devices (organization_id, id)
);
CREATE INDEX device_settings_requests_device ON device_settings_requests (organization_id, device_id, requested_at);

-- The messages may come in any order and more than once: a state is only ever followed by a later one of the list
-- above. An acknowledgement comes last, because a downlink that failed is tried again by the network server.
CREATE FUNCTION follow_downlink() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  states CONSTANT text[] := '{requested,queued,sent,failed,acked}';
  becomes CONSTANT text := CASE NEW.event_type
    WHEN 'downlink_queued' THEN 'queued' WHEN 'downlink_sent' THEN 'sent' WHEN 'downlink_ack' THEN 'acked'
    WHEN 'downlink_nack' THEN 'failed' WHEN 'downlink_failed' THEN 'failed' END;
BEGIN
  UPDATE device_settings_requests r SET
    state = CASE WHEN array_position(states, r.state) < array_position(states, becomes) THEN becomes ELSE r.state END,
    queued_at = CASE becomes WHEN 'queued' THEN coalesce(r.queued_at, NEW.occurred_at) ELSE r.queued_at END,
    sent_at = CASE becomes WHEN 'sent' THEN coalesce(r.sent_at, NEW.occurred_at) ELSE r.sent_at END,
    failed_at = CASE becomes WHEN 'failed' THEN coalesce(r.failed_at, NEW.occurred_at) ELSE r.failed_at END,
    acked_at = CASE becomes WHEN 'acked' THEN coalesce(r.acked_at, NEW.occurred_at) ELSE r.acked_at END,
    error = CASE
      WHEN becomes = 'failed' AND r.state <> 'acked' THEN left(coalesce(
        NEW.payload->'downlink_failed'->'error'->>'message_format', 'the device did not acknowledge it'), 500)
      WHEN becomes = 'acked' THEN NULL
      ELSE r.error END
  WHERE r.organization_id = NEW.organization_id AND r.device_id = NEW.device_id
    AND r.correlation_id IN (
      SELECT id #>> '{}' FROM jsonb_path_query(NEW.payload, 'lax $.**.correlation_ids[*]') AS id);
  RETURN NULL;
END $$;
CREATE TRIGGER follow_downlink AFTER INSERT ON device_events FOR EACH ROW
  WHEN (NEW.event_type IN ('downlink_queued', 'downlink_sent', 'downlink_ack', 'downlink_nack', 'downlink_failed'))
  EXECUTE FUNCTION follow_downlink();
