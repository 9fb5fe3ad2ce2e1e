-- How people come into an organization, how keys follow each other, and what a person has set for themself.

-- An open invitation ends by being accepted, revoked, or by its time. Only the SHA-256 of its token is kept.
CREATE TABLE invitations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  email text NOT NULL CHECK (char_length(email) BETWEEN 3 AND 254),
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'staff', 'viewer', 'inspector')),
  token_hash bytea NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
  invited_by uuid NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  accepted_at timestamptz,
  accepted_by uuid,
  revoked_at timestamptz,
  revoked_by uuid,
  CHECK (created_at < expires_at),
  CHECK (accepted_at IS NULL OR revoked_at IS NULL)
);
CREATE INDEX invitations_organization ON invitations (organization_id, created_at);
CREATE UNIQUE INDEX invitations_open ON invitations (organization_id, lower(email))
  WHERE accepted_at IS NULL AND revoked_at IS NULL;

-- A key and those that replaced it are one family, of which at most two are live at once.
ALTER TABLE api_keys ADD COLUMN family_id uuid NOT NULL DEFAULT gen_random_uuid();
CREATE INDEX api_keys_family ON api_keys (family_id);

CREATE INDEX profiles_email ON profiles (lower(email));

-- What belongs to a person and not to one of their organizations. No row: everything is as by default.
CREATE TABLE accounts (
  user_id uuid PRIMARY KEY,
  full_name text CHECK (char_length(full_name) BETWEEN 1 AND 256),
  phone text CHECK (phone ~ '^\+?[0-9]{7,15}$'),
  avatar_url text CHECK (char_length(avatar_url) <= 2048),
  push_enabled boolean NOT NULL DEFAULT true,
  email_enabled boolean NOT NULL DEFAULT true,
  sms_enabled boolean NOT NULL DEFAULT false,
  digest_daily boolean NOT NULL DEFAULT false,
  digest_weekly boolean NOT NULL DEFAULT false,
  digest_daily_time text NOT NULL DEFAULT '09:00' CHECK (digest_daily_time ~ '^([01][0-9]|2[0-3]):[0-5][0-9]$'),
  digest_site_ids uuid[],
  timezone text NOT NULL DEFAULT 'UTC' CONSTRAINT timezone_known CHECK (is_time_zone(timezone)),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX accounts_phone ON accounts (phone) WHERE phone IS NOT NULL;
COMMENT ON COLUMN accounts.digest_site_ids IS 'null: every site the person may see';

-- Three slots for each person and thing. entity_id is a site or a unit of the organization.
CREATE TABLE dashboard_layouts (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  user_id uuid NOT NULL,
  entity_type text NOT NULL CHECK (entity_type IN ('site', 'unit')),
  entity_id uuid NOT NULL,
  slot_number smallint NOT NULL CHECK (slot_number BETWEEN 1 AND 3),
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 50),
  is_user_default boolean NOT NULL DEFAULT false,
  layout_json jsonb NOT NULL DEFAULT '{}',
  widget_prefs_json jsonb,
  timeline_state_json jsonb,
  layout_version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT dashboard_layouts_slot UNIQUE (organization_id, user_id, entity_type, entity_id, slot_number)
);
CREATE UNIQUE INDEX dashboard_layouts_default ON dashboard_layouts (organization_id, user_id, entity_type, entity_id)
  WHERE is_user_default;

-- Keys that the server makes for itself and shares with its replicas.
CREATE TABLE server_secrets (
  name text PRIMARY KEY,
  value bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
