-- What a unit is judged by may be said for it, for its site or for the whole organization. The nearer one counts, field by
-- field: the unit's rule, the unit itself, its site's rule, the site itself, the organization's rule, the default.

-- Null on a unit is now: not said here.
ALTER TABLE units
  ALTER COLUMN temp_hysteresis DROP NOT NULL, ALTER COLUMN temp_hysteresis DROP DEFAULT,
  ALTER COLUMN confirm_seconds_door_closed DROP NOT NULL, ALTER COLUMN confirm_seconds_door_closed DROP DEFAULT,
  ALTER COLUMN confirm_seconds_door_open DROP NOT NULL, ALTER COLUMN confirm_seconds_door_open DROP DEFAULT,
  ALTER COLUMN expected_interval_seconds DROP NOT NULL, ALTER COLUMN expected_interval_seconds DROP DEFAULT,
  DROP CONSTRAINT units_limit_present;

-- No unit may be left without a limit, or with limits that contradict each other, by whichever rules they come from.
ALTER TABLE unit_limits
  ADD COLUMN door_mask_minutes_per_day integer NOT NULL DEFAULT 60,
  ADD COLUMN late_checkins integer NOT NULL DEFAULT 1,
  ADD COLUMN lost_checkins integer NOT NULL DEFAULT 5,
  ADD CONSTRAINT unit_limits_present CHECK (temp_min IS NOT NULL OR temp_max IS NOT NULL),
  ADD CONSTRAINT unit_limits_in_order CHECK (temp_min < temp_max);

