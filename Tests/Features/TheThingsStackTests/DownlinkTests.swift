import Basics
import FeatureSupport
import HTTP
import JSON
import PostgreSQL
import Testing

@testable import StackSupport
@testable import TheThingsStack

@Suite(.serialized) struct DownlinkTests {
  private func ready(_ world: World, model: String? = "lht65n") async throws -> (Kitchen.Sensor, String) {
    let sensor = try await world.sensor(model: model)
    world.fake.state.with { $0.devices["as"]?["eui-\(sensor.devEUI.lowercased())"] = [:] }
    return (sensor, world.organization.path + "/devices/\(sensor.id)")
  }

  private func event(_ world: World, _ sensor: Kitchen.Sensor, _ type: String, _ correlation: String, minute: Int)
    async throws
  {
    let inner =
      type == "downlink_failed"
      ? #"{"downlink":{"f_port":2,"correlation_ids":["\#(correlation)"]},"error":{"message_format":"device not found"}}"#
      : #"{"f_port":2,"correlation_ids":["as:downlink:01","\#(correlation)"]}"#
    let ids = Kitchen.Uplink(sensor, at: World.start).ids
    let answer = try await world.deliver(
      #"{\#(ids),"received_at":"\#((World.start + .minutes(minute)).rfc3339)","\#(type)":\#(inner)}"#)
    #expect(answer.status == 200)
  }

  private func state(_ world: World, _ path: String) async throws -> String? {
    try await world.call(.get, path + "/settings-requests").json[0]?["state"]?.string
  }

  @Test(arguments: [
    ("lht65n", 900, 2, "01000384"), ("em300-th", 600, 85, "ff035802"),
  ])
  func `an interval becomes the downlink of its vendor`(
    model: String, seconds: Int, port: Int, payload: String
  ) async throws {
    let world = try await World()
    let (_, path) = try await ready(world, model: model)
    let made = try await world.call(.post, path + "/settings-requests", #"{"intervalSeconds":\#(seconds)}"#)
    #expect(made.status == 201, "\(made)")
    #expect(made.json["state"]?.string == "queued")
    #expect(made.json["settings"]?["intervalSeconds"]?.int == Int64(seconds))
    let sent = world.fake.state.with { $0.downlinks }
    #expect(sent.count == 1)
    #expect(sent.first?.port == port)
    #expect(sent.first?.payload == payload)
    #expect(sent.first?.confirmed == true)
  }

  @Test func `a request goes forward with what the network tells, in whatever order it comes`() async throws {
    let world = try await World()
    let (sensor, path) = try await ready(world)
    _ = try await world.call(.post, path + "/settings-requests", #"{"intervalSeconds":900}"#)
    let correlation = try #require(world.fake.state.with { $0.downlinks.first?.correlation })
    try await event(world, sensor, "downlink_sent", correlation, minute: 2)
    #expect(try await state(world, path) == "sent")
    try await event(world, sensor, "downlink_queued", correlation, minute: 1)
    #expect(try await state(world, path) == "sent")
    try await event(world, sensor, "downlink_nack", "somebody-else", minute: 3)
    #expect(try await state(world, path) == "sent")
    try await event(world, sensor, "downlink_nack", correlation, minute: 4)
    #expect(try await state(world, path) == "failed")
    // The network tried again.
    try await event(world, sensor, "downlink_ack", correlation, minute: 5)
    #expect(try await state(world, path) == "acked")
    try await event(world, sensor, "downlink_failed", correlation, minute: 6)
    let request = try await world.call(.get, path + "/settings-requests").json[0]
    #expect(request?["state"]?.string == "acked")
    #expect(request?["error"]?.isNull == true)
    #expect(request?["sentAt"]?.string == (World.start + .minutes(2)).rfc3339)
    let events = try await world.call(.get, path + "/events").json
    #expect(events.count == 6)
    #expect(events[0]?["eventType"]?.string == "downlink_failed")
    #expect(try await world.call(.get, path + "/events?type=downlink_ack").json.count == 1)
  }

  @Test func `a failure tells its reason`() async throws {
    let world = try await World()
    let (sensor, path) = try await ready(world)
    _ = try await world.call(.post, path + "/downlinks", #"{"fPort":5,"payload":"0A0B","confirmed":false}"#)
    let correlation = try #require(world.fake.state.with { $0.downlinks.first?.correlation })
    try await event(world, sensor, "downlink_failed", correlation, minute: 1)
    let request = try await world.call(.get, path + "/settings-requests").json[0]
    #expect(request?["state"]?.string == "failed")
    #expect(request?["error"]?.string == "device not found")
    #expect(request?["payload"]?.string == "0a0b")
  }

  @Test func `what the network refuses is failed at once`() async throws {
    let world = try await World()
    let (_, path) = try await ready(world)
    world.fake.state.with { $0.failures["POST /as"] = 403 }
    let refused = try await world.call(.post, path + "/settings-requests", #"{"intervalSeconds":900}"#)
    #expect(refused.status == 400)
    #expect(try await state(world, path) == "failed")
  }

  @Test func `what cannot be asked is refused with the field`() async throws {
    let world = try await World()
    let (_, path) = try await ready(world, model: nil)
    #expect(
      try await world.call(.post, path + "/settings-requests", #"{"intervalSeconds":900}"#).badFields == [
        "intervalSeconds"
      ])
    #expect(try await world.call(.post, path + "/settings-requests", "{}").badFields == ["intervalSeconds"])
    #expect(
      try await world.call(.post, path + "/downlinks", #"{"payload":"xyz"}"#).badFields == ["fPort", "payload"])
    let manager = try await world.house.member(.manager, of: world.organization.id)
    #expect(
      try await world.call(.post, path + "/downlinks", as: manager, #"{"fPort":1,"payload":"00"}"#).status
        == 403)
    let other = try await world.house.organization()
    let foreign = path.replacing(world.organization.id.description, with: other.id.description)
    for name in ["/events", "/gaps", "/settings-requests"] {
      #expect(try await world.house.call(.get, foreign + name, as: other.owner).status == 404)
    }
  }

  @Test func `a join is on the device's record`() async throws {
    let world = try await World()
    let (sensor, path) = try await ready(world)
    let ids = Kitchen.Uplink(sensor, at: World.start).ids
    try await world.deliver(
      #"{\#(ids),"received_at":"\#(World.start.rfc3339)","join_accept":{"session_key_id":"AY=="}}"#)
    let events = try await world.call(.get, path + "/events").json
    #expect(events[0]?["eventType"]?.string == "join_accept")
    #expect(events[0]?["payload"]?["join_accept"]?["session_key_id"]?.string == "AY==")
  }
}
