import Basics
import ColdChain
import Places
import PostgreSQL

/// The rows of rollups and of what is to be rolled up.
enum RollupStore {
  /// A unit as far as its rollups depend on it.
  struct Place {
    let unitId: UUID
    let organizationId: UUID
    let zone: String
    let limits: LimitsHistory
  }

  /// Takes away marks that are due, of units that nobody else rolls up, until the transaction ends: not many hours at once,
  /// but at least one mark.
  static func take(at now: Instant, on connection: Connection) async throws -> [UUID: [Range<Instant>]] {
    let rows = try await connection.query(
      """
      WITH due AS MATERIALIZED (
        SELECT DISTINCT unit_id FROM (
          SELECT unit_id FROM rollup_marks WHERE due_at <= $1 ORDER BY due_at LIMIT $3) oldest
        LIMIT $2
      ), mine AS MATERIALIZED (
        SELECT unit_id FROM due WHERE pg_try_advisory_xact_lock(hashtext('rollups'), hashtext(unit_id::text))
      ), free AS MATERIALIZED (
        SELECT m.unit_id, m.hour, coalesce(m.until, m.hour + interval '1 hour') AS until
        FROM rollup_marks m JOIN mine USING (unit_id) WHERE m.due_at <= $1
        ORDER BY m.unit_id, m.hour LIMIT $3 FOR UPDATE OF m SKIP LOCKED
      ), counted AS (
        SELECT *, sum(extract(epoch FROM until - hour) / 3600) OVER (ORDER BY unit_id, hour) AS hours,
          row_number() OVER (ORDER BY unit_id, hour) AS place
        FROM free
      ), taken AS (
        SELECT * FROM counted WHERE hours <= $4::int8 OR place = 1
      )
      DELETE FROM rollup_marks m USING taken WHERE m.unit_id = taken.unit_id AND m.hour = taken.hour
      RETURNING m.unit_id, m.hour, taken.until
      """, [.timestamp(now), .int(RollupJob.unitsMax), .int(RollupJob.marksMax), .int(RollupJob.hoursMax)])
    var marks: [UUID: [Range<Instant>]] = [:]
    for row in rows { marks[try row.uuid(0), default: []].append(try row.instant(1)..<(try row.instant(2))) }
    return marks
  }

  /// Those that exist; the history of a deleted one stays.
  static func places(_ units: [UUID], on connection: Connection) async throws -> [UUID: Place] {
    let rules = try await UnitRules.load(units, andDeleted: true, on: connection)
    let rows = try await connection.query(
      """
      SELECT u.id, s.timezone FROM units u JOIN areas a ON a.id = u.area_id JOIN sites s ON s.id = a.site_id
      WHERE u.id = ANY ($1)
      """, [.uuids(units)])
    var places: [UUID: Place] = [:]
    for row in rows {
      let id = try row.uuid(0)
      guard let rules = rules[id] else { continue }
      places[id] = Place(
        unitId: id, organizationId: rules.organizationId, zone: try row.text(1), limits: rules.limits)
    }
    return places
  }

  /// Finds the hours of each span. Zones differ from UTC by quarters of an hour.
  static func bound(_ spans: inout [RollupSpan], on connection: Connection) async throws {
    let rows = try await connection.query(
      """
      SELECT DISTINCT s.place, date_trunc('hour', t, s.zone) AS bucket
      FROM unnest($1::timestamptz[], $2::timestamptz[], $3::text[]) WITH ORDINALITY AS s (first, last, zone, place),
        generate_series(s.first, s.last, interval '15 minutes') t
      ORDER BY 1, 2
      """,
      [
        .timestamps(spans.map(\.stretch.lowerBound)), .timestamps(spans.map(\.stretch.upperBound)),
        .texts(spans.map(\.place.zone)),
      ])
    for row in rows { spans[Int(try row.int(0)) - 1].boundaries.append(try row.instant(1)) }
  }

  /// The rollups of each span's hours. A span whose readings are all gone is left out: what was rolled up of them stays.
  static func measured(
    _ spans: [RollupSpan], on connection: Connection
  ) async throws -> [(span: RollupSpan, hours: [Rollup])] {
    let answers = try await connection.pipeline(
      spans.map { span in
        temperatures(
          of: span.place.unitId, span.place.organizationId,
          (span.boundaries.first ?? span.stretch.lowerBound)..<(span.boundaries.last ?? span.stretch.upperBound),
          span.place.limits)
      })
    return try zip(spans, answers).compactMap { span, rows in
      if rows.isEmpty { return nil }
      return (span, Rollup.between(span.boundaries, of: try rows.compactMap(sample), limits: span.place.limits))
    }
  }

  /// What a unit's rollups of a stretch of time are made of, by time.
  static let temperatures: SQL = """
    SELECT recorded_at, temperature FROM sensor_readings
    WHERE organization_id = $1 AND unit_id = $2 AND recorded_at >= $3 AND recorded_at < $4
      AND NOT simulated AND flags & $5::int2 = 0
    ORDER BY recorded_at, device_id
    """