-- One rule for each place: a unit, a site, or, with neither, the organization. Temperatures are in degrees of temp_unit.
CREATE TABLE alert_rules (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  organization_id uuid NOT NULL REFERENCES organizations (id),
  site_id uuid,
  unit_id uuid,
  name text CHECK (char_length(name) <= 256),
  is_enabled boolean NOT NULL DEFAULT true,
  temp_unit text CHECK (temp_unit IN ('F', 'C')),
  temp_min numeric(6, 2),
  temp_max numeric(6, 2),
  temp_hysteresis numeric(5, 2) CHECK (temp_hysteresis >= 0),
  manual_interval_minutes integer CHECK (manual_interval_minutes > 0),
  manual_grace_minutes integer CHECK (manual_grace_minutes >= 0),
  expected_reading_interval_seconds integer CHECK (expected_reading_interval_seconds > 0),
  offline_trigger_multiplier integer CHECK (offline_trigger_multiplier > 0),
  offline_trigger_additional_minutes integer CHECK (offline_trigger_additional_minutes >= 0),
  offline_warning_missed_checkins integer CHECK (offline_warning_missed_checkins > 0),
  offline_critical_missed_checkins integer CHECK (offline_critical_missed_checkins > 0),
  manual_log_missed_checkins_threshold integer CHECK (manual_log_missed_checkins_threshold > 0),
  door_open_warning_minutes integer CHECK (door_open_warning_minutes > 0),
  door_open_critical_minutes integer CHECK (door_open_critical_minutes > 0),
  door_open_max_mask_minutes_per_day integer CHECK (door_open_max_mask_minutes_per_day >= 0),
  excursion_confirm_minutes_door_closed integer CHECK (excursion_confirm_minutes_door_closed >= 0),
  excursion_confirm_minutes_door_open integer CHECK (excursion_confirm_minutes_door_open >= 0),
  max_excursion_minutes integer CHECK (max_excursion_minutes > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,
  CONSTRAINT alert_rules_one_place CHECK (site_id IS NULL OR unit_id IS NULL),
  CONSTRAINT alert_rules_temp_unit CHECK (
    temp_unit IS NOT NULL OR num_nonnulls(temp_min, temp_max, temp_hysteresis) = 0),
  CONSTRAINT alert_rules_limits_in_order CHECK (temp_min < temp_max),
  FOREIGN KEY (organization_id, site_id) REFERENCES sites (organization_id, id),
  FOREIGN KEY (organization_id, unit_id) REFERENCES units (organization_id, id)
);
CREATE UNIQUE INDEX alert_rules_place ON alert_rules (organization_id, site_id, unit_id) NULLS NOT DISTINCT
  WHERE deleted_at IS NULL;
CREATE INDEX alert_rules_site ON alert_rules (organization_id, site_id);
CREATE INDEX alert_rules_unit ON alert_rules (organization_id, unit_id);

-- Each unit's value of each field, and where it comes from. entered: as somebody entered it; degrees are of `scale`.
CREATE VIEW effective_rules AS
SELECT u.organization_id, u.id AS unit_id, a.site_id, f.field, f.kind, chosen.entered, chosen.scale, chosen.source,
  chosen.rule_id
FROM units u
JOIN areas a ON a.organization_id = u.organization_id AND a.id = u.area_id
JOIN sites s ON s.organization_id = u.organization_id AND s.id = a.site_id
LEFT JOIN alert_rules ur ON ur.organization_id = u.organization_id AND ur.unit_id = u.id
  AND ur.deleted_at IS NULL AND ur.is_enabled
LEFT JOIN alert_rules sr ON sr.organization_id = u.organization_id AND sr.site_id = s.id
  AND sr.deleted_at IS NULL AND sr.is_enabled
LEFT JOIN alert_rules o ON o.organization_id = u.organization_id AND o.site_id IS NULL AND o.unit_id IS NULL
  AND o.deleted_at IS NULL AND o.is_enabled
CROSS JOIN LATERAL (VALUES
  ('tempMin', 'degrees', ur.temp_min, u.temp_min, sr.temp_min, NULL::numeric, o.temp_min, NULL::numeric),
  ('tempMax', 'degrees', ur.temp_max, u.temp_max, sr.temp_max, NULL, o.temp_max, NULL),
  ('tempHysteresis', 'difference', ur.temp_hysteresis, u.temp_hysteresis, sr.temp_hysteresis, NULL, o.temp_hysteresis, 0.5),
  ('excursionConfirmMinutesDoorClosed', 'number', ur.excursion_confirm_minutes_door_closed,
    u.confirm_seconds_door_closed / 60.0, sr.excursion_confirm_minutes_door_closed, NULL,
    o.excursion_confirm_minutes_door_closed, 10),
  ('excursionConfirmMinutesDoorOpen', 'number', ur.excursion_confirm_minutes_door_open,
    u.confirm_seconds_door_open / 60.0, sr.excursion_confirm_minutes_door_open, NULL,
    o.excursion_confirm_minutes_door_open, 20),
  ('maxExcursionMinutes', 'number', ur.max_excursion_minutes, NULL, sr.max_excursion_minutes, NULL,
    o.max_excursion_minutes, 60),
  ('doorOpenWarningMinutes', 'number', ur.door_open_warning_minutes, NULL, sr.door_open_warning_minutes, NULL,
    o.door_open_warning_minutes, 3),
  ('doorOpenCriticalMinutes', 'number', ur.door_open_critical_minutes, NULL, sr.door_open_critical_minutes, NULL,
    o.door_open_critical_minutes, 10),
  ('doorOpenMaxMaskMinutesPerDay', 'number', ur.door_open_max_mask_minutes_per_day, NULL,
    sr.door_open_max_mask_minutes_per_day, NULL, o.door_open_max_mask_minutes_per_day, 60),
  ('expectedReadingIntervalSeconds', 'number', ur.expected_reading_interval_seconds, u.expected_interval_seconds,
    sr.expected_reading_interval_seconds, NULL, o.expected_reading_interval_seconds, 1200),
  ('offlineTriggerMultiplier', 'number', ur.offline_trigger_multiplier, NULL, sr.offline_trigger_multiplier, NULL,
    o.offline_trigger_multiplier, 2),
  ('offlineTriggerAdditionalMinutes', 'number', ur.offline_trigger_additional_minutes, NULL,
    sr.offline_trigger_additional_minutes, NULL, o.offline_trigger_additional_minutes, 2),
  ('offlineWarningMissedCheckins', 'number', ur.offline_warning_missed_checkins, NULL,
    sr.offline_warning_missed_checkins, NULL, o.offline_warning_missed_checkins, 1),
  ('offlineCriticalMissedCheckins', 'number', ur.offline_critical_missed_checkins, NULL,
    sr.offline_critical_missed_checkins, NULL, o.offline_critical_missed_checkins, 5),
  ('manualIntervalMinutes', 'number', ur.manual_interval_minutes, u.manual_monitoring_interval,
    sr.manual_interval_minutes, s.manual_log_cadence_seconds / 60.0, o.manual_interval_minutes, 240),
  ('manualGraceMinutes', 'number', ur.manual_grace_minutes, NULL, sr.manual_grace_minutes, NULL,
    o.manual_grace_minutes, 0),
  ('manualLogMissedCheckinsThreshold', 'number', ur.manual_log_missed_checkins_threshold, NULL,
    sr.manual_log_missed_checkins_threshold, NULL, o.manual_log_missed_checkins_threshold, 5)
) AS f (field, kind, of_unit_rule, of_unit, of_site_rule, of_site, of_organization, fallback)
CROSS JOIN LATERAL (
  SELECT coalesce(f.of_unit_rule, f.of_unit, f.of_site_rule, f.of_site, f.of_organization, f.fallback) AS entered,
    CASE
      WHEN f.of_unit_rule IS NOT NULL OR f.of_unit IS NOT NULL THEN 'unit'
      WHEN f.of_site_rule IS NOT NULL OR f.of_site IS NOT NULL THEN 'site'
      WHEN f.of_organization IS NOT NULL THEN 'organization'
      WHEN f.fallback IS NOT NULL THEN 'default'
    END AS source,
    CASE
      WHEN f.of_unit_rule IS NOT NULL THEN ur.id
      WHEN f.of_unit IS NOT NULL THEN NULL
      WHEN f.of_site_rule IS NOT NULL THEN sr.id
      WHEN f.of_site IS NOT NULL THEN NULL
      WHEN f.of_organization IS NOT NULL THEN o.id
    END AS rule_id,
    CASE
      WHEN f.of_unit_rule IS NOT NULL THEN ur.temp_unit
      WHEN f.of_unit IS NOT NULL THEN u.temp_unit
      WHEN f.of_site_rule IS NOT NULL THEN sr.temp_unit
      WHEN f.of_organization IS NOT NULL THEN o.temp_unit
      ELSE 'C'
    END AS scale
) AS chosen;

-- Writes down, as from `at`, what the units of a place (null: all of the organization) are judged by now. To be called
-- in the transaction that changes a rule or a unit, after the change. The clock job looks at what has changed at once.
-- Returns how many units are judged differently.
CREATE FUNCTION refresh_unit_limits(organization uuid, site uuid, unit uuid, at timestamptz, author uuid)
  RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  opened_units uuid[];
BEGIN
  -- Two changes of rules do not overlook each other.
  PERFORM pg_advisory_xact_lock(hashtext('unit_limits'), hashtext(organization::text));
  WITH wanted AS (
    SELECT e.unit_id,
      max(to_celsius(e.entered, e.scale)) FILTER (WHERE e.field = 'tempMin') AS low,
      max(to_celsius(e.entered, e.scale)) FILTER (WHERE e.field = 'tempMax') AS high,
      max(convert_degrees_difference(e.entered, e.scale, 'C')) FILTER (WHERE e.field = 'tempHysteresis') AS hysteresis,
      max(round(e.entered * 60)) FILTER (WHERE e.field = 'excursionConfirmMinutesDoorClosed') AS door_closed,
      max(round(e.entered * 60)) FILTER (WHERE e.field = 'excursionConfirmMinutesDoorOpen') AS door_open,
      max(e.entered) FILTER (WHERE e.field = 'expectedReadingIntervalSeconds') AS expected,
      max(e.entered) FILTER (WHERE e.field = 'doorOpenMaxMaskMinutesPerDay') AS mask,
      max(e.entered) FILTER (WHERE e.field = 'offlineWarningMissedCheckins') AS late,
      max(e.entered) FILTER (WHERE e.field = 'offlineCriticalMissedCheckins') AS lost
    FROM effective_rules e JOIN units u ON u.id = e.unit_id AND u.deleted_at IS NULL
    WHERE e.organization_id = organization AND (site IS NULL OR e.site_id = site)
      AND (unit IS NULL OR e.unit_id = unit)
    GROUP BY e.unit_id
  ), closed AS (
    UPDATE unit_limits l SET valid_to = greatest(at, l.valid_from + interval '1 microsecond')
    FROM wanted w
    WHERE l.unit_id = w.unit_id AND l.valid_to IS NULL
      AND (l.temp_min, l.temp_max, l.hysteresis, l.confirm_seconds_door_closed, l.confirm_seconds_door_open,
        l.expected_interval_seconds, l.door_mask_minutes_per_day, l.late_checkins, l.lost_checkins)
        IS DISTINCT FROM
        (w.low, w.high, w.hysteresis, w.door_closed, w.door_open, w.expected, w.mask, w.late, w.lost)
    RETURNING l.unit_id, l.valid_to AS since
  ), begun AS (
    SELECT unit_id, since FROM closed
    UNION ALL
    SELECT w.unit_id, '-infinity' FROM wanted w
    WHERE NOT EXISTS (SELECT FROM unit_limits l WHERE l.unit_id = w.unit_id)
  ), opened AS (
    INSERT INTO unit_limits (organization_id, unit_id, valid_from, temp_min, temp_max, hysteresis,
      confirm_seconds_door_closed, confirm_seconds_door_open, expected_interval_seconds, door_mask_minutes_per_day,
      late_checkins, lost_checkins, changed_by)
    SELECT organization, w.unit_id, b.since, w.low, w.high, w.hysteresis, w.door_closed, w.door_open, w.expected,
      w.mask, w.late, w.lost, author
    FROM begun b JOIN wanted w ON w.unit_id = b.unit_id
    RETURNING unit_id
  )
  SELECT coalesce(array_agg(unit_id), '{}') INTO opened_units FROM opened;
  -- In the order in which readings lock them.
  PERFORM FROM unit_states WHERE unit_id = ANY (opened_units) ORDER BY unit_id FOR NO KEY UPDATE;
  UPDATE unit_states SET next_due_at = least(next_due_at, at) WHERE unit_id = ANY (opened_units);
  RETURN cardinality(opened_units);
END $$;

-- As before, and with what the unit is judged by now: limit_low, limit_high and limit_hysteresis in °C. The times are the
-- ones that count, wherever they are said.
CREATE OR REPLACE VIEW unit_current AS
SELECT
  u.id, u.organization_id, u.area_id, a.site_id, u.name, a.name AS area_name, s.name AS site_name, s.timezone,
  u.unit_type, u.temp_unit, u.temp_min, u.temp_max, u.temp_hysteresis,
  l.confirm_seconds_door_closed, l.confirm_seconds_door_open, l.expected_interval_seconds,
  u.manual_monitoring_required, u.manual_monitoring_interval, u.sort_order,
  coalesce(t.status, 'offline') AS status, t.status_since, t.temp_state, t.link_state,
  CASE t.door_position WHEN 'open' THEN true WHEN 'closed' THEN false END AS door_open, t.door_since,
  t.incident_opened_at, t.last_reading_at, t.last_temperature, t.last_humidity, t.last_device_id,
  u.is_active, u.created_at, u.updated_at,
  u.deleted_at IS NULL AND a.deleted_at IS NULL AND s.deleted_at IS NULL
    AND u.is_active AND a.is_active AND s.is_active AS is_visible,
  l.temp_min AS limit_low, l.temp_max AS limit_high, l.hysteresis AS limit_hysteresis,
  a.sort_order AS area_sort_order, u.deleted_at
FROM units u
JOIN areas a ON a.organization_id = u.organization_id AND a.id = u.area_id
JOIN sites s ON s.organization_id = u.organization_id AND s.id = a.site_id
LEFT JOIN unit_states t ON t.organization_id = u.organization_id AND t.unit_id = u.id
LEFT JOIN unit_limits l ON l.organization_id = u.organization_id AND l.unit_id = u.id AND l.valid_to IS NULL;
