import Basics
import ColdChain
import Identity
import Places
import PostgreSQL

/// Readings of a unit in buckets. Hours and days were rolled up before; what is not yet, or only in part asked for, is
/// made of the readings themselves, by the same definition.
struct BucketStore: Sendable {
  let database: Database

  /// Nil without such a unit.
  func buckets(
    _ unit: UUID, _ span: ClosedRange<Instant>, _ length: BucketLength, _ scope: OrganizationScope
  ) async throws -> (buckets: [ReadingBucket], shownIn: TemperatureUnit)? {
    try await database.withConnection { connection in
      let rules = try await UnitRules.load([unit], andDeleted: true, on: connection)[unit]
      guard let rules, rules.organizationId == scope.organizationId else { return nil }
      var buckets: [ReadingBucket]
      if let rolledUp = Self.rolledUp(length) {
        buckets = try await connection.query(
          rolledUp,
          [
            .uuid(unit), .uuid(rules.siteId), .timestamp(span.lowerBound), .timestamp(span.upperBound),
            .double(Double(Rollup.reach(rules.limits).microseconds) / 1e6),
          ]
        ).map { try ReadingBucket($0, within: span) }
      } else {
        buckets = ReadingBucket.quarters(of: span)
      }
      for stretch in ReadingBucket.unknown(buckets) {
        try await measure(&buckets[stretch], of: rules, on: connection)
      }
      return (buckets, rules.shownIn)
    }
  }

  /// Makes buckets that follow each other from the readings.
  private func measure(
    _ buckets: inout ArraySlice<ReadingBucket>, of unit: UnitRules, on connection: Connection
  ) async throws {
    guard let first = buckets.first?.asked.lowerBound, let last = buckets.last?.asked.upperBound else { return }
    var rollups = Rollups(between: buckets.map(\.asked.lowerBound) + [last], limits: unit.limits)
    let (sql, values) = RollupStore.temperatures(of: unit.unitId, unit.organizationId, first..<last, unit.limits)
    try await connection.stream(sql, values) { batch in
      for row in batch {
        if let sample = try RollupStore.sample(row) { rollups.add(sample) }
      }
    }
    for (place, rollup) in zip(buckets.indices, rollups.finished()) { buckets[place].rollup = rollup }
  }

  // MARK: - What was rolled up

  /// The hours or days of a site's clock with what is known of them, in one look: a mark goes in the transaction that
  /// writes its rollup. Nil for what is never rolled up.
  static func rolledUp(_ length: BucketLength) -> SQL? {
    switch length {
    case .quarterHour: nil
    case .hour: hours + known + "LEFT JOIN unit_rollups_hourly r ON r.unit_id = $1 AND r.bucket = b.starts_at" + order
    case .day: days + known + "LEFT JOIN unit_rollups_daily r ON r.unit_id = $1 AND r.day = b.day" + order
    }
  }

  private static let hours: SQL = """
    WITH b AS (
      SELECT starts_at, lead(starts_at) OVER (ORDER BY starts_at) AS ends_at FROM (
        SELECT DISTINCT date_trunc('hour', t, s.timezone) AS starts_at
        FROM sites s, generate_series($3::timestamptz, $4::timestamptz + interval '2 hours', interval '15 minutes') t
        WHERE s.id = $2
      ) hours
    )
    """

  private static let days: SQL = """
    WITH b AS (
      SELECT t::date AS day, t AT TIME ZONE s.timezone AS starts_at,
        (t + interval '1 day') AT TIME ZONE s.timezone AS ends_at
      FROM sites s, generate_series(date_trunc('day', $3::timestamptz AT TIME ZONE s.timezone),
        $4::timestamptz AT TIME ZONE s.timezone, interval '1 day') t
      WHERE s.id = $2
    )
    """

  private static let known: SQL = """
    , stale AS MATERIALIZED (
      SELECT coalesce(range_agg(tstzrange(m.hour - make_interval(secs => $5),
        coalesce(m.until, m.hour + interval '1 hour') + make_interval(secs => $5))), '{}') AS spans
      FROM rollup_marks m WHERE m.unit_id = $1
    )
    SELECT b.starts_at, b.ends_at, NOT tstzrange(b.starts_at, b.ends_at) && stale.spans, r.count, r.sum_temperature,
      r.min_temperature, r.max_temperature, r.outside_microseconds, r.covered_microseconds
    FROM b CROSS JOIN stale
    """ + " "

  private static let order: SQL = " WHERE b.starts_at < $4 AND b.ends_at > $3 ORDER BY b.starts_at"
}