  static func temperatures(
    of unit: UUID, _ organization: UUID, _ stretch: Range<Instant>, _ limits: LimitsHistory
  ) -> (SQL, [Value]) {
    let reach = Rollup.reach(limits)
    return (
      temperatures,
      [
        .uuid(organization), .uuid(unit), .timestamp(stretch.lowerBound - reach),
        .timestamp(stretch.upperBound + reach),
        .int(Int64(Reading.Flags.secondary.rawValue)),
      ]
    )
  }

  /// Of ``temperatures``. Nil without a temperature.
  static func sample(_ row: Row) throws -> Rollup.Sample? {
    try row.optionalHundredths(1).map {
      Rollup.Sample(at: try row.instant(0), temperature: Temperature(hundredths: Int32(clamping: $0)))
    }
  }

  /// Replaces the hours of the spans, and the days that they are of.
  static func write(_ spans: [(span: RollupSpan, hours: [Rollup])], on connection: Connection) async throws {
    guard !spans.isEmpty else { return }
    var rows: [(place: Place, bucket: Instant, rollup: Rollup)] = []
    for (span, hours) in spans {
      for (bucket, rollup) in zip(span.boundaries, hours) where !rollup.isEmpty {
        rows.append((span.place, bucket, rollup))
      }
    }
    let bounds: [Value] = [
      .uuids(spans.map(\.span.place.unitId)), .timestamps(spans.map { $0.span.boundaries.first }),
      .timestamps(spans.map { $0.span.boundaries.last }),
    ]
    _ = try await connection.pipeline([
      (removing, bounds),
      (
        inserting,
        [
          .uuids(rows.map(\.place.unitId)), .timestamps(rows.map(\.bucket)), .uuids(rows.map(\.place.organizationId)),
          .int4s(rows.map(\.rollup.count)), .hundredthsArray(rows.map(\.rollup.sum)),
          .hundredthsArray(rows.map { $0.rollup.minimum.map { Int64($0.hundredths) } }),
          .hundredthsArray(rows.map { $0.rollup.maximum.map { Int64($0.hundredths) } }),
          .ints(rows.map(\.rollup.outside.microseconds)), .ints(rows.map(\.rollup.judged.microseconds)),
          .ints(rows.map(\.rollup.covered.microseconds)), .int4s(rows.map(\.rollup.inside)),
        ]
      ),
      (summing, bounds + [.uuids(spans.map(\.span.place.organizationId)), .texts(spans.map(\.span.place.zone))]),
    ])
  }

  private static let removing: SQL = """
    DELETE FROM unit_rollups_hourly h USING unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[])
      AS s (unit_id, first, last)
    WHERE h.unit_id = s.unit_id AND h.bucket >= s.first AND h.bucket < s.last
    """

  private static let inserting: SQL = """
    INSERT INTO unit_rollups_hourly (unit_id, bucket, organization_id, count, sum_temperature, min_temperature,
      max_temperature, outside_microseconds, judged_microseconds, covered_microseconds, inside)
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::int4[], $5::numeric[], $6::numeric[],
      $7::numeric[], $8::int8[], $9::int8[], $10::int8[], $11::int4[])
    """

  private static let summing: SQL = """
    WITH days AS (
      SELECT DISTINCT s.unit_id, s.organization_id, s.zone, (t AT TIME ZONE s.zone)::date AS day
      FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::uuid[], $5::text[])
        AS s (unit_id, first, last, organization_id, zone), generate_series(s.first, s.last, interval '1 hour') t
    ), bounds AS (
      SELECT *, day::timestamp AT TIME ZONE zone AS starts_at, (day + 1)::timestamp AT TIME ZONE zone AS ends_at
      FROM days
    ), sums AS (
      SELECT b.unit_id, b.day, b.organization_id, b.starts_at, b.ends_at, sum(h.count) AS count,
        sum(h.sum_temperature) AS sum_temperature, min(h.min_temperature) AS min_temperature,
        max(h.max_temperature) AS max_temperature, sum(h.outside_microseconds) AS outside,
        sum(h.judged_microseconds) AS judged, sum(h.covered_microseconds) AS covered
      FROM bounds b
      LEFT JOIN unit_rollups_hourly h ON h.unit_id = b.unit_id AND h.bucket >= b.starts_at AND h.bucket < b.ends_at
      GROUP BY b.unit_id, b.day, b.organization_id, b.starts_at, b.ends_at
    ), gone AS (
      DELETE FROM unit_rollups_daily d USING sums
      WHERE d.unit_id = sums.unit_id AND d.day = sums.day AND sums.count IS NULL
    )
    INSERT INTO unit_rollups_daily (unit_id, day, organization_id, starts_at, ends_at, count, sum_temperature,
      min_temperature, max_temperature, outside_microseconds, judged_microseconds, covered_microseconds)
    SELECT * FROM sums WHERE count IS NOT NULL
    ON CONFLICT (unit_id, day) DO UPDATE SET organization_id = excluded.organization_id,
      starts_at = excluded.starts_at, ends_at = excluded.ends_at, count = excluded.count,
      sum_temperature = excluded.sum_temperature, min_temperature = excluded.min_temperature,
      max_temperature = excluded.max_temperature, outside_microseconds = excluded.outside_microseconds,
      judged_microseconds = excluded.judged_microseconds, covered_microseconds = excluded.covered_microseconds
    """
}
