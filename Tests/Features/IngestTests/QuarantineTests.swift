import Basics
import FeatureSupport
import JSON
import Runtime
import Telemetry
import Testing

@testable import Ingest

private typealias Uplink = Kitchen.Uplink

@Suite("What could not be taken", .serialized)
struct QuarantineTests {
  /// A sensor that nobody has told of.
  private let stranger = Kitchen.Sensor(id: .v4(), devEUI: "A84041FFFF000001")

  private func send(_ minutes: [Int], from sensor: Kitchen.Sensor, _ kitchen: Kitchen) async throws {
    for minute in minutes {
      let answer = try await kitchen.report(sensor, minute < 30 ? 3 : 12, at: Kitchen.start + .minutes(minute))
      #expect(answer.json["reason"]?.string == "unknown_device")
    }
  }

  private func list(_ kitchen: Kitchen, _ query: String = "") async throws -> JSONValue {
    let answer = try await kitchen.house.call(
      .get, "\(kitchen.organization.path)/quarantine\(query)", as: kitchen.organization.owner)
    #expect(answer.status == 200, "\(answer)")
    return answer.json
  }

  @Test("a claim makes the device and takes all that it has sent, dated as it came, with its alarm")
  func claim() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    try await send([0, 10, 20, 30, 40, 50], from: stranger, kitchen)
    let messages = try await list(kitchen)
    #expect(messages.count == 6)
    let first = try #require(messages[5]?["id"]?.string)
    let received = try await kitchen.lines(
      "SELECT string_agg(received_at::text, ' ' ORDER BY received_at) FROM quarantined_uplinks")
    let claimed = try await kitchen.house.call(
      .post, "\(kitchen.organization.path)/quarantine/\(first)/claim", as: kitchen.organization.owner,
      #"{"name":"Cooler 7","model":"lht65n","unitId":"\#(unit)"}"#)
    #expect(claimed.status == 200, "\(claimed)")
    #expect(claimed.json["deviceCreated"]?.bool == true)
    #expect(claimed.json["stored"]?.int == 6)
    #expect(claimed.json["remaining"]?.int == 0)
    #expect(
      try await kitchen.lines("SELECT string_agg(received_at::text, ' ' ORDER BY received_at) FROM sensor_readings")
        == received)
    #expect(try await kitchen.alerts(of: unit).count == 1)
    #expect(try await list(kitchen).count == 0)
    let done = try await list(kitchen, "?status=claimed&devEui=a8:40:41:ff:ff:00:00:01")
    #expect(done.count == 6)
    #expect(done[0]?["outcome"]?.string == "stored")
    #expect(done[0]?["claimedDeviceId"]?.string == claimed.json["deviceId"]?.string)
    #expect(try await kitchen.report(stranger, 12, at: Kitchen.start + .minutes(60)).json["status"]?.string == "stored")
    #expect(
      try await kitchen.count("SELECT count(*) FROM event_logs WHERE event_type = 'quarantine.claimed'") == 1)
  }

  @Test("what cannot be taken with the device either stays, with the reason that is left")
  func stays() async throws {
    let kitchen = try await Kitchen()
    var torn = Uplink(stranger, at: Kitchen.start)
    torn.payload = [1, 2, 3]
    kitchen.setClock(Kitchen.start)
    #expect(try await kitchen.send(torn.json).json["reason"]?.string == "unknown_device")
    try await send([10], from: stranger, kitchen)
    let claimed = try await kitchen.house.call(
      .post, "\(kitchen.organization.path)/quarantine/claim", as: kitchen.organization.owner,
      #"{"devEui":"A84041FFFF000001","model":"lht65n"}"#)
    #expect(claimed.json["stored"]?.int == 1, "\(claimed)")
    #expect(claimed.json["remaining"]?.int == 1)
    let left = try await list(kitchen)
    #expect(left.count == 1)
    #expect(left[0]?["reason"]?.string == "undecodable")
    // Once more changes nothing.
    let again = try await kitchen.house.call(
      .post, "\(kitchen.organization.path)/quarantine/claim", as: kitchen.organization.owner,
      #"{"devEui":"A84041FFFF000001"}"#)
    #expect(again.json["deviceCreated"]?.bool == false)
    #expect(again.json["stored"]?.int == 0)
    #expect(again.json["remaining"]?.int == 1)
  }

  @Test("a device that is made in another way gets what it had sent, too")
  func job() async throws {
    let kitchen = try await Kitchen()
    try await send([0, 10], from: stranger, kitchen)
    let made = try await kitchen.house.call(
      .post, "\(kitchen.organization.path)/devices", as: kitchen.organization.owner,
      #"{"name":"Cooler 7","devEui":"A84041FFFF000001","model":"lht65n","status":"active"}"#)
    #expect(made.status == 201)
    try await kitchen.house.run { database in
      try await QuarantineReplay(
        database: database, home: Reactor.current.loop, clock: .system, log: .none, metrics: Metrics()
      )
      .run(at: WallClock.system.now())
    }
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 2)
    #expect(try await list(kitchen).count == 0)
  }

  @Test("a message that is delivered again is kept once, and one that was discarded does not come back")
  func again() async throws {
    let kitchen = try await Kitchen()
    kitchen.setClock(Kitchen.start)
    let message = Uplink(stranger, at: Kitchen.start, celsius: 3).json
    for _ in 0..<3 { #expect(try await kitchen.send(message).json["status"]?.string == "quarantined") }
    let kept = try await list(kitchen)
    #expect(kept.count == 1)
    let id = try #require(kept[0]?["id"]?.string)
    let path = "\(kitchen.organization.path)/quarantine/\(id)"
    let one = try await kitchen.house.call(.get, path, as: kitchen.organization.owner)
    #expect(one.json["body"]?.string == message)
    let discarded = try await kitchen.house.call(.post, path + "/discard", as: kitchen.organization.owner)
    #expect(discarded.json["status"]?.string == "discarded")
    #expect(try await kitchen.house.call(.post, path + "/discard", as: kitchen.organization.owner).status == 404)
    #expect(try await kitchen.house.call(.post, path + "/claim", as: kitchen.organization.owner, "{}").status == 404)
    #expect(try await kitchen.send(message).status == 200)
    #expect(try await list(kitchen).count == 0)
    #expect(try await list(kitchen, "?status=discarded&reason=unknown_device").count == 1)
    #expect(
      try await kitchen.count("SELECT count(*) FROM event_logs WHERE event_type = 'quarantine.discarded'") == 1)
  }

  @Test("the list goes on behind its last message, and knows only its own organization's")
  func pages() async throws {
    let kitchen = try await Kitchen()
    try await send(Array(0..<7), from: stranger, kitchen)
    var seen: [String] = []
    var query = "?limit=3"
    while true {
      let part = try await list(kitchen, query)
      seen += part.elements.compactMap { $0["id"]?.string }
      guard let last = part[2]?["id"]?.string else { break }
      query = "?limit=3&before=\(last)"
    }
    #expect(seen.count == 7 && Set(seen).count == 7)
    let other = try await kitchen.house.organization()
    let path = "\(other.path)/quarantine"
    #expect(try await kitchen.house.call(.get, path, as: other.owner).json.count == 0)
    #expect(try await kitchen.house.call(.get, "\(path)/\(seen[0])", as: other.owner).status == 404)
    #expect(try await kitchen.house.call(.post, "\(path)/\(seen[0])/discard", as: other.owner).status == 404)
    #expect(try await kitchen.house.call(.post, "\(path)/\(seen[0])/claim", as: other.owner, "{}").status == 404)
    let viewer = try await kitchen.house.member(.viewer, of: kitchen.organization.id)
    let own = "\(kitchen.organization.path)/quarantine/\(seen[0])"
    #expect(try await kitchen.house.call(.get, own, as: viewer).status == 200)
    #expect(try await kitchen.house.call(.post, own + "/discard", as: viewer).status == 403)
    #expect(try await list(kitchen, "?status=open,claimed").count == 7)
  }

  @Test("a claim for another organization's unit is refused, and takes nothing")
  func foreignUnit() async throws {
    let kitchen = try await Kitchen()
    try await send([0], from: stranger, kitchen)
    let other = try await kitchen.house.organization()
    let answer = try await kitchen.house.call(
      .post, "\(kitchen.organization.path)/quarantine/claim", as: kitchen.organization.owner,
      #"{"devEui":"A84041FFFF000001","unitId":"\#(other.unit)"}"#)
    #expect(answer.status == 400, "\(answer)")
    #expect(try await list(kitchen).count == 1)
    #expect(try await kitchen.count("SELECT count(*) FROM devices") == 0)
  }
}
