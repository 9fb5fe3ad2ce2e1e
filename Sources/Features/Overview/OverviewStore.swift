import Basics
import Identity
import PostgreSQL

/// The numbers that a dashboard opens with, each answer by one statement over what other features write.
struct OverviewStore: Sendable {
  let database: Database

  /// How a unit stands, in four words.
  private static let state: SQL = """
    CASE WHEN c.status IN ('ok', 'restoring') THEN 'normal' WHEN c.status IN ('excursion', 'manual_required') THEN 'warning'
      WHEN c.status = 'alarm_active' THEN 'critical' ELSE 'offline' END
    """

  /// Of rows `u` with `state`.
  private static let unitCounts: SQL = """
    jsonb_build_object('total', count(u.id), 'normal', count(*) FILTER (WHERE u.state = 'normal'),
      'warning', count(*) FILTER (WHERE u.state = 'warning'), 'critical', count(*) FILTER (WHERE u.state = 'critical'),
      'offline', count(*) FILTER (WHERE u.state = 'offline'))
    """

  /// An alarm is never hidden by silence.
  private static let worst: SQL = """
    CASE WHEN bool_or(u.state = 'critical') THEN 'critical' WHEN bool_or(u.state = 'offline') THEN 'offline'
      WHEN bool_or(u.state = 'warning') THEN 'warning' ELSE 'normal' END
    """

  /// Readings of the last 24 hours: as they were rolled up in whole hours, and one by one before the first whole hour and
  /// since the first hour that has changed after that.
  static let statistics: SQL =
    "WITH u AS (SELECT c.id, c.timezone, " + state
      + """
         AS state FROM unit_current c WHERE c.organization_id = $1 AND c.is_visible
      ), spans AS (
        SELECT u.id, least(w.whole, now) AS whole, greatest(w.whole, least(w.until, now)) AS until, since, now
        FROM u, (SELECT $2::timestamptz - interval '24 hours' AS since, $2::timestamptz AS now) t,
          LATERAL (
            SELECT min(m.hour) AS hour FROM rollup_marks m
            WHERE m.unit_id = u.id AND coalesce(m.until, m.hour + interval '1 hour') > since
          ) m,
          LATERAL (
            SELECT date_trunc('hour', since, u.timezone) + interval '1 hour' AS whole,
              least(date_trunc('hour', now, u.timezone), date_trunc('hour', m.hour, u.timezone)) AS until
          ) w
      ), judged AS (
        SELECT sum(n.readings) AS readings, sum(n.inside) AS inside FROM (
          SELECT h.count AS readings, h.inside
          FROM unit_rollups_hourly h
          JOIN spans s ON s.id = h.unit_id AND h.bucket >= s.whole AND h.bucket < s.until
          WHERE h.organization_id = $1 AND h.bucket >= $2::timestamptz - interval '24 hours' AND h.bucket <= $2::timestamptz
          UNION ALL
          SELECT count(*), count(*) FILTER (
            WHERE r.temperature BETWEEN coalesce(l.temp_min, '-infinity') AND coalesce(l.temp_max, 'infinity'))
          FROM spans s
          CROSS JOIN LATERAL (VALUES (since, s.whole), (s.until, now + interval '1 microsecond')) AS p (starts, ends)
          JOIN unit_limits l ON l.organization_id = $1 AND l.unit_id = s.id AND l.valid_from < p.ends
            AND coalesce(l.valid_to > p.starts, true)
          JOIN sensor_readings r ON r.unit_id = s.id AND r.organization_id = $1
            AND r.recorded_at >= greatest(p.starts, l.valid_from)
            AND r.recorded_at < least(p.ends, l.valid_to)
            AND r.recorded_at >= $2::timestamptz - interval '24 hours' AND r.recorded_at <= $2::timestamptz
            AND r.temperature IS NOT NULL AND r.flags & 256 = 0 AND NOT r.simulated
        ) n
      ), a AS (
        SELECT count(*) FILTER (WHERE status = 'active') AS pending,
          count(*) FILTER (WHERE status = 'acknowledged') AS acknowledged,
          count(*) FILTER (WHERE status = 'resolved') AS resolved, count(*) AS total
        FROM alerts WHERE organization_id = $1
      )
      SELECT $1::uuid AS "organizationId", (SELECT
      """ + " " + unitCounts
      + """
         FROM u) AS "unitCounts",
        (SELECT jsonb_build_object('pending', a.pending, 'acknowledged', a.acknowledged, 'resolved', a.resolved,
          'total', a.total) FROM a) AS "alertCounts",
        (SELECT trim_scale(round(100.0 * judged.inside / nullif(judged.readings, 0), 1)) FROM judged)
          AS "compliancePercentage",
        (SELECT count(*) FROM user_roles WHERE organization_id = $1) AS "memberCount",
        (SELECT count(*) FROM sites WHERE organization_id = $1 AND deleted_at IS NULL AND is_active) AS "siteCount",
        (SELECT
      """ + " " + worst + #" FROM u) AS "worstState", $2::timestamptz AS "lastUpdated""#

