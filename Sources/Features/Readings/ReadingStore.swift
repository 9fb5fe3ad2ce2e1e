import Basics
import Forms
import Identity
import Places
import PostgreSQL

struct ReadingStore: Sendable {
  let database: Database

  /// Also a deleted one: its history stays.
  func hasUnit(_ place: UnitPlace, _ scope: OrganizationScope) async throws -> Bool {
    let (sql, parameters) = Self.unit(place, scope)
    return try await !database.query(sql, parameters).isEmpty
  }

  private static func unit(_ place: UnitPlace, _ scope: OrganizationScope) -> (SQL, [Value]) {
    (
      """
      SELECT FROM unit_current WHERE organization_id = $1 AND id = $2
        AND ($3::uuid IS NULL OR site_id = $3) AND ($4::uuid IS NULL OR area_id = $4)
      """, [.uuid(scope.organizationId), .uuid(place.unitId), .optional(place.siteId), .optional(place.areaId)]
    )
  }

  private static let columns: SQL = """
    SELECT r.id, r.unit_id AS "unitId", r.device_id AS "deviceId",
      from_celsius(r.temperature, shown) AS temperature, r.humidity,
      from_celsius(r.probe_temperature, shown) AS "probeTemperature",
      from_celsius(r.ambient_temperature, shown) AS "ambientTemperature",
      r.battery, r.battery_voltage AS "batteryVoltage", r.signal_strength AS "signalStrength", r.snr,
      r.door_open AS "doorOpen", r.raw_payload AS "rawPayload", r.f_port AS "fPort", r.f_cnt AS "fCnt",
      r.recorded_at AS "recordedAt", r.received_at AS "receivedAt", r.source, r.simulated, shown AS "temperatureUnit"
    FROM sensor_readings r, (SELECT coalesce($3::text, temp_unit) AS shown FROM units WHERE id = $2) unit
    """

  private static let range: SQL = """
     WHERE r.organization_id = $1 AND r.unit_id = $2
    AND r.recorded_at >= $4::timestamptz AND r.recorded_at <= $5::timestamptz
    """

  /// Nil: there is no such unit. One round trip.
  func list(_ place: UnitPlace, _ wanted: ReadingQuery, _ scope: OrganizationScope) async throws -> Rows? {
    let descending = wanted.latest || wanted.order == .descending
    var parameters: [Value] = [
      .uuid(scope.organizationId), .uuid(place.unitId), .optional(wanted.shownIn?.rawValue),
      .timestamp(wanted.start ?? .distantPast),
      .timestamp(wanted.end ?? .distantFuture), .int(wanted.latest ? 1 : wanted.page.limit), .int(wanted.page.offset),
    ]
    if let cursor = wanted.cursor {
      parameters += [.timestamp(cursor.at), .uuid(cursor.id)]
    }
    let page = Self.page(descending: descending, next: wanted.cursor != nil)
    let answers = try await database.pipeline([Self.unit(place, scope), (page, parameters)])
    return answers[0].isEmpty ? nil : answers[1]
  }

  /// - Parameter next: the page after a place, which is `$8` and `$9`.
  static func page(descending: Bool, next: Bool) -> SQL {
    switch (descending, next) {
    case (true, false): newest
    case (true, true): older
    case (false, false): oldest
    case (false, true): newer
    }
  }

  private static let newest = select(descending: true, next: false)
  private static let older = select(descending: true, next: true)
  private static let oldest = select(descending: false, next: false)
  private static let newer = select(descending: false, next: true)

  private static func select(descending: Bool, next: Bool) -> SQL {
    let after: SQL = descending ? " AND (r.recorded_at, r.id) < ($8, $9)" : " AND (r.recorded_at, r.id) > ($8, $9)"
    return columns + range + (next ? after : "")
      + (descending ? " ORDER BY r.recorded_at DESC, r.id DESC" : " ORDER BY r.recorded_at, r.id")
      + " LIMIT $6 OFFSET $7"
  }

  /// All readings of the range, whatever the page.
  func count(_ unit: UUID, _ wanted: ReadingQuery, _ scope: OrganizationScope) async throws -> Int64 {
    let rows = try await database.query(
      """
      SELECT count(*) FROM sensor_readings r WHERE r.organization_id = $1 AND r.unit_id = $2
        AND r.recorded_at >= $3 AND r.recorded_at <= $4
      """,
      [
        .uuid(scope.organizationId), .uuid(unit), .timestamp(wanted.start ?? .distantPast),
        .timestamp(wanted.end ?? .distantFuture),
      ])
    return try rows.first?.int(0) ?? 0
  }
}
