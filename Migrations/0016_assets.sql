-- Pictures in the object store: of a site, a unit, a person, or of what was done about an alert.

CREATE TABLE assets (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  asset_type text NOT NULL CHECK (asset_type IN ('site', 'unit', 'avatar', 'corrective-action')),
  entity_id uuid NOT NULL,
  object_key text NOT NULL UNIQUE CHECK (char_length(object_key) BETWEEN 1 AND 512),
  mime_type text NOT NULL CHECK (mime_type IN ('image/jpeg', 'image/png', 'image/gif', 'image/webp')),
  size integer NOT NULL CHECK (size > 0),
  sha256 bytea NOT NULL CHECK (octet_length(sha256) = 32),
  uploaded_by uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  UNIQUE (organization_id, id)
);
CREATE INDEX assets_entity ON assets (organization_id, asset_type, entity_id, created_at) WHERE deleted_at IS NULL;
