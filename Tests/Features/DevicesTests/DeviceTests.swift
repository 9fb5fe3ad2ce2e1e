import Basics
import Devices
import FeatureSupport
import JSON
import PostgreSQL
import Synchronization
import Testing

@Suite(.serialized) struct DeviceTests {
  private func make(_ house: House, _ organization: House.Organization, _ body: String) async throws -> Answer {
    try await house.call(.post, organization.path + "/devices", as: organization.owner, body)
  }

  @Test(arguments: ["a81758fffe05e2d1", "A8:17:58:FF:FE:05:E2:D1", "a8-17-58-ff-fe-05-e2-d1"])
  func `an EUI is read in every form that labels print`(text: String) {
    #expect(EUI64(text)?.description == "A81758FFFE05E2D1")
  }

  @Test(arguments: ["", "A81758FFFE05E2", "A81758FFFE05E2D1FF", "G81758FFFE05E2D1", "A8:17-58:FF:FE:05:E2:D1"])
  func `what is no EUI is refused`(text: String) { #expect(EUI64(text) == nil) }

  @Test func `a device that is made with a unit measures it since ever`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await make(
      house, organization,
      """
      {"name":"LHT65","devEui":"a8:17:58:ff:fe:05:e2:d1","model":"LHT65N","unitId":"\(organization.unit)",
      "channel":"probe"}
      """
    )
    #expect(made.status == 201)
    #expect(made.json["devEui"]?.string == "A81758FFFE05E2D1")
    #expect(made.json["unitId"]?.string == organization.unit.description)
    #expect(made.json["channel"]?.string == "probe")
    #expect(made.json["status"]?.string == "inactive")
    let since = try await house.sql("SELECT assigned_from = '-infinity' FROM device_assignments")
    #expect(try since.map { try $0.bool(0) } == [true])
  }

  @Test func `one EUI is one device of an organization`() async throws {
    let house = try await House()
    let (one, other) = (try await house.organization(), try await house.organization())
    let body = #"{"name":"a","devEui":"A81758FFFE05E2D1"}"#
    let made = try await make(house, one, body)
    #expect(made.status == 201)
    #expect(try await make(house, one, body).status == 409)
    #expect(try await make(house, other, body).status == 201)
    let path = one.path + "/devices/\(made.json["id"]?.string ?? "")"
    #expect(try await house.call(.delete, path, as: one.owner).status == 204)
    #expect(try await make(house, one, body).status == 201)
    #expect(try await house.call(.post, path + "/restore", as: one.owner).status == 409)
  }

