-- Of the readings of an hour, how many were within the limits of their time: the compliance of a day is a sum of hours.
ALTER TABLE unit_rollups_hourly ADD COLUMN inside integer NOT NULL DEFAULT 0 CHECK (inside BETWEEN 0 AND count);
CREATE INDEX unit_rollups_hourly_organization ON unit_rollups_hourly (organization_id, bucket);
INSERT INTO rollup_marks (unit_id, hour, organization_id, due_at, until)
SELECT unit_id, date_trunc('hour', min(bucket), 'UTC'), organization_id, now(),
  date_trunc('hour', max(bucket), 'UTC') + interval '1 hour'
FROM unit_rollups_hourly GROUP BY unit_id, organization_id
ON CONFLICT (unit_id, hour) DO UPDATE SET due_at = least(rollup_marks.due_at, excluded.due_at),
  until = greatest(rollup_marks.until, excluded.until);

-- A state that is held over the hour of the change was judged by the limits before it. At the end of the transaction, when
-- the units are locked, as everybody marks.
CREATE FUNCTION mark_rollups_of_limits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO rollup_marks (unit_id, hour, organization_id, due_at)
  VALUES (NEW.unit_id, date_trunc('hour', NEW.valid_from, 'UTC'), NEW.organization_id,
    date_trunc('hour', NEW.valid_from, 'UTC') + interval '65 minutes')
  ON CONFLICT (unit_id, hour) DO UPDATE SET due_at = least(rollup_marks.due_at, excluded.due_at);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER rollups AFTER INSERT ON unit_limits DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
  WHEN (NEW.valid_from > '-infinity') EXECUTE FUNCTION mark_rollups_of_limits();
