import Alerts
import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Testing

/// The site of a house's organization is in New York, where the clocks of 2026 change on 8 March and 1 November.
@Suite(.serialized) struct SuppressionTests {
  private func create(_ house: House, _ organization: House.Organization, _ body: String) async throws -> Answer {
    try await house.call(.post, organization.path + "/suppressions", as: organization.owner, body)
  }

  private func windows(
    _ house: House, _ organization: House.Organization, _ start: String, _ end: String
  ) async throws -> [String] {
    let answer = try await house.call(
      .get,
      organization.path
        + "/units/\(organization.unit)/suppression-windows?start=\(start)T00:00:00Z&end=\(end)T00:00:00Z",
      as: organization.owner)
    return answer.json.elements.compactMap {
      guard let start = $0["startsAt"]?.string, let end = $0["endsAt"]?.string else { return nil }
      return "\(start.dropFirst(5).prefix(11)) \(end.dropFirst(11).prefix(5))"
    }
  }

  private func hold(
    _ house: House, _ unit: UUID, _ type: AlertType, at instant: String
  ) async throws -> Suppressions.Hold? {
    let at = try #require(Instant(rfc3339: Array(instant.utf8)))
    return try await house.run { database in
      try await database.withConnection { connection in
        try await Suppressions.holding([(unit, type)], at: at, on: connection)[0]
      }
    }
  }

