import Basics
import FeatureSupport
import JSON
import PostgreSQL
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
