import Basics
import HTTP
import Identity
import PostgreSQL

struct UnitStore: Sendable {
  let database: Database

  /// Of a view `c` of units. Every temperature is in `shown`. Limits are those that count: the unit's own as they were
  /// entered, else what a rule says.
  private static let columns: SQL = """
    c.id, c.area_id AS "areaId", c.site_id AS "siteId", c.name, c.area_name AS "areaName", c.site_name AS "siteName",
    c.unit_type AS "unitType", c.status, c.status_since AS "statusSince", c.temp_unit AS "tempUnit",
    shown AS "temperatureUnit",
    CASE WHEN to_celsius(c.temp_min, c.temp_unit) = c.limit_low THEN convert_degrees(c.temp_min, c.temp_unit, shown)
      ELSE from_celsius(c.limit_low, shown) END AS "tempMin",
    CASE WHEN to_celsius(c.temp_max, c.temp_unit) = c.limit_high THEN convert_degrees(c.temp_max, c.temp_unit, shown)
      ELSE from_celsius(c.limit_high, shown) END AS "tempMax",
    CASE WHEN convert_degrees_difference(c.temp_hysteresis, c.temp_unit, 'C') = c.limit_hysteresis
      THEN convert_degrees_difference(c.temp_hysteresis, c.temp_unit, shown)
      ELSE trim_scale(round(convert_degrees_difference(c.limit_hysteresis, 'C', shown), 1)) END AS "tempHysteresis",
    c.confirm_seconds_door_closed AS "confirmSecondsDoorClosed",
    c.confirm_seconds_door_open AS "confirmSecondsDoorOpen",
    c.expected_interval_seconds AS "expectedIntervalSeconds",
    c.manual_monitoring_required AS "manualMonitoringRequired",
    c.manual_monitoring_interval AS "manualMonitoringInterval",
    c.last_reading_at AS "lastReadingAt", from_celsius(c.last_temperature, shown) AS "lastTemperature",
    c.last_humidity AS "lastHumidity", NULL::timestamptz AS "lastManualLogAt", c.door_open AS "doorOpen", c.link_state AS "linkState",
    c.temp_state AS "tempState", c.is_active AS "isActive", c.sort_order AS "sortOrder",
    c.created_at AS "createdAt", c.updated_at AS "updatedAt"
    """

  /// By site, area and place in the area.
  static let listing: SQL =
    "SELECT " + columns
      + """
       FROM unit_current c, LATERAL coalesce($2::text, c.temp_unit) AS shown
      WHERE c.organization_id = $1 AND c.is_visible
        AND ($3::uuid IS NULL OR c.site_id = $3) AND ($4::uuid IS NULL OR c.area_id = $4)
      ORDER BY c.site_name, c.site_id, c.area_sort_order, c.area_name, c.area_id, c.sort_order, c.name, c.id
      """

  /// The deleted ones, which can be restored, newest first.
  private static let deleted: SQL =
    "SELECT " + columns
      + """
      , c.deleted_at AS "deletedAt" FROM unit_current c, LATERAL coalesce($2::text, c.temp_unit) AS shown
      WHERE c.organization_id = $1 AND c.deleted_at IS NOT NULL
        AND ($3::uuid IS NULL OR c.site_id = $3) AND ($4::uuid IS NULL OR c.area_id = $4)
      ORDER BY c.deleted_at DESC, c.id
      """

  func list(
    site: UUID?, area: UUID?, deleted: Bool = false, shownIn unit: Value, _ scope: OrganizationScope
  ) async throws -> Rows {
    try await database.query(
      deleted ? Self.deleted : Self.listing,
      [.uuid(scope.organizationId), unit, .optional(site), .optional(area)])
  }