  @Test func `a recurring window is at the same local time on both sides of a change of the clocks`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await create(
      house, organization,
      """
      {"kind":"defrost","reason":"timer","unitId":"\(organization.unit)","weekdays":["saturday","monday"],
      "localStart":"22:30","durationMinutes":90}
      """)
    #expect(made.status == 201, "\(made)")
    #expect(made.json["localStart"]?.string == "22:30")
    #expect(made.json["weekdays"]?.elements.compactMap(\.string) == ["monday", "saturday"])
    #expect(
      try await windows(house, organization, "2026-03-07", "2026-03-11") == [
        "03-08T03:30 05:00", "03-10T02:30 04:00",
      ])
    #expect(
      try await windows(house, organization, "2026-10-31", "2026-11-04") == [
        "11-01T02:30 04:00", "11-03T03:30 05:00",
      ])
  }

  @Test func `a window lasts as long also in the night in which the clocks change`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await create(
      house, organization,
      """
      {"kind":"defrost","reason":"timer","weekdays":["sunday"],"localStart":"01:30","durationMinutes":60}
      """)
    // 01:30 EST, and an hour later it is 03:30 EDT; on 1 November it is the second 01:30.
    #expect(try await windows(house, organization, "2026-03-08", "2026-03-09") == ["03-08T06:30 07:30"])
    #expect(try await windows(house, organization, "2026-11-01", "2026-11-02") == ["11-01T06:30 07:30"])
  }

  @Test func `a local time that the clocks skip comes once, as much later`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await create(
      house, organization,
      """
      {"kind":"defrost","reason":"timer","weekdays":["sunday"],"localStart":"02:15","durationMinutes":30}
      """)
    #expect(try await windows(house, organization, "2026-03-08", "2026-03-09") == ["03-08T07:15 07:45"])
  }

  @Test func `a recurring window holds on its days only, from the first to the last`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await create(
      house, organization,
      """
      {"kind":"cleaning","reason":"hood","weekdays":["tuesday"],"localStart":"09:00","durationMinutes":10,
      "firstDay":"2026-06-09","lastDay":"2026-06-16"}
      """)
    #expect(
      try await windows(house, organization, "2026-06-01", "2026-06-30") == [
        "06-09T13:00 13:10", "06-16T13:00 13:10",
      ])
  }

  @Test func `a hold lasts until the end of all windows that follow each other`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    for (start, end) in [("10:00", "11:00"), ("11:00", "11:30"), ("11:45", "12:00")] {
      _ = try await create(
        house, organization,
        """
        {"kind":"maintenance","reason":"compressor","siteId":"\(organization.site)","startsAt":"2026-06-01T\(start):00Z",
        "endsAt":"2026-06-01T\(end):00Z"}
        """)
    }
    let unit = organization.unit
    let held = try await hold(house, unit, .alarmActive, at: "2026-06-01T10:00:00Z")
    #expect(held?.until == Instant(rfc3339: Array("2026-06-01T11:30:00Z".utf8)))
    #expect(held?.kind == .maintenance)
    #expect(try await hold(house, unit, .alarmActive, at: "2026-06-01T11:30:00Z") == nil)
    #expect(try await hold(house, unit, .alarmActive, at: "2026-06-01T09:59:59Z") == nil)
    #expect(try await hold(house, unit, .alarmActive, at: "2026-06-01T11:59:59.999Z") != nil)
  }

  @Test func `a window may be for some alerts only, and for one unit only`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let other = try await house.call(
      .post, organization.areaPath + "/units", as: organization.owner,
      #"{"name":"Other","unitType":"fridge","tempMin":33,"tempMax":41}"#
    ).json["id"]?.string.flatMap { UUID($0) }
    _ = try await create(
      house, organization,
      """
      {"kind":"cleaning","reason":"door","unitId":"\(organization.unit)","alertTypes":["door_open"],
      "startsAt":"2026-06-01T10:00:00Z","endsAt":"2026-06-01T11:00:00Z"}
      """)
    let at = "2026-06-01T10:30:00Z"
    #expect(try await hold(house, organization.unit, .doorOpen, at: at) != nil)
    #expect(try await hold(house, organization.unit, .alarmActive, at: at) == nil)
    #expect(try await hold(house, try #require(other), .doorOpen, at: at) == nil)
  }

  @Test func `a window that is deleted or cut short holds nothing back any more`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await create(
      house, organization,
      """
      {"kind":"cleaning","reason":"door","startsAt":"2026-06-01T10:00:00Z","endsAt":"2026-06-01T11:00:00Z"}
      """)
    let path = organization.path + "/suppressions/\(made.json["id"]?.string ?? "")"
    let cut = try await house.call(
      .put, path, as: organization.owner, #"{"endsAt":"2026-06-01T10:20:00Z","reason":"done"}"#)
    #expect(cut.json["reason"]?.string == "done")
    #expect(try await hold(house, organization.unit, .doorOpen, at: "2026-06-01T10:30:00Z") == nil)
    #expect(try await hold(house, organization.unit, .doorOpen, at: "2026-06-01T10:10:00Z") != nil)
    #expect(try await house.call(.delete, path, as: organization.owner).status == 204)
    #expect(try await hold(house, organization.unit, .doorOpen, at: "2026-06-01T10:10:00Z") == nil)
    #expect(try await house.call(.get, path, as: organization.owner).status == 404)
    let events = try await house.sql(
      "SELECT event_type FROM event_logs WHERE entity_type = 'suppression' ORDER BY seq")
    #expect(
      try events.map { try $0.text(0) } == ["suppression.created", "suppression.updated", "suppression.deleted"])
  }

  @Test func `a window is once or recurring, ends, and is of places of the organization`() async throws {
    let house = try await House()
    let (mine, theirs) = (try await house.organization(), try await house.organization())
    func bad(_ fields: String) async throws -> [String] {
      try await create(house, mine, #"{"kind":"cleaning","reason":"x","# + fields + "}").badFields
    }
    #expect(try await bad(#""localStart":"10:00","durationMinutes":5"#) == ["weekdays"])
    #expect(try await bad(#""firstDay":"2026-06-01""#) == ["weekdays"])
    #expect(
      try await bad(
        #""startsAt":"2026-06-01T10:00:00Z","endsAt":"2026-06-01T11:00:00Z","weekdays":["monday"]"#) == ["weekdays"])
    #expect(try await bad(#""startsAt":"2026-06-01T10:00:00Z","endsAt":"2026-06-01T10:00:00Z""#) == ["endsAt"])
    #expect(try await bad(#""startsAt":"2026-06-01T10:00:00Z","endsAt":"2026-07-03T10:00:00Z""#) == ["endsAt"])
    let wrong = try await bad(
      #""weekdays":["funday"],"localStart":"25:00","durationMinutes":721,"firstDay":"2026-02-30""#)
    #expect(Set(wrong) == ["durationMinutes", "firstDay", "localStart", "weekdays/0"])
    let times = #""startsAt":"2026-06-01T10:00:00Z","endsAt":"2026-06-01T11:00:00Z""#
    #expect(try await bad(times + #","siteId":"\#(theirs.site)""#) == ["siteId"])
    #expect(try await bad(times + #","unitId":"\#(theirs.unit)""#) == ["unitId"])
    let staff = try await house.member(.staff, of: mine.id)
    let refused = try await house.call(
      .post, mine.path + "/suppressions", as: staff, #"{"kind":"cleaning","reason":"x",\#(times)}"#)
    #expect(refused.status == 403)
    #expect(
      try await house.call(.get, mine.path + "/units/\(theirs.unit)/suppression-windows", as: mine.owner).status == 404)
  }

  @Test func `a window without times is an hour from now on`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    for (fields, minutes) in [("", 60), (#","durationMinutes":15"#, 15)] {
      let made = try await create(house, organization, #"{"kind":"cleaning","reason":"x"\#(fields)}"#)
      let times = ["startsAt", "endsAt"].compactMap { made.json[key: $0]?.string }.compactMap {
        Instant(rfc3339: Array($0.utf8))
      }
      #expect(times.count == 2 && times[1] - times[0] == .minutes(minutes))
      #expect(made.json["durationMinutes"]?.isNull == true)
    }
    #expect(try await hold(house, organization.unit, .doorOpen, at: WallClock.system.now().rfc3339) != nil)
  }
}
