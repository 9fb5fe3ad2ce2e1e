-- What is to be added to what a probe of a device says, since when. The newest that began counts.
CREATE TABLE device_calibrations (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  device_id uuid NOT NULL,
  channel text CHECK (channel IN ('internal', 'probe', 'probe2', 'probe3')),
  temperature_offset numeric(4, 2) NOT NULL,
  valid_from timestamptz NOT NULL,
  reference_temperature numeric(6, 2),
  measured_temperature numeric(6, 2),
  certificate text,
  performed_by text,
  performed_at timestamptz,
  due_at timestamptz,
  notes text,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  FOREIGN KEY (organization_id, device_id) REFERENCES devices (organization_id, id)
);
COMMENT ON COLUMN device_calibrations.channel IS 'null: every channel that has none of its own';
COMMENT ON COLUMN device_calibrations.temperature_offset IS '°C, added to what the device says';
CREATE INDEX device_calibrations_device ON device_calibrations (organization_id, device_id, valid_from);
CREATE UNIQUE INDEX device_calibrations_start ON device_calibrations (device_id, channel, valid_from) NULLS NOT DISTINCT
  WHERE deleted_at IS NULL;

CREATE TRIGGER directory AFTER INSERT OR UPDATE OR DELETE ON device_calibrations
  FOR EACH STATEMENT EXECUTE FUNCTION count_up_directory_version();

-- A page of alerts begins where the one before ended, so both columns run the same way.
CREATE INDEX alerts_page ON alerts (organization_id, triggered_at, id);
DROP INDEX alerts_newest;

-- A date-time as the API writes it, for those inside of JSON.
CREATE FUNCTION wire_time(at timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"');

-- A device measures one unit at a time.
CREATE FUNCTION refuse_overlapping_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (
    SELECT FROM device_assignments o
    WHERE o.organization_id = NEW.organization_id AND o.device_id = NEW.device_id AND o.id <> NEW.id
      AND tstzrange(o.assigned_from, o.assigned_to) && tstzrange(NEW.assigned_from, NEW.assigned_to)
  ) THEN
    RAISE EXCEPTION 'the device measures another unit at that time'
      USING ERRCODE = 'check_violation', CONSTRAINT = 'device_assignments_overlap', TABLE = 'device_assignments';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER overlap AFTER INSERT OR UPDATE ON device_assignments
  FOR EACH ROW EXECUTE FUNCTION refuse_overlapping_assignment();