  @Test func `a device that moves leaves its past where it was`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let second = try await house.call(
      .post, organization.areaPath + "/units", as: organization.owner,
      #"{"name":"Second","unitType":"freezer","tempMin":-10,"tempMax":0}"#)
    let made = try await make(
      house, organization, #"{"name":"a","devEui":"A81758FFFE05E2D1","unitId":"\#(organization.unit)"}"#)
    let path = organization.path + "/devices/\(made.json["id"]?.string ?? "")"
    let moved = try await house.call(
      .put, path, as: organization.owner, #"{"unitId":"\#(second.json["id"]?.string ?? "")"}"#)
    #expect(moved.json["unitId"]?.string == second.json["id"]?.string)
    let again = try await house.call(
      .put, path, as: organization.owner, #"{"unitId":"\#(second.json["id"]?.string ?? "")","name":"b"}"#)
    #expect(again.json["name"]?.string == "b")
    let history = try await house.call(.get, path + "/assignments", as: organization.owner).json
    #expect(history.count == 2)
    #expect(history[0]?["assignedTo"]?.isNull == true)
    #expect(history[1]?["unitName"]?.string == "Fridge")
    #expect(history[1]?["assignedFrom"]?.isNull == true)
    #expect(history[1]?["assignedTo"]?.string == history[0]?["assignedFrom"]?.string)
    let off = try await house.call(.put, path, as: organization.owner, #"{"unitId":null}"#)
    #expect(off.json["unitId"]?.isNull == true)
    #expect(try await house.call(.get, path + "/assignments", as: organization.owner).json.count == 2)
    #expect(try await house.call(.get, organization.path + "/devices", as: organization.owner).json.count == 1)
  }

  @Test func `moves that are served in another order than they came in follow each other`() async throws {
    let time = Mutex(WallClock.system.now())
    let house = try await House(clock: WallClock { time.withLock { $0 } })
    let organization = try await house.organization()
    let made = try await make(
      house, organization, #"{"name":"a","devEui":"A81758FFFE05E2D1","unitId":"\#(organization.unit)"}"#)
    let path = organization.path + "/devices/\(made.json["id"]?.string ?? "")"
    for unit in ["null", "\"\(organization.unit)\"", "null", "\"\(organization.unit)\""] {
      time.withLock { $0 = $0 - .milliseconds(10) }
      let moved = try await house.call(.put, path, as: organization.owner, #"{"unitId":\#(unit)}"#)
      #expect(moved.status == 200, "\(moved)")
    }
    let history = try await house.call(.get, path + "/assignments", as: organization.owner).json
    #expect(history.count == 3)
    #expect(history[0]?["assignedTo"]?.isNull == true)
  }

  @Test func `a move cannot start before the present assignment did`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await make(
      house, organization,
      """
      {"name":"a","devEui":"A81758FFFE05E2D1","unitId":"\(organization.unit)",
      "assignedFrom":"2026-01-02T00:00:00Z"}
      """
    )
    let path = organization.path + "/devices/\(made.json["id"]?.string ?? "")"
    let answer = try await house.call(
      .put, path, as: organization.owner, #"{"unitId":null,"assignedFrom":"2026-01-01T00:00:00Z"}"#)
    #expect(answer.status == 400)
    #expect(answer.badFields == ["assignedFrom"])
  }

  @Test func `the sensor limit holds`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await house.sql("UPDATE organizations SET sensor_limit = 1")
    #expect(try await make(house, organization, #"{"name":"a","devEui":"0000000000000001"}"#).status == 201)
    let refused = try await make(house, organization, #"{"name":"b","devEui":"0000000000000002"}"#)
    #expect(refused.status == 403)
    #expect(refused.errorCode == "SENSOR_LIMIT_REACHED")
    #expect(refused.badFields == ["currentCount", "limit"])
    #expect(try await house.sql("SELECT FROM devices").count == 1)
  }

  @Test func `a unit of another organization is none, and its devices are not found`() async throws {
    let house = try await House()
    let (mine, theirs) = (try await house.organization(), try await house.organization())
    let wrong = try await make(house, mine, #"{"name":"a","devEui":"0000000000000001","unitId":"\#(theirs.unit)"}"#)
    #expect(wrong.badFields == ["unitId"])
    #expect(try await house.sql("SELECT FROM devices").isEmpty)
    let device = try await make(house, theirs, #"{"name":"a","devEui":"0000000000000001"}"#)
    let path = mine.path + "/devices/\(device.json["id"]?.string ?? "")"
    #expect(try await house.call(.get, path, as: mine.owner).status == 404)
    #expect(try await house.call(.put, path, as: mine.owner, #"{"name":"x"}"#).status == 404)
    #expect(try await house.call(.delete, path, as: mine.owner).status == 404)
    #expect(try await house.call(.get, path + "/assignments", as: mine.owner).status == 404)
  }

  @Test func `devices are for admins, and every bad field is named`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let manager = try await house.member(.manager, of: organization.id)
    let body = #"{"name":"a","devEui":"0000000000000001"}"#
    #expect(try await house.call(.post, organization.path + "/devices", as: manager, body).status == 403)
    let answer = try await make(house, organization, #"{"devEui":"xyz","joinEui":7,"status":"odd","channel":"probe"}"#)
    #expect(Set(answer.badFields) == ["name", "devEui", "joinEui", "status", "unitId"])
  }

  @Test func `what an uplink is looked up in has a number that changes with it`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    func version() async throws -> Int64? { try await house.sql("SELECT version FROM directory_version").first?.int(0) }
    let before = try await version()
    _ = try await make(house, organization, #"{"name":"a","devEui":"0000000000000001"}"#)
    let after = try await version()
    #expect(after != before)
    _ = try await house.call(.get, organization.path + "/devices", as: organization.owner)
    #expect(try await version() == after)
  }

  // MARK: - Moves

  private func history(_ house: House, _ organization: House.Organization, _ device: String) async throws -> [String] {
    let answer = try await house.call(
      .get, organization.path + "/devices/\(device)/assignments", as: organization.owner)
    return answer.json.elements.map {
      let times = [$0["assignedFrom"]?.string, $0["assignedTo"]?.string].map { $0.map { String($0.prefix(10)) } ?? "-" }
      return "\($0["unitName"]?.string ?? "") \($0["channel"]?.string ?? "-") \(times.joined(separator: " "))"
    }
  }

  @Test func `a device is moved at an instant, to a channel, and off its unit`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let second =
      try await house.call(
        .post, organization.areaPath + "/units", as: organization.owner,
        #"{"name":"Second","unitType":"freezer","tempMin":-10,"tempMax":0}"#
      ).json["id"]?.string ?? ""
    let device =
      try await make(
        house, organization, #"{"name":"a","devEui":"A81758FFFE05E2D1","unitId":"\#(organization.unit)"}"#
      ).json["id"]?.string ?? ""
    let path = organization.path + "/devices/\(device)/assignments"
    func move(_ body: String) async throws -> Answer {
      try await house.call(.post, path, as: organization.owner, body)
    }
    let moved = try await move(
      #"{"unitId":"\#(second)","channel":"probe2","isPrimary":false,"assignedFrom":"2026-03-01T10:00:00Z"}"#)
    #expect(moved.status == 201, "\(moved)")
    #expect(moved.json["unitId"]?.string == second)
    #expect(try await move(#"{"unitId":null,"assignedFrom":"2026-04-01T00:00:00Z"}"#).status == 201)
    #expect(
      try await history(house, organization, device) == [
        "Second probe2 2026-03-01 2026-04-01", "Fridge - - 2026-03-01",
      ])
    #expect(
      try await move(#"{"unitId":"\#(second)","assignedFrom":"2026-03-15T00:00:00Z"}"#).badFields == ["assignedFrom"])
    #expect(try await move(#"{"unitId":"\#(second)","assignedFrom":"2026-04-01T00:00:00Z"}"#).status == 201)
    #expect(try await move(#"{"channel":"left"}"#).badFields == ["unitId", "channel"])
    #expect(try await move(#"{"unitId":"\#(UUID.v4())"}"#).badFields == ["unitId"])
    let unknown = organization.path + "/devices/\(UUID.v4())/assignments"
    #expect(try await house.call(.post, unknown, as: organization.owner, #"{"unitId":null}"#).status == 404)
  }

  @Test func `a move does not reach behind readings of the unit where the device was`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let device =
      try await make(
        house, organization, #"{"name":"a","devEui":"A81758FFFE05E2D1","unitId":"\#(organization.unit)"}"#
      ).json["id"]?.string ?? ""
    try await house.sql(
      """
      INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, device_id, source)
      VALUES ('2026-03-02T00:00Z', $1, $2, $3, 'ttn')
      """, [.uuid(organization.id), .uuid(organization.unit), .uuid(try #require(UUID(device)))])
    let path = organization.path + "/devices/\(device)/assignments"
    for (instant, status) in [("2026-03-01", 409), ("2026-03-03", 201)] {
      let answer = try await house.call(
        .post, path, as: organization.owner, #"{"unitId":null,"assignedFrom":"\#(instant)T00:00:00Z"}"#)
      #expect(answer.status == status, "\(answer)")
    }
  }

  @Test func `assignments of a device never overlap, whoever writes them`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let device =
      try await make(
        house, organization, #"{"name":"a","devEui":"A81758FFFE05E2D1","unitId":"\#(organization.unit)"}"#
      ).json["id"]?.string ?? ""
    await #expect(throws: DatabaseError.self) {
      try await house.sql(
        """
        INSERT INTO device_assignments (organization_id, device_id, unit_id, assigned_from, assigned_to)
        VALUES ($1, $2, $3, '2026-01-01Z', '2026-01-02Z')
        """, [.uuid(organization.id), .uuid(try #require(UUID(device))), .uuid(organization.unit)])
    }
  }

  @Test func `the sensor limit holds for new, restored and reactivated devices alike`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await house.sql("UPDATE organizations SET sensor_limit = 1 WHERE id = $1", [.uuid(organization.id)])
    func device(_ last: Int) -> String { #"{"name":"\#(last)","devEui":"A81758FFFE05E2D\#(last)"}"# }
    let one = try await make(house, organization, device(1)).json["id"]?.string ?? ""
    let refused = try await make(house, organization, device(2))
    #expect(refused.status == 403)
    #expect(refused.errorCode == "SENSOR_LIMIT_REACHED")
    #expect(
      refused.json["error"]?["details"]?.elements.compactMap { $0["message"]?.string } == ["1", "1"])
    let path = organization.path + "/devices/\(one)"
    _ = try await house.call(.put, path, as: organization.owner, #"{"isActive":false}"#)
    let two = try await make(house, organization, device(2)).json["id"]?.string ?? ""
    #expect(try await house.call(.put, path, as: organization.owner, #"{"isActive":true}"#).status == 403)
    #expect(try await house.call(.put, path, as: organization.owner, #"{"name":"still"}"#).status == 200)
    let other = organization.path + "/devices/\(two)"
    _ = try await house.call(.delete, other, as: organization.owner)
    #expect(try await house.call(.put, path, as: organization.owner, #"{"isActive":true}"#).status == 200)
    #expect(try await house.call(.post, other + "/restore", as: organization.owner).status == 403)
    let deleted = try await house.call(.get, organization.path + "/devices?deleted=true", as: organization.owner)
    #expect(deleted.json.elements.compactMap { $0["id"]?.string } == [two])
  }
}
