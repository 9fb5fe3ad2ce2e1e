-- Uplinks that came with a valid key and cannot be stored yet: unknown device, unknown type, undecodable payload.
-- Kept as they came, so that claiming the device replays them.

CREATE TABLE quarantined_uplinks (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  api_key_id uuid REFERENCES api_keys (id),
  reason text NOT NULL,
  detail text,
  dev_eui text,
  device_id text,
  application_id text,
  received_at timestamptz NOT NULL,
  headers bytea NOT NULL DEFAULT '',
  body bytea NOT NULL,
  claimed_at timestamptz,
  claimed_by uuid,
  discarded_at timestamptz,
  discarded_by uuid,
  CHECK (claimed_at IS NULL OR discarded_at IS NULL)
);
CREATE INDEX quarantined_uplinks_open ON quarantined_uplinks (organization_id, received_at)
  WHERE claimed_at IS NULL AND discarded_at IS NULL;
CREATE INDEX quarantined_uplinks_device ON quarantined_uplinks (organization_id, dev_eui, received_at);
CREATE INDEX quarantined_uplinks_key ON quarantined_uplinks (api_key_id);
