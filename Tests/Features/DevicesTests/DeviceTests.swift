import Basics
import Devices
import FeatureSupport
import JSON
import PostgreSQL
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
}
