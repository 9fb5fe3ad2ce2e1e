import Basics
import ColdChain
import PostgreSQL

/// What a unit's readings are judged by: its limits through time, and how to name it to people.
public final class UnitRules: Sendable {
  public let unitId: UUID
  public let organizationId: UUID
  public let siteId: UUID
  public let name: String
  /// The scale that people of the unit read.
  public let shownIn: TemperatureUnit
  public let limits: LimitsHistory

  /// The rules of these units; the ones that do not exist, are deleted or have no limits are left out.
  ///
  /// - Parameter deleted: those of deleted units too, whose history is still judged.
  public static func load(
    _ units: [UUID], andDeleted deleted: Bool = false, on connection: Connection
  ) async throws -> [UUID: UnitRules] {
    guard !units.isEmpty else { return [:] }
    let rows = try await connection.query(
      """
      SELECT u.id, u.organization_id, a.site_id, u.name, u.temp_unit, l.valid_from, l.temp_min, l.temp_max, l.hysteresis,
        l.confirm_seconds_door_closed, l.confirm_seconds_door_open, l.expected_interval_seconds,
        l.door_mask_minutes_per_day, l.late_checkins, l.lost_checkins
      FROM units u
      JOIN areas a ON a.organization_id = u.organization_id AND a.id = u.area_id
      JOIN unit_limits l ON l.organization_id = u.organization_id AND l.unit_id = u.id
      WHERE u.id = ANY ($1) AND ($2 OR u.deleted_at IS NULL)
      ORDER BY u.id, l.valid_from
      """, [.uuids(units), .bool(deleted)])
    var rules: [UUID: UnitRules] = [:]
    var start = rows.startIndex
    while start < rows.endIndex {
      let id = try rows[start].uuid(0)
      var end = start
      var versions: [LimitsHistory.Version] = []
      while end < rows.endIndex, try rows[end].uuid(0) == id {
        if let limits = try limits(rows[end]) {
          versions.append(.init(validFrom: try rows[end].instant(5), limits: limits))
        }
        end += 1
      }
      if let history = LimitsHistory(versions) { rules[id] = try UnitRules(rows[start], history) }
      start = end
    }
    return rules
  }

  private init(_ row: Row, _ limits: LimitsHistory) throws(DatabaseError) {
    unitId = try row.uuid(0)
    organizationId = try row.uuid(1)
    siteId = try row.uuid(2)
    name = try row.text(3)
    shownIn = TemperatureUnit(rawValue: try row.text(4)) ?? .celsius
    self.limits = limits
  }

  /// Nil for a version that contradicts itself, which the table's constraints do not let in.
  private static func limits(_ row: Row) throws(DatabaseError) -> Limits? {
    Limits(
      low: try row.optionalHundredths(6).map { Limit(hundredths: Int32(clamping: $0), in: .celsius) },
      high: try row.optionalHundredths(7).map { Limit(hundredths: Int32(clamping: $0), in: .celsius) },
      hysteresis: TemperatureDifference(hundredths: Int32(clamping: try row.hundredths(8))),
      confirmDoorClosed: .seconds(try row.int(9)), confirmDoorOpen: .seconds(try row.int(10)),
      doorMaskPerDay: .seconds(60 * (try row.int(12))), expectedInterval: .seconds(try row.int(11)),
      lateCheckIns: Int32(clamping: try row.int(13)), lostCheckIns: Int32(clamping: try row.int(14)))
  }
}