  func statistics(at now: Instant, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(Self.statistics, [.uuid(scope.organizationId), .timestamp(now)])
  }

  static let overview: SQL =
    "WITH u AS (SELECT c.id, c.site_id, c.status, c.link_state, " + state
      + """
         AS state FROM unit_current c WHERE c.organization_id = $1 AND c.is_visible
      ), open AS (
        SELECT a.id, a.alert_type, a.severity, a.status, a.message, a.triggered_at, a.unit_id, c.name, c.site_id,
          c.site_name
        FROM alerts a LEFT JOIN unit_current c ON c.organization_id = a.organization_id AND c.id = a.unit_id
        WHERE a.organization_id = $1 AND a.status <> 'resolved'
      ), d AS (
        SELECT d.id, t.last_seen_at, t.battery, EXISTS (
            SELECT FROM device_assignments g WHERE g.device_id = d.id AND g.assigned_to IS NULL) AS is_assigned,
          coalesce(d.expected_interval_seconds, 1200) AS expected
        FROM devices d LEFT JOIN device_states t ON t.device_id = d.id
        WHERE d.organization_id = $1 AND d.deleted_at IS NULL AND d.is_active
      )
      SELECT $1::uuid AS "organizationId", (SELECT
      """ + " " + unitCounts + #" FROM u) AS "unitCounts", (SELECT "# + worst
      + """
         FROM u) AS "worstState",
        (SELECT coalesce(jsonb_object_agg(n.status, n.count), '{}') FROM (
          SELECT u.status, count(*) FROM u GROUP BY u.status) n) AS "statusCounts",
        (SELECT jsonb_build_object('open', count(*), 'pending', count(*) FILTER (WHERE o.status = 'active'),
          'acknowledged', count(*) FILTER (WHERE o.status = 'acknowledged'),
          'critical', count(*) FILTER (WHERE o.severity = 'critical'),
          'warning', count(*) FILTER (WHERE o.severity = 'warning'), 'info', count(*) FILTER (WHERE o.severity = 'info'))
          FROM open o) AS "alertCounts",
        (SELECT jsonb_build_object('total', count(*), 'limit', (SELECT sensor_limit FROM organizations WHERE id = $1),
          'reporting', count(*) FILTER (
            WHERE d.last_seen_at > $2::timestamptz - greatest(make_interval(secs => d.expected * 5), interval '30 minutes')),
          'neverSeen', count(*) FILTER (WHERE d.last_seen_at IS NULL),
          'unassigned', count(*) FILTER (WHERE NOT d.is_assigned), 'lowBattery', count(*) FILTER (WHERE d.battery <= 20))
          FROM d) AS "sensorCounts",
        (SELECT jsonb_build_object('silentUnits', (SELECT count(*) FROM u WHERE u.link_state IN ('late', 'lost')),
          'unacknowledgedCritical', (SELECT count(*) FROM open o WHERE o.status = 'active' AND o.severity = 'critical'),
          'calibrations', (SELECT count(*) FROM (
            SELECT DISTINCT ON (k.device_id, k.channel) k.due_at FROM device_calibrations k JOIN d ON d.id = k.device_id
            WHERE k.organization_id = $1 AND k.deleted_at IS NULL ORDER BY k.device_id, k.channel, k.valid_from DESC
          ) newest WHERE newest.due_at < $2::timestamptz),
          'quarantinedUplinks', (SELECT count(*) FROM quarantined_uplinks q
            WHERE q.organization_id = $1 AND q.claimed_at IS NULL AND q.discarded_at IS NULL))) AS overdue,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('id', s.id, 'name', s.name, 'timezone', s.timezone,
          'unitCounts', n.counts, 'worstState', n.worst,
          'openAlerts', (SELECT count(*) FROM open o WHERE o.site_id = s.id)) ORDER BY s.name, s.id), '[]')
          FROM sites s CROSS JOIN LATERAL (SELECT
      """ + " " + unitCounts + " AS counts, " + worst
      + """
           AS worst FROM u WHERE u.site_id = s.id) n
          WHERE s.organization_id = $1 AND s.deleted_at IS NULL AND s.is_active) AS sites,
        (SELECT coalesce(jsonb_agg(jsonb_build_object('id', o.id, 'alertType', o.alert_type, 'severity', o.severity,
          'status', o.status, 'message', o.message, 'triggeredAt', wire_time(o.triggered_at), 'unitId', o.unit_id,
          'unitName', o.name, 'siteId', o.site_id, 'siteName', o.site_name) ORDER BY o.triggered_at DESC, o.id), '[]')
          FROM (SELECT * FROM open ORDER BY triggered_at DESC, id LIMIT 10) o) AS "newestAlerts",
        $2::timestamptz AS "lastUpdated"
      """