  func hasArea(_ place: AreaPlace, _ scope: OrganizationScope) async throws -> Bool {
    let rows = try await database.query(
      """
      SELECT FROM areas a JOIN sites s ON s.id = a.site_id AND s.deleted_at IS NULL
      WHERE a.organization_id = $1 AND a.site_id = $2 AND a.id = $3 AND a.deleted_at IS NULL
      """, [.uuid(scope.organizationId), .uuid(place.siteId), .uuid(place.areaId)])
    return !rows.isEmpty
  }

  func get(_ place: UnitPlace, shownIn unit: Value, _ scope: OrganizationScope) async throws -> Rows {
    let (sql, parameters) = reading(place, shownIn: unit, scope)
    return try await database.query(sql, parameters)
  }

  private func reading(_ place: UnitPlace, shownIn unit: Value, _ scope: OrganizationScope) -> (SQL, [Value]) {
    let sql: SQL =
      "SELECT " + Self.columns
        + """
         FROM unit_current c, LATERAL coalesce($2::text, c.temp_unit) AS shown
        WHERE c.organization_id = $1 AND c.id = $3 AND c.is_visible
          AND ($4::uuid IS NULL OR c.site_id = $4) AND ($5::uuid IS NULL OR c.area_id = $5)
        """
    return (
      sql,
      [.uuid(scope.organizationId), unit, .uuid(place.unitId), .optional(place.siteId), .optional(place.areaId)]
    )
  }

  /// No row when the area is not there. A new unit has its state and the first version of its limits, which holds since
  /// ever.
  func create(
    _ row: Value, in place: AreaPlace, shownIn unit: Value, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    let id = UUID.v7(at: request.received)
    let made: SQL = """
      WITH area AS (
        SELECT a.id FROM areas a JOIN sites s ON s.id = a.site_id AND s.deleted_at IS NULL
        WHERE a.organization_id = $1 AND a.site_id = $4 AND a.id = $5 AND a.deleted_at IS NULL FOR SHARE OF a
      ), u AS (
        INSERT INTO units (id, organization_id, area_id, name, unit_type, temp_unit, temp_min, temp_max,
          temp_hysteresis, confirm_seconds_door_closed, confirm_seconds_door_open, expected_interval_seconds,
          manual_monitoring_required, manual_monitoring_interval, sort_order)
        SELECT $6, $1, area.id, p.name, p.unit_type, p.temp_unit, p.temp_min, p.temp_max, p.temp_hysteresis,
          p.confirm_seconds_door_closed, p.confirm_seconds_door_open, p.expected_interval_seconds,
          p.manual_monitoring_required, p.manual_monitoring_interval, p.sort_order
        FROM area, jsonb_populate_record(NULL::units, $3) p
        RETURNING *
      ), state AS (
        INSERT INTO unit_states (organization_id, unit_id) SELECT $1, u.id FROM u
      )
      SELECT append_event_log($1, $2, 'unit.created', 'unit', u.id, NULL, to_jsonb(u)) FROM u
      """
    return try await database.pipeline([
      (
        made,
        [
          .uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(place.siteId), .uuid(place.areaId),
          .uuid(id),
        ]
      ),
      UnitLimits.refresh(.unit(id), scope, request),
      reading(UnitPlace(siteId: place.siteId, areaId: place.areaId, unitId: id), shownIn: unit, scope),
    ])[2]
  }

  /// New limits hold from now on; readings before are judged by the old ones. A change of `temp_unit` alone converts
  /// the limits and does not change what they mean.
  func update(
    _ place: UnitPlace, _ row: Value, shownIn unit: Value, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    try await database.pipeline([
      (
        Self.changing,
        [
          .uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(place.unitId), .optional(place.siteId),
          .optional(place.areaId),
        ]
      ),
      UnitLimits.refresh(.unit(place.unitId), scope, request),
      reading(place, shownIn: unit, scope),
    ])[2]
  }

