-- Gateways that the organization's key can see at The Things Stack.

CREATE TABLE gateways (
  id uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations (id),
  ttn_connection_id uuid NOT NULL,
  site_id uuid,
  gateway_id text NOT NULL CHECK (char_length(gateway_id) BETWEEN 1 AND 36),
  gateway_eui text CHECK (gateway_eui ~ '^[0-9A-F]{16}$'),
  name text CHECK (char_length(name) BETWEEN 1 AND 256),
  description text,
  frequency_plan_id text,
  status text NOT NULL DEFAULT 'unknown' CHECK (status IN ('online', 'offline', 'disconnected', 'unknown')),
  latitude numeric(9, 6) CHECK (latitude BETWEEN -90 AND 90),
  longitude numeric(9, 6) CHECK (longitude BETWEEN -180 AND 180),
  altitude numeric(8, 2),
  last_seen_at timestamptz,
  ttn_missing_since timestamptz,
  ttn_delete_pending boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  UNIQUE (organization_id, id),
  FOREIGN KEY (organization_id, ttn_connection_id) REFERENCES ttn_connections (organization_id, id),
  FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id)
);
CREATE UNIQUE INDEX gateways_gateway_id ON gateways (organization_id, gateway_id) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX gateways_gateway_eui ON gateways (organization_id, gateway_eui) WHERE deleted_at IS NULL;
CREATE INDEX gateways_connection ON gateways (organization_id, ttn_connection_id);
CREATE INDEX gateways_site ON gateways (organization_id, site_id);
COMMENT ON COLUMN gateways.altitude IS 'metres';