  func overview(at now: Instant, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(Self.overview, [.uuid(scope.organizationId), .timestamp(now)])
  }

  static let board: SQL =
    "WITH u AS (SELECT c.*, shown, " + state
      + """
         AS state FROM unit_current c, LATERAL coalesce($3::text, c.temp_unit) AS shown
        WHERE c.organization_id = $1 AND c.site_id = $2 AND c.is_visible
      ), a AS (
        SELECT a.unit_id, jsonb_agg(jsonb_build_object('id', a.id, 'alertType', a.alert_type, 'severity', a.severity,
          'status', a.status, 'message', a.message, 'triggeredAt', wire_time(a.triggered_at))
          ORDER BY a.triggered_at DESC, a.id) AS open, count(*) AS number
        FROM alerts a JOIN u ON u.id = a.unit_id
        WHERE a.organization_id = $1 AND a.status <> 'resolved' GROUP BY a.unit_id
      ), d AS (
        SELECT g.unit_id, jsonb_agg(jsonb_build_object('id', d.id, 'name', d.name, 'devEui', d.dev_eui,
          'isPrimary', g.is_primary, 'channel', g.channel, 'battery', t.battery, 'signalStrength', t.signal_strength,
          'lastSeenAt', wire_time(t.last_seen_at)) ORDER BY g.is_primary DESC, d.name, d.id) AS sensors
        FROM device_assignments g
        JOIN u ON u.id = g.unit_id
        JOIN devices d ON d.id = g.device_id AND d.deleted_at IS NULL
        LEFT JOIN device_states t ON t.device_id = d.id
        WHERE g.organization_id = $1 AND g.assigned_to IS NULL GROUP BY g.unit_id
      ), w AS (
        SELECT w.unit_id, max(w.ends) AS until
        FROM unit_suppression_windows((SELECT coalesce(array_agg(u.id), '{}') FROM u), $4::timestamptz,
          $4::timestamptz + interval '1 microsecond') w
        GROUP BY w.unit_id
      ), tiles AS (
        SELECT u.area_id, jsonb_agg(jsonb_build_object('id', u.id, 'name', u.name, 'unitType', u.unit_type,
          'status', u.status, 'statusSince', wire_time(u.status_since), 'state', u.state, 'linkState', u.link_state,
          'doorOpen', u.door_open, 'temperatureUnit', u.shown,
          'tempMin', CASE WHEN to_celsius(u.temp_min, u.temp_unit) = u.limit_low
            THEN trim_scale(convert_degrees(u.temp_min, u.temp_unit, u.shown)) ELSE from_celsius(u.limit_low, u.shown) END,
          'tempMax', CASE WHEN to_celsius(u.temp_max, u.temp_unit) = u.limit_high
            THEN trim_scale(convert_degrees(u.temp_max, u.temp_unit, u.shown)) ELSE from_celsius(u.limit_high, u.shown) END,
          'lastTemperature', from_celsius(u.last_temperature, u.shown), 'lastHumidity', trim_scale(u.last_humidity),
          'lastReadingAt', wire_time(u.last_reading_at), 'lastManualLogAt', NULL,
          'openAlerts', coalesce(a.open, '[]'), 'sensors', coalesce(d.sensors, '[]'),
          'suppressedUntil', wire_time(w.until)) ORDER BY u.sort_order, u.name, u.id) AS units
        FROM u LEFT JOIN a ON a.unit_id = u.id LEFT JOIN d ON d.unit_id = u.id LEFT JOIN w ON w.unit_id = u.id
        GROUP BY u.area_id
      )
      SELECT s.id AS "siteId", s.name AS "siteName", s.timezone, (SELECT
      """ + " " + unitCounts + #" FROM u) AS "unitCounts", (SELECT "# + worst
      + """
         FROM u) AS "worstState", (SELECT coalesce(sum(a.number), 0)::bigint FROM a) AS "openAlerts",
        (SELECT coalesce(jsonb_agg(jsonb_build_object('id', p.id, 'name', p.name,
          'units', coalesce(tiles.units, '[]')) ORDER BY p.sort_order, p.name, p.id), '[]')
          FROM areas p LEFT JOIN tiles ON tiles.area_id = p.id
          WHERE p.organization_id = $1 AND p.site_id = $2 AND p.deleted_at IS NULL AND p.is_active) AS areas,
        $4::timestamptz AS "lastUpdated"
      FROM sites s WHERE s.organization_id = $1 AND s.id = $2 AND s.deleted_at IS NULL
      """

  func board(of site: UUID, shownIn unit: Value, at now: Instant, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      Self.board, [.uuid(scope.organizationId), .uuid(site), unit, .timestamp(now)])
  }
}
