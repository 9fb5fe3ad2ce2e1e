-- What is known about each unit now, and the conditions it was in.

-- A condition with its interval in event time. The alert is the work that it gives to people.
CREATE TABLE incidents (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  kind text NOT NULL DEFAULT 'temperature' CHECK (kind IN ('temperature', 'link', 'door', 'manual', 'battery')),
  opened_at timestamptz NOT NULL,
  opened_by uuid,
  confirmed_at timestamptz,
  recovered_at timestamptz,
  closed_at timestamptz,
  limit_violated text CHECK (limit_violated IN ('low', 'high')),
  peak_temperature numeric(6, 2),
  peak_at timestamptz,
  reopened_count integer NOT NULL DEFAULT 0,
  masked_microseconds bigint NOT NULL DEFAULT 0,
  simulated boolean NOT NULL DEFAULT false,
  detected_late boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  CHECK (closed_at >= opened_at),
  UNIQUE (organization_id, id),
  UNIQUE (unit_id, kind, opened_at),
  FOREIGN KEY (organization_id, unit_id) REFERENCES units (organization_id, id)
);
CREATE UNIQUE INDEX incidents_open ON incidents (unit_id, kind) WHERE closed_at IS NULL;
CREATE INDEX incidents_unit ON incidents (organization_id, unit_id, opened_at);

-- The machine's stored state. Every *_since is event time. next_due_at: when time alone has something to decide.
-- Rewritten with nearly every reading: half of each page stays free, and no index stands on what changes each time.
CREATE TABLE unit_states (
  unit_id uuid PRIMARY KEY,
  organization_id uuid NOT NULL,
  status text NOT NULL DEFAULT 'offline' CHECK (status IN
    ('ok', 'excursion', 'alarm_active', 'monitoring_interrupted', 'manual_required', 'restoring', 'offline')),
  status_since timestamptz NOT NULL DEFAULT now(),
  temp_state text NOT NULL DEFAULT 'ok' CHECK (temp_state IN ('ok', 'excursion', 'alarm', 'restoring')),
  temp_state_since timestamptz,
  qualifying_readings integer NOT NULL DEFAULT 0,
  incident_opened_at timestamptz,
  masked_microseconds bigint NOT NULL DEFAULT 0,
  door_position text NOT NULL DEFAULT 'unknown' CHECK (door_position IN ('unknown', 'open', 'closed')),
  door_since timestamptz,
  settled_to timestamptz,
  link_state text NOT NULL DEFAULT 'never' CHECK (link_state IN ('never', 'live', 'late', 'lost')),
  last_seen_at timestamptz,
  commissioned_at timestamptz,
  next_due_at timestamptz,
  last_reading_at timestamptz,
  last_temperature numeric(6, 2),
  last_humidity numeric(5, 2),
  last_device_id uuid,
  FOREIGN KEY (organization_id, unit_id) REFERENCES units (organization_id, id)
) WITH (fillfactor = 50);
CREATE INDEX unit_states_unit ON unit_states (organization_id, unit_id);
CREATE INDEX unit_states_due ON unit_states (next_due_at) WHERE next_due_at IS NOT NULL;

-- A unit is watched for silence from the moment it has a sensor. The first deadline is a guess that the clock job corrects.
CREATE FUNCTION commission_unit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE unit_states SET
    commissioned_at = coalesce(commissioned_at, greatest(NEW.assigned_from, now())),
    next_due_at = least(next_due_at, greatest(NEW.assigned_from, now()) + interval '1 hour')
  WHERE unit_id = NEW.unit_id AND organization_id = NEW.organization_id;
  RETURN NULL;
END $$;
CREATE TRIGGER commission AFTER INSERT ON device_assignments FOR EACH ROW EXECUTE FUNCTION commission_unit();

-- Each unit with the names of where it stands and what is known about it now. Temperatures of the state are °C.
CREATE VIEW unit_current AS
SELECT
  u.id, u.organization_id, u.area_id, a.site_id, u.name, a.name AS area_name, s.name AS site_name, s.timezone,
  u.unit_type, u.temp_unit, u.temp_min, u.temp_max, u.temp_hysteresis,
  u.confirm_seconds_door_closed, u.confirm_seconds_door_open, u.expected_interval_seconds,
  u.manual_monitoring_required, u.manual_monitoring_interval, u.sort_order,
  coalesce(t.status, 'offline') AS status, t.status_since, t.temp_state, t.link_state,
  CASE t.door_position WHEN 'open' THEN true WHEN 'closed' THEN false END AS door_open, t.door_since,
  t.incident_opened_at, t.last_reading_at, t.last_temperature, t.last_humidity, t.last_device_id,
  u.is_active, u.created_at, u.updated_at,
  u.deleted_at IS NULL AND a.deleted_at IS NULL AND s.deleted_at IS NULL
    AND u.is_active AND a.is_active AND s.is_active AS is_visible
FROM units u
JOIN areas a ON a.id = u.area_id
JOIN sites s ON s.id = a.site_id
LEFT JOIN unit_states t ON t.unit_id = u.id;
