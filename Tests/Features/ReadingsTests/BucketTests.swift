import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Readings
import Testing

/// The site of a house's organization is in New York.
@Suite(.serialized) struct BucketTests {
  /// One reading every ten minutes from `start` until before `end`, 4.00 °C.
  private func fill(_ house: House, _ organization: House.Organization, _ start: String, _ end: String) async throws {
    try await house.sql(
      """
      INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, device_id, temperature, source)
      SELECT t, $1, $2, '00000000-0000-4000-8000-000000000001', 4, 'ttn'
      FROM generate_series($3::text::timestamptz, $4::text::timestamptz - interval '1 second', interval '10 minutes') t
      """, [.uuid(organization.id), .uuid(organization.unit), .text(start), .text(end)])
    try await house.markHours()
  }

  private func get(_ house: House, _ organization: House.Organization, _ query: String) async throws -> Answer {
    try await house.call(
      .get, organization.path + "/units/\(organization.unit)/readings?\(query)", as: organization.owner)
  }

  @Test func `a day is one of the site, be it of 23 or of 25 hours`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, "2026-03-07T00:00-05", "2026-03-10T00:00-04")
    try await fill(house, organization, "2026-10-31T00:00-04", "2026-11-03T00:00-05")
    let spring = try await get(
      house, organization, "resolution=1d&start=2026-03-07T05:00:00Z&end=2026-03-10T03:59:59Z")
    #expect(spring.status == 200, "\(spring)")
    #expect(spring.json.elements.compactMap { $0["count"]?.int } == [144, 138, 144])
    #expect(
      spring.json.elements.compactMap { $0["start"]?.string } == [
        "2026-03-07T05:00:00.000Z", "2026-03-08T05:00:00.000Z", "2026-03-09T04:00:00.000Z",
      ])
    #expect(spring.json.elements.compactMap { $0["coverage"]?.double } == [100, 100, 100])
    let autumn = try await get(
      house, organization, "resolution=1d&start=2026-10-31T04:00:00Z&end=2026-11-03T04:59:59Z")
    #expect(autumn.json.elements.compactMap { $0["count"]?.int } == [144, 150, 144])
    #expect(autumn.json[1]?["end"]?.string == "2026-11-02T05:00:00.000Z")
  }

  @Test func `buckets are in the scale of the unit and tell of the time out of range`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await house.sql(
      """
      INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, device_id, temperature, source, flags)
      SELECT '2026-01-01Z'::timestamptz + m * interval '1 minute', $1, $2, d, t, 'ttn', f
      FROM (VALUES (0, 4.0, 0, '00000000-0000-4000-8000-000000000001'::uuid),
        (10, 6.0, 0, '00000000-0000-4000-8000-000000000001'), (20, 4.0, 0, '00000000-0000-4000-8000-000000000001'),
        (15, 30.0, 256, '00000000-0000-4000-8000-000000000002')) AS r (m, t, f, d)
      """, [.uuid(organization.id), .uuid(organization.unit)])
    try await house.markHours()
    let hour = "resolution=1h&start=2026-01-01T00:00:00Z&end=2026-01-01T00:59:59Z"
    let bucket = try #require(try await get(house, organization, hour).json[0])
    #expect(bucket["count"]?.int == 3)
    #expect(bucket["min"]?.rawBytes.elementsEqual("39.2".utf8) == true)
    #expect(bucket["max"]?.rawBytes.elementsEqual("42.8".utf8) == true)
    #expect(bucket["mean"]?.double == 40.41)
    #expect(bucket["secondsOutOfRange"]?.int == 600)
    #expect(bucket["temperatureUnit"]?.string == "F")
    let celsius = try await get(house, organization, hour + "&temperatureUnit=C&count=true")
    #expect(celsius.json[0]?["max"]?.double == 6)
    #expect(celsius.headers["x-total-count"] == "1")
    let quarters = try await get(house, organization, hour.replacing("1h", with: "15m"))
    #expect(quarters.json.elements.compactMap { $0["count"]?.int } == [2, 1, 0, 0])
    #expect(quarters.json.elements.compactMap { $0["secondsOutOfRange"]?.int } == [600, 0, 0, 0])
    #expect(quarters.json[3]?["mean"]?.isNull == true)
  }

  @Test func `hours are those of the site's clock`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await house.call(.put, organization.sitePath, as: organization.owner, #"{"timezone":"Asia/Kolkata"}"#)
    try await fill(house, organization, "2026-01-01T00:00Z", "2026-01-01T03:00Z")
    let answer = try await get(
      house, organization, "resolution=1h&start=2026-01-01T01:00:00Z&end=2026-01-01T02:00:00Z")
    #expect(
      answer.json.elements.compactMap { $0["start"]?.string } == [
        "2026-01-01T00:30:00.000Z", "2026-01-01T01:30:00.000Z",
      ])
    #expect(answer.json.elements.compactMap { $0["count"]?.int } == [3, 4])
    #expect(answer.json.elements.compactMap { $0["coverage"]?.double } == [100, 100])
  }

  @Test func `the resolution follows from the length of the span when it is left open`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, "2026-01-01T00:00Z", "2026-01-01T01:00Z")
    func seconds(_ end: String) async throws -> Int64? {
      let answer = try await get(house, organization, "resolution=auto&start=2026-01-01T00:00:00Z&end=\(end)Z")
      let bounds = ["start", "end"].compactMap { answer.json[0]?[key: $0]?.string }.compactMap {
        Instant(rfc3339: Array($0.utf8))
      }
      return bounds.count == 2 ? (bounds[1] - bounds[0]).microseconds / 1_000_000 : nil
    }
    #expect(try await seconds("2026-01-01T12:00:00") == nil)
    #expect(try await seconds("2026-01-05T00:00:00") == 900)
    #expect(try await seconds("2026-02-05T00:00:00") == 3600)
    #expect(try await seconds("2026-07-05T00:00:00") == 86_400)
    let path = organization.unitPath + "/readings/buckets?start=2026-01-01T00:00:00Z&end=2026-01-01T00:59:00Z"
    let buckets = try await house.call(.get, path, as: organization.owner)
    #expect(buckets.json.elements.compactMap { $0["count"]?.int } == [2, 1, 2, 1])
    #expect(try await house.call(.get, path + "&resolution=raw", as: organization.owner).badFields == ["resolution"])
  }

  /// Days around a change of the clocks, of a unit whose readings are made of `seed`: every answer from the rollups, or from
  /// some of them, is the one from the readings.
  @Test(arguments: [("Europe/Berlin", "2026-03-29"), ("America/New_York", "2025-11-02")])
  func `what was rolled up says the same as the readings`(zone: String, change: String) async throws {
    let seed = UInt64.random(in: 1...1_000_000)
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    let house = try await House()
    let organization = try await house.organization()
    _ = try await house.call(.put, organization.sitePath, as: organization.owner, #"{"timezone":"\#(zone)"}"#)
    let middle = try #require(Instant(rfc3339: change + "T00:00:00Z"))
    let (start, end) = (middle - .days(4), middle + .days(4))
    var (times, values, now): ([Instant?], [Int64?], Instant) = ([], [], start)
    while now < end {
      times.append(now)
      values.append(Int64.random(in: -300...900, using: &random))
      now = now + .seconds([600, 600, 601, 1200, 2400, 4500, 30_000, 200_000].randomElement(using: &random) ?? 600)
    }
    try await house.sql(
      """
      INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, device_id, temperature, source)
      SELECT t, $1, $2, '00000000-0000-4000-8000-000000000001', v, 'ttn'
      FROM unnest($3::timestamptz[], $4::numeric[]) AS r (t, v)
      """, [.uuid(organization.id), .uuid(organization.unit), .timestamps(times), .hundredthsArray(values)])
    // Other limits, and a longer silence that is bridged, from the middle on.
    try await house.sql("UPDATE unit_limits SET valid_to = $1", [.timestamp(middle)])
    try await house.sql(
      """
      INSERT INTO unit_limits (organization_id, unit_id, valid_from, temp_max, hysteresis, confirm_seconds_door_closed,
        confirm_seconds_door_open, expected_interval_seconds)
      SELECT organization_id, unit_id, valid_to, 6, 0.5, 600, 1200, 7200 FROM unit_limits
      """)
    var queries: [String] = []
    for resolution in ["1h", "1d"] {
      queries.append("resolution=\(resolution)&start=\(start.rfc3339)&end=\(end.rfc3339)")
      for _ in 0..<6 {
        let first = start + .seconds(Int.random(in: -90_000...500_000, using: &random))
        let last = first + .seconds(Int.random(in: 0...400_000, using: &random))
        queries.append("resolution=\(resolution)&start=\(first.rfc3339)&end=\(last.rfc3339)")
      }
    }
    func answers() async throws -> [String] {
      var bodies: [String] = []
      for query in queries {
        let answer = try await get(house, organization, query)
        #expect(answer.status == 200, "\(answer)")
        bodies.append(String(decoding: answer.body, as: UTF8.self))
      }
      return bodies
    }
    try await house.markHours()
    let single = try await answers()
    try await house.run { _ = try await RollupJob(database: $0).run(at: WallClock.system.now()) }
    #expect(try await house.sql("SELECT FROM rollup_marks WHERE hour < now() - interval '1 day'").isEmpty)
    let rolledUp = try await answers()
    try await house.sql(
      """
      INSERT INTO rollup_marks (unit_id, hour, organization_id, due_at)
      SELECT unit_id, bucket, organization_id, now() FROM unit_rollups_hourly
      WHERE hashtext(bucket::text || $1) % 10 = 0
      """, [.text("\(seed)")])
    let mixed = try await answers()
    for (place, query) in queries.enumerated() {
      #expect(single[place] == rolledUp[place], "seed \(seed): \(query)")
      #expect(single[place] == mixed[place], "seed \(seed), some are stale: \(query)")
    }
    // They do come from the rollups, where nothing is stale.
    try await house.sql("DELETE FROM rollup_marks")
    try await house.sql("UPDATE unit_rollups_hourly SET count = count + 1")
    #expect(try await answers() != mixed)
  }

  @Test func `a bucket without a reading is there, and nothing of it is covered`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, "2026-01-01T05:00Z", "2026-01-02T05:00Z")
    let query = "resolution=1d&start=2026-01-01T05:00:00Z&end=2026-01-04T05:00:00Z"
    for _ in 0..<2 {
      let days = try await get(house, organization, query)
      #expect(days.json.elements.compactMap { $0["count"]?.int } == [144, 0, 0])
      // The last reading of a day stands for an hour of the next one.
      #expect(days.json.elements.compactMap { $0["coverage"]?.double } == [100, 3.5, 0])
      try await house.run { _ = try await RollupJob(database: $0).run(at: WallClock.system.now()) }
    }
  }

  @Test func `what cannot be answered is refused`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    #expect(try await get(house, organization, "resolution=2h").badFields == ["resolution"])
    #expect(try await get(house, organization, "resolution=1h&latest=true").badFields == ["latest"])
    #expect(try await get(house, organization, "resolution=15m&start=2020-01-01T00:00:00Z").badFields == ["start"])
  }

  @Test func `the history of a deleted unit can be read`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, "2026-01-01T00:00Z", "2026-01-01T01:00Z")
    _ = try await house.call(.delete, organization.unitPath, as: organization.owner)
    #expect(try await get(house, organization, "").json.count == 6)
    let hours = try await get(house, organization, "resolution=1h&start=2026-01-01T00:00:00Z&end=2026-01-01T00:59:00Z")
    #expect(hours.json[0]?["count"]?.int == 6)
  }
}
