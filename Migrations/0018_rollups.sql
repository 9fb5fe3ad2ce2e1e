-- What each unit measured in each hour and day of its site's zone, so that a chart of a year does not read a year of
-- readings. Derived: every row can be made again from sensor_readings, in whatever order they came.

-- Readings of a unit's primary sensors that have a temperature; simulated ones are left out. Temperatures are °C.
-- judged: how much of the time is known to have been inside or outside of the limits; covered: how much of it had a
-- sample near enough to count as monitored.
CREATE TABLE unit_rollups_hourly (
  unit_id uuid NOT NULL,
  bucket timestamptz NOT NULL,
  organization_id uuid NOT NULL,
  count integer NOT NULL CHECK (count >= 0),
  sum_temperature numeric(12, 2) NOT NULL,
  min_temperature numeric(6, 2),
  max_temperature numeric(6, 2),
  outside_microseconds bigint NOT NULL,
  judged_microseconds bigint NOT NULL,
  covered_microseconds bigint NOT NULL,
  PRIMARY KEY (unit_id, bucket)
);
COMMENT ON COLUMN unit_rollups_hourly.bucket IS 'start of the hour in the zone of the site';

CREATE TABLE unit_rollups_daily (
  unit_id uuid NOT NULL,
  day date NOT NULL,
  organization_id uuid NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  count integer NOT NULL CHECK (count >= 0),
  sum_temperature numeric(12, 2) NOT NULL,
  min_temperature numeric(6, 2),
  max_temperature numeric(6, 2),
  outside_microseconds bigint NOT NULL,
  judged_microseconds bigint NOT NULL,
  covered_microseconds bigint NOT NULL,
  PRIMARY KEY (unit_id, day),
  CHECK (starts_at < ends_at)
);
COMMENT ON COLUMN unit_rollups_daily.day IS 'in the zone of the site; the day has 23 to 25 hours';

-- Hours (UTC) whose readings have changed, written in the transaction that changed them. An hour that still runs is
-- marked once and looked at when it is over.
CREATE TABLE rollup_marks (
  unit_id uuid NOT NULL,
  hour timestamptz NOT NULL,
  organization_id uuid NOT NULL,
  due_at timestamptz NOT NULL,
  PRIMARY KEY (unit_id, hour)
);
CREATE INDEX rollup_marks_due ON rollup_marks (due_at);

-- In another zone the hours and days begin at other instants.
CREATE FUNCTION mark_rollups_of_zone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO rollup_marks (unit_id, hour, organization_id, due_at)
  SELECT DISTINCT h.unit_id, date_trunc('hour', h.bucket, 'UTC'), h.organization_id,
    greatest(now(), date_trunc('hour', h.bucket, 'UTC') + interval '65 minutes')
  FROM unit_rollups_hourly h
  JOIN units u ON u.id = h.unit_id
  JOIN areas a ON a.id = u.area_id
  WHERE CASE TG_TABLE_NAME WHEN 'sites' THEN a.site_id WHEN 'areas' THEN a.id ELSE u.id END = NEW.id
  ORDER BY 1, 2
  ON CONFLICT (unit_id, hour) DO UPDATE SET due_at = least(rollup_marks.due_at, excluded.due_at);
  RETURN NULL;
END $$;
CREATE TRIGGER rollups AFTER UPDATE OF timezone ON sites FOR EACH ROW
  WHEN (OLD.timezone <> NEW.timezone) EXECUTE FUNCTION mark_rollups_of_zone();
CREATE TRIGGER rollups AFTER UPDATE OF site_id ON areas FOR EACH ROW
  WHEN (OLD.site_id <> NEW.site_id) EXECUTE FUNCTION mark_rollups_of_zone();
CREATE TRIGGER rollups AFTER UPDATE OF area_id ON units FOR EACH ROW
  WHEN (OLD.area_id <> NEW.area_id) EXECUTE FUNCTION mark_rollups_of_zone();
