import Basics
import ColdChain
import FeatureSupport
import JSON
import PostgreSQL
import Readings
import Testing

@Suite(.serialized) struct OverviewTests {
  /// Readings of the last hours, one every ten minutes, at these °C.
  private func fill(_ house: House, _ organization: House.Organization, _ unit: UUID, _ celsius: [Double]) async throws
  {
    try await house.sql(
      """
      INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, device_id, temperature, source)
      SELECT now() - n * interval '10 minutes', $1, $2, gen_random_uuid(), t, 'ttn'
      FROM unnest($3::float8[]) WITH ORDINALITY AS r (t, n)
      """, [.uuid(organization.id), .uuid(unit), .doubles(celsius)])
    try await house.markHours()
  }

  @Test func `statistics say how units stand, and what share of the last day was in range`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let empty = try await house.call(.get, organization.path + "/stats", as: organization.owner).json
    #expect(empty["compliancePercentage"]?.isNull == true)
    #expect(empty["worstState"]?.string == "offline")
    #expect(empty["unitCounts"]?["total"]?.int == 1)
    #expect(empty["unitCounts"]?["offline"]?.int == 1)
    #expect(empty["memberCount"]?.int == 1)
    #expect(empty["siteCount"]?.int == 1)
    try await fill(house, organization, organization.unit, [4, 4, 4, 5.01, 0, 4.9, 4, 4])
    try await house.sql("UPDATE unit_states SET status = 'alarm_active'")
    try await house.sql(
      """
      INSERT INTO alerts (organization_id, unit_id, alert_type, severity, triggered_at)
      VALUES ($1, $2, 'alarm_active', 'critical', now())
      """, [.uuid(organization.id), .uuid(organization.unit)])
    let full = try await house.call(.get, organization.path + "/stats", as: organization.owner).json
    #expect(full["compliancePercentage"]?.double == 75)
    #expect(full["worstState"]?.string == "critical")
    #expect(full["alertCounts"]?["pending"]?.int == 1)
    #expect(full["alertCounts"]?["total"]?.int == 1)
  }

  @Test func `readings are held against the limits of their own time`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await fill(house, organization, organization.unit, [4.5, 4.5, 4.5, 4.5])
    let changed = try await house.call(.put, organization.unitPath, as: organization.owner, #"{"tempMax":39}"#)
    #expect(changed.status == 200)
    let answer = try await house.call(.get, organization.path + "/stats", as: organization.owner)
    #expect(answer.json["compliancePercentage"]?.double == 100)
  }

  @Test func `whole hours are counted as they were rolled up, and the rest one by one`() async throws {
    let seed = UInt64.random(in: 1...1_000_000)
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    let house = try await House()
    let organization = try await house.organization()
    _ = try await house.call(.put, organization.sitePath, as: organization.owner, #"{"timezone":"Asia/Kolkata"}"#)
    let celsius = (0..<200).map { _ in Double.random(in: -3...10, using: &random) }
    try await fill(house, organization, organization.unit, celsius)
    func compliance() async throws -> Double? {
      try await house.call(.get, organization.path + "/stats", as: organization.owner).json["compliancePercentage"]?
        .double
    }
    let single = try await compliance()
    #expect(single != nil)
    try await house.run { _ = try await RollupJob(database: $0).run(at: WallClock.system.now() + .minutes(1)) }
    #expect(try await compliance() == single, "seed \(seed)")
    // An hour of the morning has changed since.
    try await house.sql(
      "INSERT INTO rollup_marks (unit_id, hour, organization_id, due_at) SELECT id, $1, organization_id, now() FROM units",
      [.timestamp((WallClock.system.now() - .hours(9)).hour)])
    #expect(try await compliance() == single, "seed \(seed)")
    try await house.sql("DELETE FROM rollup_marks")
    try await house.sql("UPDATE unit_rollups_hourly SET inside = 0")
    #expect(try await compliance() != single)
  }

  @Test func `an overview tells of every site and of the newest alerts`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await house.call(
      .post, organization.path + "/devices", as: organization.owner, #"{"name":"a","devEui":"A81758FFFE05E2D1"}"#)
    try await house.sql(
      """
      INSERT INTO alerts (organization_id, unit_id, alert_type, severity, triggered_at, message)
      VALUES ($1, $2, 'door_open', 'warning', '2026-01-01T00:00:00.5Z', 'open')
      """, [.uuid(organization.id), .uuid(organization.unit)])
    let answer = try await house.call(.get, organization.path + "/overview", as: organization.owner)
    #expect(answer.status == 200, "\(answer)")
    let overview = answer.json
    #expect(overview["sites"]?.count == 1)
    #expect(overview["sites"]?[0]?["name"]?.string == "Main")
    #expect(overview["sites"]?[0]?["openAlerts"]?.int == 1)
    #expect(overview["sites"]?[0]?["unitCounts"]?["offline"]?.int == 1)
    #expect(overview["statusCounts"]?["offline"]?.int == 1)
    #expect(overview["alertCounts"]?["warning"]?.int == 1)
    #expect(overview["sensorCounts"]?["total"]?.int == 1)
    #expect(overview["sensorCounts"]?["neverSeen"]?.int == 1)
    #expect(overview["sensorCounts"]?["unassigned"]?.int == 1)
    #expect(overview["newestAlerts"]?[0]?["triggeredAt"]?.string == "2026-01-01T00:00:00.500Z")
    #expect(overview["newestAlerts"]?[0]?["unitName"]?.string == "Fridge")
    #expect(overview["overdue"]?["calibrations"]?.int == 0)
  }

  @Test func `a board shows each unit with its alerts, sensors and windows`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await house.call(
      .post, organization.path + "/devices", as: organization.owner,
      #"{"name":"probe","devEui":"A81758FFFE05E2D1","unitId":"\#(organization.unit)"}"#)
    _ = try await house.call(.post, organization.sitePath + "/areas", as: organization.owner, #"{"name":"Bar"}"#)
    try await house.sql(
      """
      INSERT INTO alerts (organization_id, unit_id, alert_type, severity, triggered_at)
      VALUES ($1, $2, 'alarm_active', 'critical', now())
      """, [.uuid(organization.id), .uuid(organization.unit)])
    let window = try await house.call(
      .post, organization.path + "/suppressions", as: organization.owner,
      """
      {"kind":"cleaning","reason":"spring","siteId":"\(organization.site)","startsAt":"2026-01-01T00:00:00Z",
      "endsAt":"2026-01-20T00:00:00Z"}
      """)
    #expect(window.status == 201, "\(window)")
    try await house.sql(
      "UPDATE suppressions SET starts_at = now() - interval '1 day', ends_at = now() + interval '1 day'")
    let answer = try await house.call(
      .get, organization.sitePath + "/board?temperatureUnit=C", as: organization.owner)
    #expect(answer.status == 200, "\(answer)")
    let areas = try #require(answer.json["areas"])
    #expect(areas.elements.compactMap { $0["name"]?.string } == ["Bar", "Kitchen"])
    #expect(areas[0]?["units"]?.count == 0)
    let unit = try #require(areas[1]?["units"]?[0])
    #expect(unit["tempMax"]?.rawBytes.elementsEqual("5".utf8) == true)
    #expect(unit["openAlerts"]?[0]?["severity"]?.string == "critical")
    #expect(unit["sensors"]?[0]?["name"]?.string == "probe")
    #expect(unit["suppressedUntil"]?.string != nil)
    #expect(answer.json["openAlerts"]?.int == 1)
    let own = try await house.call(.get, organization.sitePath + "/board", as: organization.owner)
    #expect(own.json["areas"]?[1]?["units"]?[0]?["tempMax"]?.rawBytes.elementsEqual("41".utf8) == true)
  }

  @Test func `nobody sees the numbers of another organization`() async throws {
    let house = try await House()
    let (mine, theirs) = (try await house.organization(), try await house.organization())
    let board = try await house.call(.get, mine.path + "/sites/\(theirs.site)/board", as: mine.owner)
    #expect(board.status == 404)
    for path in ["/stats", "/overview"] {
      #expect(try await house.call(.get, theirs.path + path, as: mine.owner).status == 403)
    }
  }
}
