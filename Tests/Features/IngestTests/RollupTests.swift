import Basics
import FeatureSupport
import PostgreSQL
import Readings
import Telemetry
import Testing

@Suite("Hours and days", .serialized)
struct RollupTests {
  /// The hours and days of a unit, and nothing of when they were made.
  private func rows(_ kitchen: Kitchen, of unit: UUID) async throws -> [String] {
    try await kitchen.lines(
      """
      SELECT 'hour', (bucket AT TIME ZONE 'UTC')::text, count, sum_temperature, min_temperature, max_temperature,
        outside_microseconds, judged_microseconds, covered_microseconds
      FROM unit_rollups_hourly WHERE unit_id = $1
      UNION ALL
      SELECT 'day', day::text, count, sum_temperature, min_temperature, max_temperature, outside_microseconds,
        judged_microseconds, covered_microseconds
      FROM unit_rollups_daily WHERE unit_id = $1
      ORDER BY 1, 2
      """, [.uuid(unit)])
  }

  private func roll(_ kitchen: Kitchen, at now: Instant) async throws -> Int {
    try await kitchen.house.run { try await RollupJob(database: $0).run(at: now) }
  }

  @Test("the same rows in whatever order the readings come", arguments: [UInt64.random(in: 1...1_000_000)])
  func anyOrder(seed: UInt64) async throws {
    let kitchen = try await Kitchen()
    var random = SplitMix(seed: seed)
    var history: [(minute: Int, celsius: Double)] = []
    var minute = 0
    while minute < 30 * 60 {
      history.append((minute, [2, 3, 3, 4, 5.5, 7].randomElement(using: &random) ?? 3))
      minute += [10, 10, 10, 20, 40, 75].randomElement(using: &random) ?? 10
    }
    var expected: [String] = []
    for order in 0..<6 {
      let unit = try await kitchen.unit()
      let sensor = try await kitchen.sensor(of: unit)
      var arriving = order == 0 ? history : history.shuffled(using: &random)
      if order == 2 { arriving.sort { $0.minute > $1.minute } }
      var now = 0
      while !arriving.isEmpty {
        let batch = arriving.prefix(order == 0 ? 1 : Int.random(in: 1...40, using: &random))
        arriving.removeFirst(batch.count)
        now = batch.reduce(now) { max($0, $1.minute) }
        try await kitchen.commit(
          batch.map { .init(sensor, at: Kitchen.start + .minutes($0.minute), celsius: $0.celsius) },
          at: Kitchen.start + .minutes(now))
        if Bool.random(using: &random) { _ = try await roll(kitchen, at: Kitchen.start + .minutes(now)) }
      }
      _ = try await roll(kitchen, at: Kitchen.start + .minutes(minute + 70))
      let rows = try await rows(kitchen, of: unit)
      if order == 0 { expected = rows }
      #expect(rows == expected, "seed \(seed), order \(order)")
      let counted = try await kitchen.count(
        "SELECT sum(count) FROM unit_rollups_daily WHERE unit_id = $1", [.uuid(unit)])
      #expect(counted == history.count)
    }
    // The hours of the day in New York are those that SQL finds without the program.
    let checked = try await kitchen.count(
      """
      SELECT count(*) FROM unit_rollups_hourly h WHERE (h.count, h.sum_temperature, h.min_temperature) IS DISTINCT FROM
        (SELECT (count(*)::int, coalesce(sum(r.temperature), 0), min(r.temperature)) FROM sensor_readings r
         WHERE r.unit_id = h.unit_id AND date_trunc('hour', r.recorded_at, 'America/New_York') = h.bucket)
      """)
    #expect(checked == 0)
    #expect(try await kitchen.count("SELECT count(*) FROM rollup_marks") == 0)
  }

  /// One reading of 3 °C each half hour of the local days of that date and both its neighbours, without the program.
  private func fill(_ kitchen: Kitchen, _ unit: UUID, around date: String) async throws {
    try await kitchen.house.sql(
      """
      WITH r AS (
        INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, source, temperature)
        SELECT t, $1, $2, 'import', 3 FROM generate_series(
          ($3::text::date - 1)::timestamp AT TIME ZONE 'America/New_York',
          (($3::text::date + 2)::timestamp AT TIME ZONE 'America/New_York') - interval '1 minute', interval '30 minutes') t
        RETURNING recorded_at)
      INSERT INTO rollup_marks (unit_id, hour, organization_id, due_at)
      SELECT DISTINCT $2::uuid, date_trunc('hour', recorded_at), $1::uuid, now() FROM r
      """, [.uuid(kitchen.organization.id), .uuid(unit), .text(date)])
  }

  @Test("a day has 23, 24 or 25 hours, as the zone of the site has it")
  func days() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    for date in ["2025-03-09", "2025-11-02"] { try await fill(kitchen, unit, around: date) }
    let now = WallClock.system.now() + .minutes(1)
    #expect(try await roll(kitchen, at: now) == 71 + 73)
    let days = try await kitchen.lines(
      """
      SELECT day::text, count, (extract(epoch FROM ends_at - starts_at) / 3600)::int::text FROM unit_rollups_daily
      WHERE unit_id = $1 AND count > 0 ORDER BY day
      """, [.uuid(unit)])
    #expect(
      days == [
        "2025-03-08 48 24", "2025-03-09 46 23", "2025-03-10 48 24", "2025-11-01 48 24", "2025-11-02 50 25",
        "2025-11-03 48 24",
      ])
    // The hour that comes twice is two hours.
    let twice = try await kitchen.count(
      """
      SELECT count(*) FROM unit_rollups_hourly
      WHERE unit_id = $1 AND (bucket AT TIME ZONE 'America/New_York')::text = '2025-11-02 01:00:00'
      """, [.uuid(unit)])
    #expect(twice == 2)
  }

  @Test("a site that moves to another zone has its days anew")
  func zone() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    try await fill(kitchen, unit, around: "2025-06-10")
    _ = try await roll(kitchen, at: WallClock.system.now() + .minutes(1))
    try await kitchen.house.sql("UPDATE sites SET timezone = 'Asia/Kolkata'")
    #expect(try await roll(kitchen, at: WallClock.system.now() + .minutes(1)) > 70)
    let days = try await kitchen.lines(
      "SELECT day::text, count FROM unit_rollups_daily WHERE unit_id = $1 ORDER BY day", [.uuid(unit)])
    // New York's midnight is 9:30 in Kolkata.
    #expect(days == ["2025-06-09 29", "2025-06-10 48", "2025-06-11 48", "2025-06-12 19"])
    let halves = try await kitchen.count(
      "SELECT count(*) FROM unit_rollups_hourly WHERE unit_id = $1 AND date_part('minute', bucket) <> 30", [.uuid(unit)]
    )
    #expect(halves == 0)
  }

  @Test("readings that are simulated, secondary or without a temperature are not rolled up")
  func leftOut() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let second = try await kitchen.sensor(of: unit, isPrimary: false)
    let door = try await kitchen.sensor("lds02", of: unit)
    try await kitchen.commit(
      [.init(second, at: Kitchen.start, celsius: 9), .init(door, at: Kitchen.start, doorOpen: true)],
      at: Kitchen.start)
    #expect(try await kitchen.count("SELECT count(*) FROM rollup_marks") == 0)
    #expect(try await roll(kitchen, at: Kitchen.start + .hours(3)) == 0)
  }
}
