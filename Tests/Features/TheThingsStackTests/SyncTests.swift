import Basics
import FeatureSupport
import HTTP
import JSON
import PostgreSQL
import Testing

@testable import StackSupport
@testable import TheThingsStack

@Suite(.serialized) struct SyncTests {
  private func add(_ world: World, _ id: String, eui: String, name: String? = nil) {
    world.fake.state.with { values in
      var fields = ["ids.device_id": id, "ids.dev_eui": eui, "ids.join_eui": "A000000000000101"]
      fields["name"] = name
      values.devices["is"]?[id] = fields
      values.deviceOrder.append(id)
    }
  }

  private func remove(_ world: World, _ id: String) {
    world.fake.state.with { values in
      values.devices["is"]?[id] = nil
      values.deviceOrder.removeAll { $0 == id }
    }
  }

  @Test func `devices that appear at the network appear here, and those that go are marked`() async throws {
    let world = try await World()
    for number in 0..<250 { add(world, "dev-\(number)", eui: "00000000000\(10_000 + number)") }
    add(world, "cooler", eui: "00000000000000FF", name: "Cooler")
    try await world.house.sql("UPDATE organizations SET sensor_limit = 1000")
    try await world.sync(at: World.start)
    #expect(try await world.lines("SELECT count(*)::text FROM devices WHERE is_active") == ["251"])
    #expect(
      try await world.lines("SELECT name, device_id, status FROM devices WHERE dev_eui = '00000000000000FF'")
        == ["Cooler cooler inactive"])
    remove(world, "cooler")
    // Not due yet.
    try await world.sync(at: World.start + .minutes(1))
    #expect(try await world.lines("SELECT 1 FROM devices WHERE ttn_missing_since IS NOT NULL").isEmpty)
    try await world.sync(at: World.start + .minutes(11))
    #expect(
      try await world.lines("SELECT device_id FROM devices WHERE ttn_missing_since IS NOT NULL") == ["cooler"])
    let device = try await world.call(.get, world.ttn + "/devices/cooler")
    #expect(device.json["ttnSynced"]?.bool == false)
    add(world, "cooler-again", eui: "00000000000000FF")
    try await world.sync(at: World.start + .minutes(22))
    #expect(
      try await world.lines(
        "SELECT device_id, ttn_missing_since::text FROM devices WHERE dev_eui = '00000000000000FF'")
        == ["cooler-again -"])
  }

  @Test func `a device that was added by hand is adopted, and one that was deleted stays deleted`() async throws {
    let world = try await World()
    let path = world.organization.path + "/devices"
    _ = try await world.call(.post, path, #"{"name":"Mine","devEui":"00000000000000AA"}"#)
    let gone = try await world.call(.post, path, #"{"name":"Gone","devEui":"00000000000000BB"}"#)
    _ = try await world.call(.delete, path + "/\(gone.json["id"]?.string ?? "")")
    add(world, "mine", eui: "00000000000000AA", name: "Theirs")
    add(world, "gone", eui: "00000000000000BB")
    try await world.sync(at: World.start)
    #expect(
      try await world.lines("SELECT name, device_id, (deleted_at IS NULL)::text FROM devices ORDER BY dev_eui")
        == ["Mine mine true", "Gone - false"])
    let version = try await world.lines("SELECT version::text FROM directory_version")
    try await world.sync(at: World.start + .minutes(11))
    // What has not changed is not written: every server would have to look its devices up anew.
    #expect(try await world.lines("SELECT version::text FROM directory_version") == version)
  }

  @Test func `beyond the sensor limit a device that appears is inactive`() async throws {
    let world = try await World()
    try await world.house.sql("UPDATE organizations SET sensor_limit = 2")
    for number in 1...4 { add(world, "dev-\(number)", eui: "000000000000000\(number)") }
    try await world.sync(at: World.start)
    #expect(
      try await world.lines("SELECT is_active::text FROM devices ORDER BY dev_eui") == [
        "true", "true", "false", "false",
      ])
  }

  @Test func `one connection that fails does not stop the others, and a limit is respected`() async throws {
    let world = try await World()
    add(world, "dev-1", eui: "0000000000000001")
    world.fake.state.with { $0.failures["GET /applications/acme-cold/devices"] = 429 }
    try await world.sync(at: World.start)
    let failed = try await world.call(.get, world.ttn)
    #expect(failed.json["lastSyncError"]?.string == "The Things Stack asks to wait")
    #expect(try await world.lines("SELECT 1 FROM devices").isEmpty)
    try await world.sync(at: World.start + .minutes(11))
    #expect(try await world.lines("SELECT device_id FROM devices") == ["dev-1"])
    #expect(try await world.call(.get, world.ttn).json["lastSyncError"]?.isNull == true)
  }

  // MARK: - Gateways

  private let gateway =
    #"{"gatewayId":"roof-gw","gatewayEui":"b8-27-eb-ff-fe-00-00-01","name":"Roof","latitude":"48.5","longitude":9}"#

  @Test func `a gateway is registered for the owner of the key`() async throws {
    let world = try await World()
    let made = try await world.call(.post, world.ttn + "/gateways", gateway)
    #expect(made.status == 201, "\(made)")
    #expect(made.json["gatewayEui"]?.string == "B827EBFFFE000001")
    #expect(made.json["latitude"]?.double == 48.5)
    #expect(made.json["status"]?.string == "unknown")
    #expect(made.json["frequencyPlanId"]?.string == "US_902_928_FSB_2")
    #expect(world.fake.state.takeRequests() == ["POST /users/jane/gateways"])
    #expect(world.fake.state.with { $0.gateways["roof-gw"]?.fields["antennas"] }?.contains("SOURCE_REGISTRY") == true)
    #expect(try await world.call(.post, world.ttn + "/gateways", gateway).status == 409)
    world.fake.state.with { $0.owner = .application }
    let poor = try await world.call(
      .post, world.ttn + "/gateways", gateway.replacing("roof-gw", with: "other").replacing("00-01", with: "00-02"))
    #expect(poor.status == 400)
    #expect("\(poor)".contains("Failed to register"))
  }

  @Test func `a gateway is changed, asked for its status, and deleted by each of its names`() async throws {
    let world = try await World()
    let made = try await world.call(.post, world.ttn + "/gateways", gateway)
    let id = try #require(made.json["id"]?.string)
    let changed = try await world.call(
      .put, world.ttn + "/gateways/\(id)", #"{"name":"Attic","siteId":"\#(world.organization.site)","latitude":null}"#)
    #expect(changed.json["name"]?.string == "Attic", "\(changed)")
    #expect(changed.json["latitude"]?.isNull == true)
    #expect(changed.json["longitude"]?.double == 9)
    #expect(world.fake.state.with { $0.gateways["roof-gw"]?.fields["name"] } == "Attic")
    let silent = try await world.call(.post, world.ttn + "/gateways/roof-gw/status")
    #expect(silent.json["status"]?.string == "offline", "\(silent)")
    let heard = WallClock.system.now() - .minutes(2)
    world.fake.state.with { $0.gateways["roof-gw"]?.lastUplink = heard }
    let online = try await world.call(.post, world.ttn + "/gateways/B827EBFFFE000001/status")
    #expect(online.json["status"]?.string == "online")
    #expect(online.json["lastSeenAt"]?.string == heard.rfc3339)
    world.fake.state.with { $0.failures["GET /gs"] = 500 }
    #expect(try await world.call(.post, world.ttn + "/gateways/roof-gw/status").json["status"]?.string == "online")
    let other = try await world.house.organization()
    #expect(try await world.house.call(.get, other.path + "/ttn/gateways/roof-gw", as: other.owner).status == 404)
    let foreign = try await world.call(
      .put, world.ttn + "/gateways/\(id)", #"{"siteId":"\#(other.site)"}"#)
    #expect(foreign.badFields == ["siteId"])
    #expect(try await world.call(.delete, world.ttn + "/gateways/roof-gw").status == 204)
    #expect(world.fake.state.with { $0.gateways.isEmpty })
    #expect(try await world.call(.get, world.ttn + "/gateways/\(id)").status == 404)
  }

  @Test func `gateways come into step with their status`() async throws {
    let world = try await World()
    world.fake.state.with { values in
      values.gateways["near"] = .init(
        fields: ["name": "Near", "antennas": #"[{"location":{"latitude":1.5,"longitude":2.5,"altitude":300}}]"#],
        eui: "B827EBFFFE000001", lastUplink: World.start - .minutes(1))
      values.gateways["far"] = .init(fields: [:], eui: "B827EBFFFE000002", isConnected: false)
    }
    try await world.sync(at: World.start)
    #expect(
      try await world.lines("SELECT gateway_id, name, status, latitude::text, altitude::text FROM gateways ORDER BY 1")
        == ["far - offline - -", "near Near online 1.500000 300.00"])
    world.fake.state.with { $0.gateways["far"] = nil }
    try await world.sync(at: World.start + .minutes(11))
    #expect(try await world.lines("SELECT gateway_id FROM gateways WHERE ttn_missing_since IS NOT NULL") == ["far"])
    // The key of an application sees none; that says nothing.
    world.fake.state.with { $0.owner = .application }
    try await world.sync(at: World.start + .minutes(22))
    #expect(try await world.lines("SELECT gateway_id FROM gateways WHERE ttn_missing_since IS NOT NULL") == ["far"])
  }
}
