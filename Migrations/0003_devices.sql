-- Sensors, what they measure and since when, the network they speak through, and the keys of those who send for them.

CREATE TABLE ttn_connections (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  cluster text NOT NULL DEFAULT 'nam1',
  application_id text NOT NULL CHECK (char_length(application_id) BETWEEN 1 AND 256),
  api_key_encrypted bytea,
  api_key_last4 text,
  webhook_id text,
  webhook_url text,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  UNIQUE (organization_id, id)
);
CREATE UNIQUE INDEX ttn_connections_application ON ttn_connections (organization_id, cluster, application_id)
  WHERE deleted_at IS NULL;

-- Only the SHA-256 of a key is kept. key_id is the public half of `ft_<key id>_<secret>`; a key of the earlier
-- system, which has no halves, is found by `ws_` and the first 16 hexadecimal digits of its hash.
CREATE TABLE api_keys (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  key_id text NOT NULL UNIQUE,
  secret_hash bytea NOT NULL CHECK (octet_length(secret_hash) = 32),
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 256),
  scopes text[] NOT NULL CHECK (cardinality(scopes) > 0 AND scopes <@ ARRAY['ingest', 'read']),
  site_id uuid,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  revoked_by uuid,
  FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id)
);
CREATE INDEX api_keys_organization ON api_keys (organization_id, site_id);

-- dev_eui: 16 upper-case hexadecimal digits. device_id: the id at The Things Stack, which need not contain the EUI.
CREATE TABLE devices (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  dev_eui text NOT NULL CHECK (dev_eui ~ '^[0-9A-F]{16}$'),
  join_eui text CHECK (join_eui ~ '^[0-9A-F]{16}$'),
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 256),
  description text,
  model text,
  device_id text,
  ttn_connection_id uuid,
  status text NOT NULL DEFAULT 'inactive' CHECK (status IN ('active', 'inactive', 'pairing', 'error')),
  expected_interval_seconds integer CHECK (expected_interval_seconds > 0),
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  UNIQUE (organization_id, id),
  FOREIGN KEY (organization_id, ttn_connection_id) REFERENCES ttn_connections (organization_id, id)
);
CREATE UNIQUE INDEX devices_dev_eui ON devices (organization_id, dev_eui) WHERE deleted_at IS NULL;
CREATE INDEX devices_connection ON devices (organization_id, ttn_connection_id);
COMMENT ON COLUMN devices.device_id IS 'end device id at The Things Stack';

-- What the last uplinks said. Apart from devices, because it changes with every uplink and the directory does not.
CREATE TABLE device_states (
  device_id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  last_seen_at timestamptz,
  last_join_at timestamptz,
  battery smallint CHECK (battery BETWEEN 0 AND 100),
  battery_voltage numeric(5, 3),
  signal_strength smallint,
  snr numeric(5, 1),
  session_key_id text,
  f_cnt bigint,
  FOREIGN KEY (organization_id, device_id) REFERENCES devices (organization_id, id)
) WITH (fillfactor = 50);
CREATE INDEX device_states_device ON device_states (organization_id, device_id);

-- Which unit a device measured, and when. The intervals of one device follow each other: a new one closes the open one.
-- channel: which of the device's probes measures the unit; null is its main one.
CREATE TABLE device_assignments (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  device_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  channel text,
  is_primary boolean NOT NULL DEFAULT true,
  assigned_from timestamptz NOT NULL DEFAULT now(),
  assigned_to timestamptz,
  assigned_by uuid,
  CONSTRAINT device_assignments_order CHECK (assigned_from < assigned_to),
  FOREIGN KEY (organization_id, device_id) REFERENCES devices (organization_id, id),
  FOREIGN KEY (organization_id, unit_id) REFERENCES units (organization_id, id)
);
CREATE UNIQUE INDEX device_assignments_open ON device_assignments (device_id) WHERE assigned_to IS NULL;
CREATE UNIQUE INDEX device_assignments_start ON device_assignments (device_id, assigned_from);
CREATE INDEX device_assignments_device ON device_assignments (organization_id, device_id);
CREATE INDEX device_assignments_unit ON device_assignments (organization_id, unit_id);

-- Joins, downlinks and what else the network server tells about a device.
CREATE TABLE device_events (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  device_id uuid NOT NULL,
  event_type text NOT NULL,
  occurred_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  payload jsonb NOT NULL DEFAULT '{}',
  FOREIGN KEY (organization_id, device_id) REFERENCES devices (organization_id, id)
);
CREATE UNIQUE INDEX device_events_once ON device_events (organization_id, device_id, event_type, occurred_at);

-- One number for all that an uplink is looked up in. Whatever changes there counts it up in the same transaction;
-- a cache that holds an older number is stale.
CREATE TABLE directory_version (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  version bigint NOT NULL
);
INSERT INTO directory_version (version) VALUES (1);

CREATE FUNCTION count_up_directory_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE directory_version SET version = version + 1;
  RETURN NULL;
END $$;

CREATE TRIGGER directory AFTER INSERT OR UPDATE OR DELETE ON devices
  FOR EACH STATEMENT EXECUTE FUNCTION count_up_directory_version();
CREATE TRIGGER directory AFTER INSERT OR UPDATE OR DELETE ON device_assignments
  FOR EACH STATEMENT EXECUTE FUNCTION count_up_directory_version();
CREATE TRIGGER directory AFTER INSERT OR UPDATE OR DELETE ON ttn_connections
  FOR EACH STATEMENT EXECUTE FUNCTION count_up_directory_version();
CREATE TRIGGER directory AFTER INSERT OR UPDATE OR DELETE ON unit_limits
  FOR EACH STATEMENT EXECUTE FUNCTION count_up_directory_version();
CREATE TRIGGER directory AFTER INSERT OR UPDATE OR DELETE ON units
  FOR EACH STATEMENT EXECUTE FUNCTION count_up_directory_version();
CREATE TRIGGER directory AFTER UPDATE OF is_active, deleted_at ON areas
  FOR EACH STATEMENT EXECUTE FUNCTION count_up_directory_version();
CREATE TRIGGER directory AFTER UPDATE OF is_active, deleted_at ON sites
  FOR EACH STATEMENT EXECUTE FUNCTION count_up_directory_version();
