import Basics
import FeatureSupport
import HTTP
import JSON
import PostgreSQL
import Testing

@testable import StackSupport
@testable import TheThingsStack

@Suite(.serialized) struct HealingTests {
  private func frames(_ world: World) async throws -> [String] {
    try await world.lines("SELECT f_cnt::text, (flags & 4096 <> 0)::text FROM sensor_readings ORDER BY recorded_at")
  }

  private func storageRequests(_ world: World) -> Int {
    world.fake.state.with { values in values.requests.filter { $0.contains("/packages/storage") }.count }
  }

  @Test func `what the webhook missed is fetched, and what the network never heard is lost on the air`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.heal(at: world.at(0))
    // Frame 5 was lost on its way through the air, frames 3 and 4 on their way to us.
    world.store(sensor, [1, 2, 3, 4, 6])
    try await world.deliver(sensor, [1, 2, 6])
    try await world.count(at: world.at(6))
    #expect(try await world.gaps() == ["3-5 open -"])
    try await world.heal(at: world.at(6))
    #expect(try await frames(world) == ["1 false", "2 false", "3 true", "4 true", "6 false"])
    #expect(try await world.gaps() == ["3-4 healed -", "5-5 lost_on_air -"])
    let ledger = try await world.call(.get, world.organization.path + "/devices/\(sensor.id)/gaps").json
    #expect(ledger["sessions"]?[0]?["healed"]?.int == 2)
    #expect(ledger["sessions"]?[0]?["lostOnAir"]?.int == 1)
    #expect(ledger["sessions"]?[0]?["received"]?.int == 3)
    #expect(ledger["gaps"]?[0]?["state"]?.string == "lost_on_air")
    // Nothing is open any more: the storage is left alone.
    let asked = storageRequests(world)
    try await world.heal(at: world.at(6) + .minutes(1))
    #expect(storageRequests(world) == asked)
  }

  @Test func `a frame that held no reading was received`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.heal(at: world.at(0))
    world.store(sensor, [1, 3])
    var status = Kitchen.Uplink(sensor, at: world.at(2))
    status.counter = 2
    status.payload = [1, 2, 3]
    world.store(status.json, at: world.at(2))
    try await world.deliver(sensor, [1])
    try await world.deliver(status.json)
    try await world.deliver(sensor, [3])
    try await world.count(at: world.at(3))
    #expect(try await world.gaps() == ["2-2 open -"])
    try await world.heal(at: world.at(3))
    #expect(try await world.gaps() == ["2-2 received -"])
    // It is in quarantine once, however often the storage is read.
    #expect(try await world.lines("SELECT reason FROM quarantined_uplinks") == ["undecodable"])
  }

  @Test(arguments: [true, false])
  func `a long storage is read page by page`(givesTokens: Bool) async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.heal(at: world.at(0))
    world.fake.state.with { values in
      values.givesTokens = givesTokens
      if givesTokens { values.storagePageMax = 7 }
    }
    world.store(sensor, 1...60)
    try await world.deliver(sensor, [1, 60])
    try await world.count(at: world.at(60))
    try await world.heal(at: world.at(60))
    #expect(try await world.gaps() == ["2-59 healed -"])
    #expect(try await frames(world).count == 60)
    #expect(storageRequests(world) >= (givesTokens ? 9 : 1))
  }

  @Test func `a stream that is cut is gone on with where it broke`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.heal(at: world.at(0))
    world.store(sensor, 1...20)
    try await world.deliver(sensor, [1, 20])
    try await world.count(at: world.at(20))
    world.fake.state.with { $0.cuts = [8, 0, 5] }
    try await world.heal(at: world.at(20))
    #expect(try await frames(world).count == 9)
    #expect(try await world.gaps() == ["2-19 open -"])
    let health = try await world.call(.get, world.ttn + "/health").json["healing"]
    #expect(health?["isUnderWay"]?.bool == true)
    // Not before it is due.
    try await world.heal(at: world.at(20) + .seconds(1))
    #expect(try await frames(world).count == 9)
    // Another process goes on.
    for minute in 1...3 { try await world.heal(at: world.at(20) + .minutes(minute), restarted: true) }
    #expect(try await frames(world).count == 20)
    #expect(try await world.gaps() == ["2-19 healed -"])
    #expect(try await world.call(.get, world.ttn + "/health").json["healing"]?["isUnderWay"]?.bool == false)
  }

  @Test func `a network that asks to wait is waited for`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.heal(at: world.at(0))
    world.store(sensor, 1...3)
    try await world.deliver(sensor, [1, 3])
    try await world.count(at: world.at(3))
    world.fake.state.with { $0.rateLimited = 1 }
    try await world.heal(at: world.at(3))
    let asked = storageRequests(world)
    // It said 45 seconds.
    try await world.heal(at: world.at(3) + .seconds(44))
    #expect(storageRequests(world) == asked)
    try await world.heal(at: world.at(3) + .seconds(46))
    #expect(try await world.gaps() == ["2-2 healed -"])
  }

  @Test func `after a start, what came meanwhile is fetched before any gap shows`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.heal(at: world.at(1))
    try await world.deliver(sensor, [1])
    // Down from here on; the sensor sends nothing after 3.
    world.store(sensor, [1, 2, 3])
    try await world.heal(at: world.at(4), restarted: true)
    #expect(try await frames(world) == ["1 false", "2 true", "3 true"])
  }

  @Test func `an application that falls silent is asked for`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.deliver(sensor, [1])
    try await world.heal(at: world.at(1))
    world.store(sensor, [1, 2])
    var asked = storageRequests(world)
    for minute in [1, 2, 5, 10, 20] {
      try await world.house.sql(
        "UPDATE ttn_connection_states SET alive_at = $1", [.timestamp(world.at(1) + .minutes(minute))])
      try await world.heal(at: world.at(1) + .minutes(minute))
    }
    #expect(storageRequests(world) == asked)
    try await world.house.sql(
      "UPDATE ttn_connection_states SET alive_at = $1", [.timestamp(world.at(1) + .minutes(30))])
    try await world.heal(at: world.at(1) + .minutes(30))
    asked += 1
    #expect(storageRequests(world) == asked)
    #expect(try await frames(world) == ["1 false", "2 true"])
  }

  @Test func `what nobody can tell is unexplained, and asked again when the storage opens`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.heal(at: world.at(0))
    world.store(sensor, 1...3)
    try await world.deliver(sensor, [1, 3])
    try await world.count(at: world.at(3))
    world.fake.state.with { $0.storageStatus = 403 }
    try await world.heal(at: world.at(3))
    #expect(try await world.gaps() == ["2-2 unexplained storage_unavailable"])
    let page = try await world.call(.get, world.ttn + "/health").json
    #expect(page["gaps"]?["unexplainedFrames"]?.int == 1)
    #expect(page["healing"]?["error"]?.string == "the storage integration cannot be used")
    world.fake.state.with { $0.storageStatus = nil }
    try await world.heal(at: world.at(3) + .minutes(61))
    #expect(try await world.gaps() == ["2-2 healed -"])
  }

  @Test func `a storage that holds nothing of a device explains nothing, and one that reaches not so far neither`()
    async throws
  {
    let world = try await World()
    let (silent, old) = (try await world.sensor(), try await world.sensor())
    try await world.heal(at: world.at(0))
    _ = try await world.call(.put, world.ttn, #"{"storageHours":1}"#)
    try await world.deliver(silent, [17, 19])
    try await world.deliver(old, [1, 3])
    world.store(old, [3])
    try await world.count(at: world.at(20))
    try await world.heal(at: world.at(20))
    #expect(Set(try await world.gaps()) == ["18-18 unexplained not_in_storage", "2-2 unexplained out_of_retention"])
  }

  @Test func `healing twice and over the live stream stores each frame once`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.heal(at: world.at(0))
    world.store(sensor, 1...30)
    try await world.deliver(sensor, [1, 5, 9, 30])
    try await world.count(at: world.at(30))
    async let live: Void = world.deliver(sensor, 2...29)
    try await world.heal(at: world.at(30))
    try await live
    try await world.count(at: world.at(31))
    try await world.heal(at: world.at(31), restarted: true)
    #expect(try await frames(world).count == 30)
    #expect(
      try await world.lines("SELECT DISTINCT state FROM uplink_gaps WHERE state NOT IN ('healed', 'received')").isEmpty)
    #expect(try await world.lines("SELECT 1 FROM reading_anomalies").isEmpty)
  }

  @Test func `uplinks of a device that nobody knows are kept once`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    let stranger = Kitchen.Sensor(id: .v4(), devEUI: "0011223344556677")
    try await world.heal(at: world.at(0))
    world.store(sensor, [1])
    world.store(stranger, [1, 2])
    try await world.deliver(world.uplink(stranger, 1))
    try await world.deliver(sensor, [1])
    for hour in 1...3 { try await world.heal(at: world.at(6 * hour), restarted: true) }
    #expect(try await world.lines("SELECT reason FROM quarantined_uplinks") == ["unknown_device", "unknown_device"])
  }
}
