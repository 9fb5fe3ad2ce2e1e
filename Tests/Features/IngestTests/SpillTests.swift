import Basics
import FeatureSupport
import Foundation
import Synchronization
import Testing

@testable import Ingest

private typealias Uplink = Kitchen.Uplink

extension Kitchen {
  /// A sensor that was late, or that a clock made so, has alerts of its own.
  fileprivate func alarms(of unit: Basics.UUID) async throws -> [String] {
    try await alerts(of: unit).filter { $0.hasPrefix("alarm_active") }
  }
}

@Suite("While the database is away", .serialized)
struct SpillTests {
  @Test("uplinks are kept on disk and acknowledged, and are in the database when it is back, dated as they came")
  func outage() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.startReplay()
    #expect(try await kitchen.report(sensor, 3, at: Kitchen.start).json["status"]?.string == "stored")
    place.cluster.crash()
    let clock = ContinuousClock()
    let before = WallClock.system.now()
    let first = clock.now
    for minute in 1...30 {
      let answer = try await kitchen.report(sensor, minute < 10 ? 3 : 12, at: Kitchen.start + .minutes(minute))
      #expect(answer.status == 200)
      #expect(answer.json["status"]?.string == "spooled", "\(answer)")
      #expect(answer.json["success"]?.bool == true)
    }
    // Only the first waits for the database; each may take 2.5 s, and the machine is busy with tests.
    #expect(clock.now - first < .seconds(10))
    let after = WallClock.system.now()
    #expect(place.spool.figures.depth == 30)
    #expect(place.spool.concern?.hasPrefix("30 requests wait for the database") == true)
    try place.cluster.start()
    try await place.untilDrained()
    #expect(place.spool.concern == nil)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 31)
    #expect(
      try await kitchen.count(
        "SELECT count(*) FROM sensor_readings WHERE received_at BETWEEN $1 AND $2",
        [.timestamp(before), .timestamp(after)]) == 30)
    #expect(try await kitchen.alerts(of: unit).count == 1)
    try await place.until("what comes is stored at once") {
      try await kitchen.report(sensor, 12, at: Kitchen.start + .minutes(31)).json["status"]?.string == "stored"
    }
    #expect(place.figure("spool_replayed_total") == 30)
    try await kitchen.stopReplay()
  }

  @Test("readings of other senders are kept too, and those that are not theirs are set aside")
  func samples() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let unit = try await kitchen.unit()
    func send(_ unit: Basics.UUID, _ minutes: [Int]) async throws -> Answer {
      let items = minutes.map {
        #"{"unitId":"\#(unit)","temperature":3.5,"recordedAt":"\#((Kitchen.start + .minutes($0)).rfc3339)"}"#
      }
      return try await kitchen.house.call(
        .post, "/api/ingest/readings", #"{"readings":[\#(items.joined(separator: ","))]}"#,
        headers: [("X-API-Key", kitchen.key)])
    }
    #expect(try await send(unit, [0]).status == 200)
    place.cluster.crash()
    let spooled = try await send(unit, [0, 10, 20])
    #expect(spooled.status == 200)
    #expect(spooled.json["status"]?.string == "spooled")
    #expect(spooled.json["results"]?.count == 3)
    #expect(try await send(.v4(), [30]).status == 200)
    let invalid = try await kitchen.house.call(
      .post, "/api/ingest/readings", #"{"readings":[{"unitId":"\#(unit)"}]}"#, headers: [("X-API-Key", kitchen.key)])
    #expect(invalid.status == 400)
    try place.cluster.start()
    try await kitchen.startReplay()
    try await place.untilDrained()
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 3)
    #expect(place.figure("spool_bad_total") == 1)
    try await kitchen.stopReplay()
  }

  @Test("a key that nobody can be asked about is looked at later; a wrong one stores nothing")
  func keys() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    place.cluster.crash()
    // The secret may hold an underscore itself.
    let secret = String(kitchen.key.split(separator: "_", maxSplits: 2)[2])
    let wrong = kitchen.key.dropLast(4) + "AAAA"
    // Neither key has been seen.
    #expect(
      try await kitchen.send(Uplink(sensor, at: Kitchen.start, celsius: 3).json).json["status"]?.string == "spooled")
    #expect(
      try await kitchen.send(Uplink(sensor, at: Kitchen.start + .minutes(1), celsius: 3).json, key: String(wrong))
        .status
        == 200)
    #expect(try await kitchen.send("{}", key: "short").status == 401)
    #expect(try await kitchen.send("no JSON").status == 400)
    let files = try FileManager.default.contentsOfDirectory(atPath: place.root + "/spool")
    for file in files where file.hasSuffix(".spool") {
      let data = try Data(contentsOf: URL(fileURLWithPath: place.root + "/spool/" + file))
      #expect(data.range(of: Data(secret.utf8)) == nil, "the secret of a key is never written")
    }
    try place.cluster.start()
    try await kitchen.startReplay()
    try await place.untilDrained()
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 1)
    #expect(try await kitchen.count("SELECT count(*) FROM quarantined_uplinks") == 0)
    #expect(place.figure("spool_bad_total") == 1)
    try await kitchen.stopReplay()
  }

  @Test("what is replayed twice is in the database once, quarantine included")
  func twice() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let stranger = Kitchen.Sensor(id: .v4(), devEUI: "0011223344556677")
    try await kitchen.report(sensor, 3, at: Kitchen.start)
    place.cluster.crash()
    for minute in 1...5 {
      try await kitchen.report(sensor, 3, at: Kitchen.start + .minutes(minute))
      try await kitchen.report(stranger, 3, at: Kitchen.start + .minutes(minute))
    }
    #expect(try await kitchen.send(#"{"nothing":"known"}"#).json["status"]?.string == "spooled")
    let copy = place.root + "/copy"
    try FileManager.default.copyItem(atPath: place.root + "/spool", toPath: copy)
    try place.cluster.start()
    try await kitchen.startReplay()
    try await place.untilDrained()
    try await kitchen.stopReplay()
    // As after a crash between the commit and the removal.
    let again = try Spool(path: copy, bytesMax: 64 << 20)
    let second = try await Kitchen(on: kitchen.house.database.configuration, spool: again)
    try await second.startReplay()
    try await place.until("the copy is empty") { again.figures.depth == 0 }
    try await second.stopReplay()
    again.close()
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 6)
    #expect(try await kitchen.count("SELECT count(*) FROM quarantined_uplinks") == 6)
  }

  @Test("what a sender tries again on its schedule is stored once, and raises one alarm")
  func retries() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.report(sensor, 3, at: Kitchen.start)
    let messages = [10, 20, 30].map { Uplink(sensor, at: Kitchen.start + .minutes($0), celsius: 12).json }
    // Six more attempts within 72 minutes, by a sender that did not get the answer; the database goes and comes meanwhile.
    for (attempt, minute) in [0, 1, 4, 10, 22, 46, 72].enumerated() {
      if attempt == 1 || attempt == 5 { place.cluster.crash() }
      if attempt == 3 {
        try place.cluster.start()
        try await kitchen.startReplay()
        try await place.untilDrained()
      }
      kitchen.setClock(Kitchen.start + .minutes(30 + minute))
      for message in messages { #expect(try await kitchen.send(message).status == 200) }
    }
    try place.cluster.start()
    try await place.untilDrained()
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 4)
    #expect(try await kitchen.alarms(of: unit).count == 1)
    try await kitchen.stopReplay()
  }

  @Test("a clock that is set back or ahead by an hour loses nothing, and the alarm comes")
  func clockSteps() async throws {
    let time = Time()
    let kitchen = try await Kitchen(clock: WallClock { time.now })
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    var sent = 0
    func report(_ celsius: Double, minutesAgo: Int) async throws {
      let message = Uplink(sensor, at: WallClock.system.now() - .minutes(minutesAgo), celsius: celsius).json
      #expect(try await kitchen.send(message).json["status"]?.string == "stored")
      #expect(try await kitchen.send(message).json["status"]?.string == "duplicate")
      sent += 1
    }
    try await report(3, minutesAgo: 40)
    time.offset = .hours(-1)
    try await report(12, minutesAgo: 30)
    time.offset = .hours(1)
    try await report(12, minutesAgo: 20)
    time.offset = .hours(-1)
    try await report(12, minutesAgo: 10)
    #expect(try await kitchen.send("{}", key: kitchen.key + "x").status == 401)
    time.offset = .zero
    try await report(12, minutesAgo: 0)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == sent)
    #expect(try await kitchen.count("SELECT count(*) FROM quarantined_uplinks") == 0)
    #expect(try await kitchen.alarms(of: unit).count == 1)
  }

  /// The clock of the machine, as somebody has set it.
  private final class Time: Sendable {
    private let shift = Mutex(Duration.zero)
    var offset: Duration {
      get { shift.withLock { $0 } }
      set { shift.withLock { $0 = newValue } }
    }
    var now: Instant { WallClock.system.now() + offset }
  }
}
