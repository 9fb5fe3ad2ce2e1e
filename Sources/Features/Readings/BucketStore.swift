import Basics
import ColdChain
import HTTP
import Identity
import JSON
import Places
import PostgreSQL

/// Readings of a unit in buckets, computed from every reading.
struct BucketStore: Sendable {
  let database: Database

  /// Nil when the unit was never judged by anything.
  func buckets(
    _ unit: UUID, _ span: Range<Instant>, _ length: BucketLength, shownIn asked: Value, _ scope: OrganizationScope
  ) async throws -> (json: [UInt8], count: Int)? {
    try await database.withConnection { connection in
      let rules = try await UnitRules.load([unit], andDeleted: true, on: connection)[unit]
      guard let rules, rules.organizationId == scope.organizationId else { return nil }
      let bounds = try await bounds(of: span, length, site: rules.siteId, on: connection)
      var buckets = TemperatureBuckets(bounds: bounds, window: span, limits: rules.limits)
      let reach = rules.limits.versions.map { TemperatureBuckets.gapLimit($0.limits) }.max() ?? .zero
      try await connection.stream(
        Self.temperatures,
        [
          .uuid(scope.organizationId), .uuid(unit), .timestamp(span.lowerBound - reach),
          .timestamp(span.upperBound + reach),
        ]
      ) { batch in
        for row in batch {
          buckets.add(Temperature(hundredths: Int32(clamping: try row.hundredths(1))), at: try row.instant(0))
        }
      }
      buckets.finish()
      return (buckets.json(in: scale(asked) ?? rules.shownIn), buckets.buckets.count)
    }
  }

  /// What moved the unit's state: of its primary sensors, and measured.
  static let temperatures: SQL = """
    SELECT recorded_at, temperature FROM sensor_readings
    WHERE organization_id = $1 AND unit_id = $2 AND recorded_at >= $3 AND recorded_at < $4
      AND temperature IS NOT NULL AND flags & 256 = 0 AND NOT simulated
    ORDER BY recorded_at
    """

  private func scale(_ asked: Value) -> TemperatureUnit? {
    if case .text(let text) = asked { TemperatureUnit(rawValue: text) } else { nil }
  }

  private func bounds(
    of span: Range<Instant>, _ length: BucketLength, site: UUID, on connection: Connection
  ) async throws -> [Instant] {
    if length == .day {
      return try await connection.query(
        """
        SELECT d.day AT TIME ZONE s.timezone
        FROM sites s, LATERAL generate_series(
          date_trunc('day', $2::timestamptz AT TIME ZONE s.timezone),
          date_trunc('day', ($3::timestamptz - interval '1 microsecond') AT TIME ZONE s.timezone) + interval '1 day',
          interval '1 day') AS d (day)
        WHERE s.id = $1 ORDER BY d.day
        """, [.uuid(site), .timestamp(span.lowerBound), .timestamp(span.upperBound)]
      ).map { try $0.instant(0) }
    }
    let offset = try await connection.query(
      """
      SELECT extract(epoch FROM ($2::timestamptz AT TIME ZONE timezone) - ($2::timestamptz AT TIME ZONE 'UTC'))::bigint
      FROM sites WHERE id = $1
      """, [.uuid(site), .timestamp(span.lowerBound)]
    ).first?.int(0)
    return length.bounds(of: span, offset: .seconds(offset ?? 0)) ?? []
  }
}