  private static let changing: SQL = """
    WITH old AS (
      SELECT u.* FROM units u
      JOIN areas a ON a.id = u.area_id AND a.deleted_at IS NULL
      JOIN sites s ON s.id = a.site_id AND s.deleted_at IS NULL
      WHERE u.organization_id = $1 AND u.id = $4 AND u.deleted_at IS NULL
        AND ($5::uuid IS NULL OR a.site_id = $5) AND ($6::uuid IS NULL OR u.area_id = $6)
      FOR UPDATE OF u
    ), u AS (
      UPDATE units t
      SET (name, unit_type, temp_unit, temp_min, temp_max, temp_hysteresis, confirm_seconds_door_closed,
        confirm_seconds_door_open, expected_interval_seconds, manual_monitoring_required, manual_monitoring_interval,
        sort_order) =
        (SELECT p.name, p.unit_type, p.temp_unit,
          CASE WHEN patch ? 'temp_min' THEN p.temp_min ELSE convert_degrees(p.temp_min, t.temp_unit, p.temp_unit) END,
          CASE WHEN patch ? 'temp_max' THEN p.temp_max ELSE convert_degrees(p.temp_max, t.temp_unit, p.temp_unit) END,
          CASE WHEN patch ? 'temp_hysteresis' THEN p.temp_hysteresis
            ELSE convert_degrees_difference(p.temp_hysteresis, t.temp_unit, p.temp_unit) END,
          p.confirm_seconds_door_closed, p.confirm_seconds_door_open, p.expected_interval_seconds,
          p.manual_monitoring_required, p.manual_monitoring_interval, p.sort_order
        FROM (SELECT $3::jsonb AS patch) given, jsonb_populate_record(t, patch) p),
        updated_at = now()
      FROM old WHERE t.id = old.id RETURNING t.*
    )
    SELECT append_event_log($1, $2, 'unit.updated', 'unit', u.id, to_jsonb(old), to_jsonb(u)) FROM old, u
    """

  func delete(_ place: UnitPlace, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH u AS (
        UPDATE units u SET deleted_at = now(), updated_at = now() FROM unit_current c
        WHERE u.organization_id = $1 AND u.id = $3 AND c.id = u.id AND c.is_visible
          AND ($4::uuid IS NULL OR c.site_id = $4) AND ($5::uuid IS NULL OR c.area_id = $5) AND u.deleted_at IS NULL
        RETURNING u.*
      )
      SELECT append_event_log($1, $2, 'unit.deleted', 'unit', u.id, to_jsonb(u), NULL) FROM u
      """,
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(place.unitId), .optional(place.siteId),
        .optional(place.areaId),
      ])
    return !rows.isEmpty
  }

  /// No row while its area or site is deleted: those come first.
  func restore(
    _ place: UnitPlace, shownIn unit: Value, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    let restored: SQL = """
      WITH u AS (
        UPDATE units u SET deleted_at = NULL, updated_at = now() FROM areas a, sites s
        WHERE u.organization_id = $1 AND u.id = $3 AND u.deleted_at IS NOT NULL
          AND a.id = u.area_id AND a.deleted_at IS NULL AND s.id = a.site_id AND s.deleted_at IS NULL
          AND ($4::uuid IS NULL OR s.id = $4) AND ($5::uuid IS NULL OR a.id = $5)
        RETURNING u.*
      )
      SELECT append_event_log($1, $2, 'unit.restored', 'unit', u.id, NULL, to_jsonb(u)) FROM u
      """
    let (sql, parameters) = reading(place, shownIn: unit, scope)
    return try await database.transaction { connection in
      let found = try await connection.query(
        restored,
        [
          .uuid(scope.organizationId), Audit.author(scope, request), .uuid(place.unitId), .optional(place.siteId),
          .optional(place.areaId),
        ])
      guard !found.isEmpty else { return found }
      let (refreshing, place) = UnitLimits.refresh(.unit(place.unitId), scope, request)
      _ = try await connection.query(refreshing, place)
      return try await connection.query(sql, parameters)
    }
  }
}
