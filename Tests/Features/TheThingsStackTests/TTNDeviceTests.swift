import Basics
import FeatureSupport
import HTTP
import JSON
import PostgreSQL
import Testing

@testable import StackSupport
@testable import TheThingsStack

@Suite(.serialized) struct TTNDeviceTests {
  private func body(_ extra: String = "", id: String = "walk-in-1", eui: String = "a8:40:41:00:01:81:2f:3c") -> String {
    """
    {"deviceId":"\(id)","devEui":"\(eui)","joinEui":"A000000000000101",
    "appKey":"00112233445566778899aabbccddeeff","name":"Walk-in","frequencyPlanId":"EU_863_870_TTN"\(extra)}
    """
  }

  private func registries(_ world: World) -> [String] {
    world.fake.state.with { values in values.devices.filter { !$0.value.isEmpty }.keys.sorted() }
  }

  @Test func `a device is registered in the four registries in their order, and here`() async throws {
    let world = try await World()
    let answer = try await world.call(
      .post, world.ttn + "/devices", body(#","unitId":"\#(world.organization.unit)""#))
    #expect(answer.status == 201, "\(answer)")
    #expect(answer.json["deviceId"]?.string == "walk-in-1")
    #expect(answer.json["devEui"]?.string == "A8404100" + "01812F3C")
    #expect(answer.json["unitId"]?.string == world.organization.unit.description)
    #expect(answer.json["status"]?.string == "inactive")
    #expect(answer.json["ttnSynced"]?.bool == true)
    #expect(
      world.fake.state.takeRequests() == [
        "POST /applications/acme-cold/devices", "PUT /js/applications/acme-cold/devices/walk-in-1",
        "PUT /ns/applications/acme-cold/devices/walk-in-1", "PUT /as/applications/acme-cold/devices/walk-in-1",
      ])
    let devices = world.fake.state.with { $0.devices }
    #expect(devices["js"]?["walk-in-1"]?["root_keys.app_key.key"] == "00112233445566778899AABBCCDDEEFF")
    #expect(devices["ns"]?["walk-in-1"]?["frequency_plan_id"] == "EU_863_870_TTN")
    #expect(devices["ns"]?["walk-in-1"]?["lorawan_version"] == "MAC_V1_0_3")
    #expect(devices["is"]?["walk-in-1"]?["name"] == "Walk-in")
    // The key of a device is the network's business alone.
    let kept = try await world.lines(
      "SELECT to_jsonb(d)::text FROM devices d UNION ALL SELECT after::text FROM event_logs")
    #expect(!kept.contains { $0.uppercased().contains("AABBCCDDEEFF") })
  }

  @Test(arguments: [
    ("POST /applications", 403, []), ("PUT /js", 500, ["DELETE /applications"]),
    ("PUT /ns", 400, ["DELETE /js", "DELETE /applications"]),
    ("PUT /as", 403, ["DELETE /ns", "DELETE /js", "DELETE /applications"]),
    // It may have taken it before it fell silent.
    ("PUT /ns", 0, ["DELETE /ns", "DELETE /js", "DELETE /applications"]),
  ])
  func `when a registry refuses, what was made is removed again`(
    refusing: String, status: Int, undone: [String]
  ) async throws {
    let world = try await World()
    world.fake.state.with { $0.failures[refusing] = status }
    let answer = try await world.call(.post, world.ttn + "/devices", body())
    #expect(answer.status == ([0, 500].contains(status) ? 503 : 400), "\(answer)")
    #expect("\(answer)".contains("Failed to provision"))
    #expect(registries(world) == [])
    #expect(try await world.lines("SELECT 1 FROM devices").isEmpty)
    let deletions = world.fake.state.takeRequests().filter { $0.hasPrefix("DELETE") }
    #expect(deletions.count == undone.count)
    for (deletion, expected) in zip(deletions, undone) { #expect(deletion.hasPrefix(expected)) }
    let log = try await world.call(.get, world.ttn + "/provisioning-logs").json
    #expect(log.elements.contains { $0["status"]?.string == "failure" })
  }

  @Test func `nothing is asked of the network for what cannot be stored here`() async throws {
    let world = try await World()
    #expect(try await world.call(.post, world.ttn + "/devices", body()).status == 201)
    _ = world.fake.state.takeRequests()
    let other = try await world.house.organization()
    #expect(try await world.call(.post, world.ttn + "/devices", body(id: "walk-in-2")).status == 409)
    #expect(try await world.call(.post, world.ttn + "/devices", body(eui: "0000000000000001")).status == 409)
    let foreign = try await world.call(
      .post, world.ttn + "/devices", body(#","unitId":"\#(other.unit)""#, id: "walk-in-3", eui: "0000000000000003"))
    #expect(foreign.badFields == ["unitId"])
    try await world.house.sql("UPDATE organizations SET sensor_limit = 1")
    let full = try await world.call(.post, world.ttn + "/devices", body(id: "walk-in-4", eui: "0000000000000004"))
    #expect(full.errorCode == "SENSOR_LIMIT_REACHED")
    #expect(world.fake.state.takeRequests() == [])
  }

  @Test func `every bad field of a device is named, and staff may not`() async throws {
    let world = try await World()
    let answer = try await world.call(
      .post, world.ttn + "/devices",
      #"{"deviceId":"Not-An-Id","devEui":"xyz","joinEui":1,"appKey":"zz","frequencyPlanId":"MARS","lorawanVersion":7}"#)
    #expect(
      Set(answer.badFields) == ["deviceId", "devEui", "joinEui", "appKey", "frequencyPlanId", "lorawanVersion"])
    let staff = try await world.house.member(.staff, of: world.organization.id)
    #expect(try await world.call(.post, world.ttn + "/devices", as: staff, body()).status == 403)
  }

  @Test func `bootstrapping makes the keys and tells them once`() async throws {
    let world = try await World()
    let answer = try await world.call(
      .post, world.ttn + "/devices/bootstrap",
      #"{"name":"Walk-In Cooler #2","siteId":"\#(world.organization.site)"}"#)
    #expect(answer.status == 201, "\(answer)")
    let id = try #require(answer.json["deviceId"]?.string)
    #expect(id.hasPrefix("walk-in-cooler-2-") && FakeAPI.isID(id))
    let key = try #require(answer.json["appKey"]?.string)
    #expect(key.count == 32)
    #expect(world.fake.state.with { $0.devices["js"]?[id]?["root_keys.app_key.key"] } == key)
    let eui = try #require(answer.json["devEui"]?.string)
    // Locally administered, no group.
    #expect((Hex.decode(eui)?.first ?? 0) & 3 == 2)
    let read = try await world.call(.get, world.ttn + "/devices/\(eui)")
    #expect(read.json["id"]?.string == answer.json["id"]?.string)
    #expect(read.json["appKey"] == nil)
    let other = try await world.house.organization()
    let foreign = try await world.call(
      .post, world.ttn + "/devices/bootstrap", #"{"name":"x","siteId":"\#(other.site)"}"#)
    #expect("\(foreign)".contains("Site not found"))
  }

  @Test func `a device is found by each of its names, and only by its own organization`() async throws {
    let world = try await World()
    let made = try await world.call(.post, world.ttn + "/devices", body())
    let id = try #require(made.json["id"]?.string)
    for name in [id, "A84041000" + "1812F3C", "a8404100" + "01812f3c", "walk-in-1"] {
      let answer = try await world.call(.get, world.ttn + "/devices/\(name)")
      #expect(answer.json["id"]?.string == id, "\(name) \(answer)")
    }
    #expect(try await world.call(.get, world.ttn + "/devices/nobody").status == 404)
    #expect(try await world.call(.get, world.ttn + "/devices").json.count == 1)
    let other = try await world.house.organization()
    for method in [Method.get, .put, .delete] {
      let answer = try await world.house.call(
        method, other.path + "/ttn/devices/walk-in-1", as: other.owner, method == .put ? "{}" : nil)
      #expect(answer.status == 404)
    }
    #expect(try await world.house.call(.get, other.path + "/ttn/devices", as: other.owner).json.count == 0)
  }

  @Test func `a change is made here even when the network refuses it`() async throws {
    let world = try await World()
    _ = try await world.call(.post, world.ttn + "/devices", body())
    let renamed = try await world.call(.put, world.ttn + "/devices/walk-in-1", #"{"name":"Other","status":"active"}"#)
    #expect(renamed.json["name"]?.string == "Other", "\(renamed)")
    #expect(renamed.json["status"]?.string == "active")
    #expect(world.fake.state.with { $0.devices["is"]?["walk-in-1"]?["name"] } == "Other")
    world.fake.state.with { $0.failures["PUT /applications"] = 403 }
    let again = try await world.call(
      .put, world.ttn + "/devices/walk-in-1", #"{"name":"Third","unitId":"\#(world.organization.unit)"}"#)
    #expect(again.json["name"]?.string == "Third")
    #expect(again.json["unitId"]?.string == world.organization.unit.description)
    #expect(world.fake.state.with { $0.devices["is"]?["walk-in-1"]?["name"] } == "Other")
  }

  @Test func `a device is removed in the opposite order, and later when the network is away`() async throws {
    let world = try await World()
    _ = try await world.call(.post, world.ttn + "/devices", body())
    _ = try await world.call(.post, world.ttn + "/devices", body(id: "walk-in-2", eui: "0000000000000002"))
    _ = world.fake.state.takeRequests()
    #expect(try await world.call(.delete, world.ttn + "/devices/walk-in-1").status == 204)
    #expect(
      world.fake.state.takeRequests() == [
        "DELETE /as/applications/acme-cold/devices/walk-in-1", "DELETE /ns/applications/acme-cold/devices/walk-in-1",
        "DELETE /js/applications/acme-cold/devices/walk-in-1", "DELETE /applications/acme-cold/devices/walk-in-1",
      ])
    world.fake.state.with { $0.failures["DELETE /ns"] = 0 }
    #expect(try await world.call(.delete, world.ttn + "/devices/walk-in-2").status == 204)
    #expect(registries(world) == ["is", "js", "ns"])
    try await world.sync(at: World.start)
    #expect(registries(world) == [])
    #expect(try await world.lines("SELECT count(*)::text FROM devices WHERE ttn_delete_pending") == ["0"])
  }
}
