import Basics
import FeatureSupport
import HTTP
import JSON
import PostgreSQL
import Readings
import Telemetry
import Testing

@Suite(.serialized) struct ReadingTests {
  private static let start = Instant(seconds: 1_767_225_600)  // 2026-01-01T00:00:00Z

  /// `count` readings, one a minute: 4.00 °C, 4.01 °C ...
  private func fill(_ house: House, _ organization: House.Organization, _ count: Int) async throws {
    try await house.sql(
      """
      INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, device_id, temperature, humidity, battery,
        signal_strength, source, raw_payload)
      SELECT $4::timestamptz + n * interval '1 minute', $1, $2, '00000000-0000-4000-8000-000000000001',
        4 + n * 0.01, 55.5, 90, -101, 'ttn', '\\x0102'
      FROM generate_series(0, $3 - 1) n
      """, [.uuid(organization.id), .uuid(organization.unit), .int4(Int32(count)), .timestamp(Self.start)])
  }

  @Test func `readings come oldest first, in the scale of their unit`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, 3)
    let answer = try await house.call(.get, organization.unitPath + "/readings", as: organization.owner)
    #expect(answer.status == 200)
    #expect(
      answer.json.elements.compactMap { $0["recordedAt"]?.string } == [
        "2026-01-01T00:00:00.000Z", "2026-01-01T00:01:00.000Z", "2026-01-01T00:02:00.000Z",
      ])
    let first = try #require(answer.json[0])
    #expect(first["temperature"]?.rawBytes.elementsEqual("39.2".utf8) == true)
    #expect(first["temperatureUnit"]?.string == "F")
    #expect(first["humidity"]?.double == 55.5)
    #expect(first["battery"]?.int == 90)
    #expect(first["signalStrength"]?.int == -101)
    #expect(first["rawPayload"]?.string == "AQI=")
    #expect(first["source"]?.string == "ttn")
    let celsius = try await house.call(
      .get, organization.path + "/units/\(organization.unit)/readings?temperatureUnit=C", as: organization.owner)
    #expect(celsius.json[2]?["temperature"]?.double == 4.02)
  }

  @Test func `the latest is the newest`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, 3)
    let path = organization.unitPath + "/readings"
    let latest = try await house.call(.get, path + "?latest=true", as: organization.owner)
    #expect(latest.json.count == 1)
    #expect(latest.json[0]?["recordedAt"]?.string == "2026-01-01T00:02:00.000Z")
    let descending = try await house.call(.get, path + "?order=desc&limit=1", as: organization.owner)
    #expect(descending.json[0]?["recordedAt"]?.string == "2026-01-01T00:02:00.000Z")
  }

  @Test func `bounds are in event time and belong to the range`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, 10)
    let path = organization.unitPath + "/readings?count=true&start=2026-01-01T00:02:00Z&end=2026-01-01T01:04:00"
    let answer = try await house.call(.get, path + "%2B01:00&limit=2", as: organization.owner)
    #expect(answer.json.count == 2)
    #expect(answer.headers["x-total-count"] == "3")
    let unescaped = try await house.call(.get, path + "+01:00", as: organization.owner)
    #expect(unescaped.json.count == 3)
    let wrong = try await house.call(
      .get, organization.unitPath + "/readings?start=yesterday&limit=0&order=up&latest=maybe&page=x",
      as: organization.owner)
    #expect(Set(wrong.badFields) == ["start", "limit", "order", "latest", "page"])
  }

  @Test(arguments: ["asc", "desc"])
  func `the links lead through all pages, and readings that come in behind do not shift them`(order: String)
    async throws
  {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, 7)
    var seen: [String] = []
    var target: String? = organization.unitPath + "/readings?limit=3&order=\(order)"
    while let path = target {
      let answer = try await house.call(.get, path, as: organization.owner)
      seen += answer.json.elements.compactMap { $0["recordedAt"]?.string }
      target = answer.headers["link"].map { String($0.dropFirst().prefix { $0 != ">" }) }
      try await house.sql(
        """
        INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, source)
        SELECT $1::timestamptz + (CASE $4 WHEN 'asc' THEN -1 ELSE 600 END + random()) * interval '1 minute', $2, $3, 'api'
        """, [.timestamp(Self.start), .uuid(organization.id), .uuid(organization.unit), .text(order)])
    }
    #expect(seen.count == 7)
    #expect(Set(seen).count == 7)
    #expect(seen == (order == "asc" ? seen.sorted() : seen.sorted(by: >)))
  }

  @Test func `pages and offsets mean the same`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, 5)
    let path = organization.unitPath + "/readings?limit=2"
    let page = try await house.call(.get, path + "&page=2", as: organization.owner)
    let offset = try await house.call(.get, path + "&offset=2", as: organization.owner)
    #expect(page.body == offset.body)
    #expect(page.json.count == 2)
  }

  @Test func `readings are found only below their own places`() async throws {
    let house = try await House()
    let (mine, theirs) = (try await house.organization(), try await house.organization())
    try await fill(house, theirs, 1)
    for path in [
      "\(mine.areaPath)/units/\(theirs.unit)", "\(mine.path)/units/\(theirs.unit)",
      "\(mine.path)/sites/\(theirs.site)/areas/\(theirs.area)/units/\(theirs.unit)",
      "\(mine.path)/sites/\(UUID.v4())/areas/\(mine.area)/units/\(mine.unit)",
    ] {
      #expect(try await house.call(.get, path + "/readings", as: mine.owner).status == 404)
    }
  }

  @Test func `a second reading of the same device and instant is refused by the table`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, 2)
    await #expect(throws: DatabaseError.self) { try await fill(house, organization, 1) }
  }

  @Test func `tables are made ahead of time and take over what was stranded`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let far = Instant(rfc3339: "2031-06-15T12:00:00Z") ?? Self.start
    try await house.sql(
      """
      INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, source)
      VALUES ($1, $2, $3, 'import'), ('1999-01-01Z', $2, $3, 'import')
      """, [.timestamp(far), .uuid(organization.id), .uuid(organization.unit)])
    let partitions = ReadingPartitions(database: house.database, log: .none)
    let first = try await house.run { _ in try await partitions.run(at: far) }
    #expect(first.created == ReadingPartitions.monthsAhead + 2)
    #expect(first.stranded == 1)
    let second = try await house.run { _ in try await partitions.run(at: far) }
    #expect(second.created == 0)
    #expect(try await house.sql("SELECT FROM sensor_readings_2031_06").count == 1)
    #expect(try await house.sql("SELECT FROM sensor_readings").count == 2)
  }
}
