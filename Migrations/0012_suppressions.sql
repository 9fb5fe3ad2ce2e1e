-- Windows in which nobody is told of a unit's alerts: maintenance, defrost, cleaning. Incidents and alerts are made all
-- the same. A window is one interval, or begins at a local time of the site on certain days and lasts so many minutes: as
-- many also in the night in which the clocks change.
CREATE TABLE suppressions (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  site_id uuid,
  unit_id uuid,
  kind text NOT NULL CHECK (kind IN ('maintenance', 'defrost', 'cleaning')),
  reason text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 500),
  alert_types text[] NOT NULL DEFAULT '{}',
  starts_at timestamptz,
  ends_at timestamptz,
  weekdays smallint[],
  local_start time,
  duration_minutes integer CHECK (duration_minutes BETWEEN 1 AND 720),
  first_day date,
  last_day date,
  created_by uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CONSTRAINT suppressions_one_place CHECK (site_id IS NULL OR unit_id IS NULL),
  CONSTRAINT suppressions_once_or_recurring CHECK (
    num_nonnulls(starts_at, ends_at) = 2 AND num_nonnulls(weekdays, local_start, duration_minutes, first_day, last_day) = 0
    OR num_nonnulls(starts_at, ends_at) = 0 AND num_nonnulls(weekdays, local_start, duration_minutes) = 3),
  CONSTRAINT suppressions_in_order CHECK (starts_at < ends_at),
  CONSTRAINT suppressions_at_most_31_days CHECK (ends_at <= starts_at + interval '31 days'),
  CONSTRAINT suppressions_days_in_order CHECK (first_day <= last_day),
  CHECK (cardinality(weekdays) BETWEEN 1 AND 7 AND weekdays <@ ARRAY[1, 2, 3, 4, 5, 6, 7]::smallint[]),
  FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id),
  FOREIGN KEY (organization_id, unit_id) REFERENCES units (organization_id, id)
);
COMMENT ON COLUMN suppressions.weekdays IS 'ISO: 1 is Monday; the local day on which the window begins';
COMMENT ON COLUMN suppressions.alert_types IS 'empty: all';
CREATE INDEX suppressions_site ON suppressions (organization_id, site_id);
CREATE INDEX suppressions_unit ON suppressions (organization_id, unit_id);

-- The windows of a suppression in a time zone that overlap [first, until). A local time that the clocks skip begins as much
-- after the gap as it would have been into it; one that comes twice begins the second time. Never more than 400 days.
CREATE FUNCTION suppression_windows(s suppressions, zone text, first timestamptz, until timestamptz)
  RETURNS TABLE (begins timestamptz, ends timestamptz) LANGUAGE sql STABLE AS $$
  SELECT s.starts_at, s.ends_at WHERE s.starts_at < until AND s.ends_at > first
  UNION ALL
  SELECT w.begins, w.ends
  FROM generate_series(
      greatest((first AT TIME ZONE zone)::date - 2, s.first_day)::timestamp,
      least((until AT TIME ZONE zone)::date + 1, (first AT TIME ZONE zone)::date + 400, s.last_day)::timestamp,
      interval '1 day') AS day,
    LATERAL (SELECT (day::date + s.local_start) AT TIME ZONE zone) AS b (begins),
    LATERAL (SELECT b.begins, b.begins + make_interval(mins => s.duration_minutes)) AS w (begins, ends)
  WHERE s.local_start IS NOT NULL AND extract(isodow FROM day)::smallint = ANY (s.weekdays)
    AND w.begins < until AND w.ends > first
$$;

-- Every window that concerns these units and overlaps [first, until). Of a unit: its own, those of its site and those of
-- the organization; local times are of the unit's site.
CREATE FUNCTION unit_suppression_windows(units_asked uuid[], first timestamptz, until timestamptz)
  RETURNS TABLE (unit_id uuid, suppression_id uuid, kind text, reason text, alert_types text[], begins timestamptz,
    ends timestamptz) LANGUAGE sql STABLE AS $$
  SELECT u.id, s.id, s.kind, s.reason, s.alert_types, w.begins, w.ends
  FROM units u
  JOIN areas a ON a.id = u.area_id
  JOIN sites p ON p.id = a.site_id
  JOIN suppressions s ON s.organization_id = u.organization_id AND s.deleted_at IS NULL
    AND (s.unit_id = u.id OR s.site_id = p.id OR s.unit_id IS NULL AND s.site_id IS NULL)
  CROSS JOIN LATERAL suppression_windows(s, p.timezone, first, until) w
  WHERE u.id = ANY (units_asked)
$$;

-- Until when nobody is to be told of an alert of each of these units, at `at`; units of which they are to be told have no
-- row. Windows that overlap or follow each other without a gap count as one.
CREATE FUNCTION suppressed_until(units_asked uuid[], types_asked text[], at timestamptz)
  RETURNS TABLE (place bigint, suppression_id uuid, kind text, until timestamptz) LANGUAGE sql STABLE AS $$
  WITH RECURSIVE asked AS (
    SELECT * FROM unnest(units_asked, types_asked) WITH ORDINALITY AS a (unit_id, alert_type, place)
  ), w AS MATERIALIZED (
    SELECT * FROM unit_suppression_windows((SELECT array_agg(DISTINCT a.unit_id) FROM asked a), at, at + interval '32 days')
  ), chain AS (
    SELECT a.place, a.unit_id, a.alert_type, at AS until, NULL::uuid AS suppression_id, NULL::text AS kind, 0 AS steps
    FROM asked a
    UNION ALL
    SELECT c.place, c.unit_id, c.alert_type, n.ends, coalesce(c.suppression_id, n.suppression_id),
      coalesce(c.kind, n.kind), c.steps + 1
    FROM chain c CROSS JOIN LATERAL (
      SELECT w.suppression_id, w.kind, w.ends FROM w
      WHERE w.unit_id = c.unit_id AND w.begins <= c.until AND w.ends > c.until
        AND (cardinality(w.alert_types) = 0 OR c.alert_type = ANY (w.alert_types))
      ORDER BY w.ends DESC LIMIT 1
    ) n
    WHERE c.steps < 1000
  )
  SELECT DISTINCT ON (c.place) c.place, c.suppression_id, c.kind, c.until FROM chain c
  WHERE c.steps > 0 ORDER BY c.place, c.steps DESC
$$;
