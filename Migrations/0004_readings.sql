-- Measurements, one table for each month. The widest stream of the system: no foreign keys, no key but the one that
-- makes a second delivery harmless, columns in the order that packs a row best.

CREATE TABLE sensor_readings (
  recorded_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  f_cnt bigint,
  id uuid NOT NULL DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL,
  unit_id uuid,
  device_id uuid,
  battery smallint,
  signal_strength smallint,
  f_port smallint,
  flags smallint NOT NULL DEFAULT 0,
  door_open boolean,
  simulated boolean NOT NULL DEFAULT false,
  temperature numeric(6, 2),
  humidity numeric(5, 2),
  probe_temperature numeric(6, 2),
  ambient_temperature numeric(6, 2),
  battery_voltage numeric(5, 3),
  snr numeric(5, 1),
  source text NOT NULL CHECK (source IN ('ttn', 'manual', 'api', 'import', 'simulator')),
  session_key_id text,
  raw_payload bytea
) PARTITION BY RANGE (recorded_at);
COMMENT ON COLUMN sensor_readings.temperature IS '°C, the channel that measures the unit';
COMMENT ON COLUMN sensor_readings.signal_strength IS 'dBm, of the gateway that heard best';
COMMENT ON COLUMN sensor_readings.battery IS 'percent';

CREATE UNIQUE INDEX sensor_readings_device ON sensor_readings (device_id, recorded_at);
CREATE UNIQUE INDEX sensor_readings_without_device ON sensor_readings (unit_id, source, recorded_at)
  WHERE device_id IS NULL;
CREATE INDEX sensor_readings_unit ON sensor_readings (unit_id, recorded_at);

-- Catches what no month was made for. It should be empty: rows here mean that a month is missing.
CREATE TABLE sensor_readings_default PARTITION OF sensor_readings DEFAULT;

-- Makes the tables of `months` months from the month of `first` on, and moves into them what the default table held.
-- Returns how many were made; months that exist are left alone. Readers and writers of other months go on.
CREATE FUNCTION ensure_reading_partitions(first date, months integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
  month date;
  partition text;
  lower_bound timestamptz;
  upper_bound timestamptz;
  made integer := 0;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('ensure_reading_partitions'));
  FOR i IN 0 .. months - 1 LOOP
    month := (date_trunc('month', first::timestamp) + make_interval(months => i))::date;
    partition := 'sensor_readings_' || to_char(month, 'YYYY_MM');
    IF to_regclass(partition) IS NOT NULL THEN CONTINUE; END IF;
    lower_bound := month::timestamp AT TIME ZONE 'UTC';
    upper_bound := (month::timestamp + interval '1 month') AT TIME ZONE 'UTC';
    EXECUTE format('CREATE TABLE %I (LIKE sensor_readings INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    EXECUTE format(
      'WITH moved AS (DELETE FROM sensor_readings_default WHERE recorded_at >= $1 AND recorded_at < $2 RETURNING *)
       INSERT INTO %I SELECT * FROM moved', partition) USING lower_bound, upper_bound;
    EXECUTE format('ALTER TABLE sensor_readings ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
      partition, lower_bound, upper_bound);
    made := made + 1;
  END LOOP;
  RETURN made;
END $$;

SELECT ensure_reading_partitions((now() AT TIME ZONE 'UTC')::date - 62, 6);

-- A second reading of the same device and instant that says something else. The first one stands.
CREATE TABLE reading_anomalies (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  unit_id uuid,
  device_id uuid,
  recorded_at timestamptz NOT NULL,
  received_at timestamptz NOT NULL DEFAULT now(),
  reading_id uuid,
  source text NOT NULL,
  f_cnt bigint,
  session_key_id text,
  temperature numeric(6, 2),
  humidity numeric(5, 2),
  raw_payload bytea
);
CREATE INDEX reading_anomalies_device ON reading_anomalies (organization_id, device_id, recorded_at);
