-- Tenants, their members, and the keys that speak for them.
-- Every table of a tenant carries organization_id, and a child names its parent together with it,
-- so that a row can never hang under another tenant's parent.

-- A zone of the IANA database by its name. Abbreviations are refused, and what PostgreSQL would read as a POSIX rule,
-- whose signs are the other way round.
CREATE FUNCTION is_time_zone(name text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
  IF name !~ '^(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_]+(-[A-Za-z]+)*)+|Etc/GMT[+-][0-9]{1,2})$' THEN RETURN false; END IF;
  PERFORM now() AT TIME ZONE name;
  RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN RETURN false;
END $$;

CREATE TABLE organizations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 256),
  slug text NOT NULL CHECK (slug ~ '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$'),
  timezone text NOT NULL DEFAULT 'UTC' CONSTRAINT timezone_known CHECK (is_time_zone(timezone)),
  compliance_mode text NOT NULL DEFAULT 'standard' CHECK (compliance_mode IN ('standard', 'haccp')),
  sensor_limit integer NOT NULL DEFAULT 10 CHECK (sensor_limit >= 0),
  logo_url text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz
);
CREATE UNIQUE INDEX organizations_slug ON organizations (slug) WHERE deleted_at IS NULL;

-- user_id is the subject of the token issuer. A role here is the membership itself.
CREATE TABLE user_roles (
  organization_id uuid NOT NULL REFERENCES organizations (id),
  user_id uuid NOT NULL,
  role text NOT NULL CHECK (role IN ('owner', 'admin', 'manager', 'staff', 'viewer', 'inspector')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX user_roles_user ON user_roles (user_id);

-- One for each member of each organization, so that what a person did in one is not visible in another.
CREATE TABLE profiles (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  user_id uuid NOT NULL,
  email text NOT NULL DEFAULT '',
  full_name text,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (organization_id, user_id)
);
CREATE INDEX profiles_user ON profiles (user_id);

-- Roles that stand outside every organization; they give no membership in any.
CREATE TABLE platform_roles (
  user_id uuid NOT NULL,
  role text NOT NULL CHECK (role IN ('SUPER_ADMIN')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, role)
);

-- Keys of the local token issuer: PKCS #8, the newest that is not retired signs.
CREATE TABLE signing_keys (
  kid text PRIMARY KEY,
  algorithm text NOT NULL CHECK (algorithm IN ('ES256')),
  private_key bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  retired_at timestamptz
);
