-- Where things stand: site > area > unit.

CREATE TABLE sites (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 256),
  address text,
  city text,
  state text,
  postal_code text,
  country text,
  timezone text NOT NULL DEFAULT 'UTC' CONSTRAINT timezone_known CHECK (is_time_zone(timezone)),
  compliance_mode text CHECK (compliance_mode IN ('standard', 'haccp')),
  manual_log_cadence_seconds integer CHECK (manual_log_cadence_seconds > 0),
  corrective_action_required boolean,
  latitude numeric(9, 6) CHECK (latitude BETWEEN -90 AND 90),
  longitude numeric(9, 6) CHECK (longitude BETWEEN -180 AND 180),
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  UNIQUE (organization_id, id)
);

CREATE TABLE areas (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  site_id uuid NOT NULL,
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 256),
  description text,
  sort_order integer NOT NULL DEFAULT 0,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  UNIQUE (organization_id, id),
  FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id)
);
CREATE INDEX areas_site ON areas (organization_id, site_id);

-- temp_min, temp_max and temp_hysteresis are as they were entered, in degrees of temp_unit: 41 F stays 41.
-- What they mean in °C, and since when, is in unit_limits.
CREATE TABLE units (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  area_id uuid NOT NULL,
  name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 256),
  unit_type text NOT NULL CHECK (unit_type IN
    ('fridge', 'freezer', 'display_case', 'walk_in_cooler', 'walk_in_freezer', 'blast_chiller')),
  temp_unit text NOT NULL DEFAULT 'F' CHECK (temp_unit IN ('F', 'C')),
  temp_min numeric(6, 2),
  temp_max numeric(6, 2),
  temp_hysteresis numeric(5, 2) NOT NULL DEFAULT 1 CHECK (temp_hysteresis >= 0),
  confirm_seconds_door_closed integer NOT NULL DEFAULT 600 CHECK (confirm_seconds_door_closed >= 0),
  confirm_seconds_door_open integer NOT NULL DEFAULT 1200,
  expected_interval_seconds integer NOT NULL DEFAULT 1200 CHECK (expected_interval_seconds > 0),
  manual_monitoring_required boolean NOT NULL DEFAULT false,
  manual_monitoring_interval integer CHECK (manual_monitoring_interval > 0),
  sort_order integer NOT NULL DEFAULT 0,
  is_active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CONSTRAINT units_limit_present CHECK (temp_min IS NOT NULL OR temp_max IS NOT NULL),
  CONSTRAINT units_limits_in_order CHECK (temp_min < temp_max),
  CONSTRAINT units_confirm_in_order CHECK (confirm_seconds_door_open >= confirm_seconds_door_closed),
  UNIQUE (organization_id, id),
  FOREIGN KEY (organization_id, area_id) REFERENCES areas (organization_id, id)
);
CREATE INDEX units_area ON units (organization_id, area_id);
COMMENT ON COLUMN units.manual_monitoring_interval IS 'minutes';

-- Every version of a unit's limits, in °C. A reading is judged by the version that was valid when it was measured.
-- The first version is valid from -infinity, the current one has no valid_to.
CREATE TABLE unit_limits (
  organization_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  valid_from timestamptz NOT NULL,
  valid_to timestamptz,
  temp_min numeric(6, 2),
  temp_max numeric(6, 2),
  hysteresis numeric(6, 2) NOT NULL,
  confirm_seconds_door_closed integer NOT NULL,
  confirm_seconds_door_open integer NOT NULL,
  expected_interval_seconds integer NOT NULL,
  changed_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (unit_id, valid_from),
  CHECK (valid_from < valid_to),
  FOREIGN KEY (organization_id, unit_id) REFERENCES units (organization_id, id)
);
CREATE INDEX unit_limits_unit ON unit_limits (organization_id, unit_id);
CREATE UNIQUE INDEX unit_limits_current ON unit_limits (unit_id) WHERE valid_to IS NULL;

-- Degrees of `unit` to °C with two places, and back. Without trailing zeros: 41.00 F is shown as 41.
CREATE FUNCTION to_celsius(degrees numeric, unit text) RETURNS numeric
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE unit WHEN 'F' THEN round((degrees - 32) * 5 / 9, 2) ELSE round(degrees, 2) END;

CREATE FUNCTION from_celsius(degrees numeric, unit text) RETURNS numeric
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN trim_scale(CASE unit WHEN 'F' THEN round(degrees * 9 / 5 + 32, 2) ELSE degrees END);

-- What was entered in one unit, shown in another; unchanged when both are the same.
CREATE FUNCTION convert_degrees(degrees numeric, entered text, shown text) RETURNS numeric
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE WHEN entered = shown THEN degrees ELSE from_celsius(to_celsius(degrees, entered), shown) END;

-- The same for a difference of temperatures, such as a hysteresis.
CREATE FUNCTION convert_degrees_difference(degrees numeric, entered text, shown text) RETURNS numeric
  LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN CASE
    WHEN entered = shown THEN degrees
    WHEN entered = 'F' THEN round(degrees * 5 / 9, 2)
    ELSE round(degrees * 9 / 5, 2)
  END;
