-- What is known of an organization's application at The Things Stack, beside what people set there.

-- storage_hours: how long the Storage Integration of the cluster keeps a message.
ALTER TABLE ttn_connections
  ADD COLUMN storage_hours integer NOT NULL DEFAULT 24 CHECK (storage_hours BETWEEN 1 AND 8784),
  ADD COLUMN ingest_key_id uuid REFERENCES api_keys (id),
  ADD COLUMN webhook_registered_at timestamptz;
CREATE INDEX ttn_connections_ingest_key ON ttn_connections (ingest_key_id);
COMMENT ON COLUMN ttn_connections.cluster IS 'eu1, nam1, au1, or the host of another cluster';
COMMENT ON COLUMN ttn_connections.ingest_key_id IS 'the API key that the registered webhook sends with';

-- Apart from ttn_connections, because it changes every minute and the directory does not.
-- pull_*: the reading of the Storage Integration that is under way, from pull_from until before pull_until; all until
-- pull_cursor is taken in. alive_at: until when this installation is known to have listened.
CREATE TABLE ttn_connection_states (
  connection_id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  alive_at timestamptz,
  tested_at timestamptz,
  test_succeeded boolean,
  test_message text,
  synced_at timestamptz,
  sync_due_at timestamptz,
  sync_error text,
  pull_from timestamptz,
  pull_cursor timestamptz,
  pull_until timestamptz,
  pull_attempts integer NOT NULL DEFAULT 0,
  pull_due_at timestamptz,
  pull_claimed_until timestamptz,
  pulled_at timestamptz,
  pull_error text,
  FOREIGN KEY (organization_id, connection_id) REFERENCES ttn_connections (organization_id, id)
);
CREATE INDEX ttn_connection_states_connection ON ttn_connection_states (organization_id, connection_id);

-- Each request that changed something at The Things Stack, or tried to. Never a key, never a body.
CREATE TABLE ttn_provisioning_logs (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations (id),
  created_at timestamptz NOT NULL,
  step text NOT NULL,
  status text NOT NULL CHECK (status IN ('success', 'failure')),
  subject text,
  message text,
  endpoint text NOT NULL,
  http_status integer,
  duration_ms integer NOT NULL,
  request_id text
);
CREATE INDEX ttn_provisioning_logs_organization ON ttn_provisioning_logs (organization_id, created_at);

-- ttn_missing_since: the application does not list the device any more.
-- ttn_delete_pending: deleted here, and not yet there.
ALTER TABLE devices
  ADD COLUMN ttn_missing_since timestamptz,
  ADD COLUMN ttn_delete_pending boolean NOT NULL DEFAULT false;
CREATE INDEX devices_ttn_delete_pending ON devices (organization_id, ttn_connection_id) WHERE ttn_delete_pending;
