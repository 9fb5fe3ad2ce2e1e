import Basics
import FeatureSupport
import Foundation
import JSON
import Migrations
import PostgreSQL
import Runtime
import TestSupport
import Testing

@testable import Ingest

private typealias Uplink = Kitchen.Uplink

@Suite("When something is wrong", .serialized)
struct IngestFaultTests {
  @Test("a message that cannot be stored goes into quarantine, and its neighbours do not")
  func poison() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.house.sql("ALTER TABLE sensor_readings ADD CONSTRAINT poison CHECK (temperature <> 6.66)")
    let messages = (0..<20).map { minute in
      Uplink(sensor, at: Kitchen.start + .minutes(minute), celsius: minute == 7 || minute == 13 ? 6.66 : 3)
    }
    let names = try await kitchen.write(messages).map(\.name)
    #expect(names == (0..<20).map { $0 == 7 || $0 == 13 ? "refused" : "stored" })
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 18)
    let kept = try await kitchen.house.sql("SELECT reason, body FROM quarantined_uplinks ORDER BY id")
    #expect(try kept.map { try $0.text(0) } == ["refused", "refused"])
    #expect(try Set(kept.map { try $0.bytes(1) }) == Set([7, 13].map { Array(messages[$0].json.utf8) }))
  }

  @Test("what is quarantined and what is ignored does not hold up the rest of its batch")
  func mixed() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let good = Uplink(sensor, at: Kitchen.start, celsius: 3)
    let stranger = Uplink(Kitchen.Sensor(id: .v4(), devEUI: "0011223344556677"), at: Kitchen.start, celsius: 3)
    var torn = Uplink(sensor, at: Kitchen.start + .minutes(1))
    torn.payload = [1, 2, 3]
    // Only MAC commands.
    let empty = Uplink(sensor, at: Kitchen.start + .minutes(2))
    let next = Uplink(sensor, at: Kitchen.start + .minutes(10), celsius: 3)
    let names = try await kitchen.write([good, stranger, torn, empty, good, next]).map(\.name)
    #expect(names == ["stored", "unknown_device", "undecodable", "ignored", "duplicate", "stored"])
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 2)
  }

  @Test("while the database is away the answer is 503, and when it is back it is taken again")
  func away() async throws {
    let root = "/tmp/freshtrack-away-\(getpid())"
    let cluster = PrivateCluster(directory: root + "/data", socketDirectory: root)
    try cluster.start()
    defer {
      cluster.stop()
      removeTree(root)
    }
    let place = try await cluster.makeDatabase("kitchen", Migrations.all)
    let kitchen = try await Kitchen(on: place)
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    #expect(try await kitchen.report(sensor, 3, at: Kitchen.start).status == 200)
    cluster.crash()
    let clock = ContinuousClock()
    let asked = clock.now
    let refused = try await kitchen.report(sensor, 3, at: Kitchen.start + .minutes(10))
    #expect(refused.status == 503)
    #expect(refused.headers["retry-after"] == "5")
    #expect(refused.errorCode == "UNAVAILABLE")
    // The sender waits 5 s: half of that is promised, the other half is for a machine that is busy with tests.
    #expect(clock.now - asked < .seconds(5))
    try cluster.start()
    var answer = refused
    for _ in 0..<10 where answer.status == 503 {
      answer = try await kitchen.report(sensor, 3, at: Kitchen.start + .minutes(10))
    }
    #expect(answer.json["status"]?.string == "stored", "\(answer)")
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 2)
  }

  @Test("a database that neither answers nor fails is not waited for")
  func hanging() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    try await kitchen.report(sensor, 3, at: Kitchen.start)
    let (locked, release) = (Gate(), Gate())
    async let holder: Void = kitchen.house.run { database in
      try await database.transaction { connection in
        try await connection.execute("LOCK TABLE sensor_readings")
        locked.open()
        await release.pass()
      }
    }
    await locked.pass()
    let first = try await kitchen.report(sensor, 3, at: Kitchen.start + .minutes(10))
    #expect(first.status == 503)
    // This one has waited behind the flush that hangs.
    let second = try await kitchen.report(sensor, 3, at: Kitchen.start + .minutes(20))
    #expect(second.status == 503)
    release.open()
    try await holder
    let again = try await kitchen.report(sensor, 3, at: Kitchen.start + .minutes(20))
    #expect(again.status == 200)
    #expect(
      try await kitchen.count(
        "SELECT count(*) FROM sensor_readings WHERE recorded_at = $1",
        [.timestamp(Kitchen.start + .minutes(20))]) == 1)
  }

  @Test("a batch whose commit was in doubt is done again without harm")
  func again() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let good = Uplink(sensor, at: Kitchen.start, celsius: 3)
    var torn = good
    torn.port = 300
    let intakes = try [good, torn].map(kitchen.intake)
    let names = try await kitchen.house.run { database in
      try await database.withConnection { connection in
        var names: [[String]] = []
        for _ in 1...2 {
          let batch = Batch(intakes: intakes, now: Kitchen.start)
          names.append(try await batch.commit(Memory(), on: connection).map(\.name))
        }
        return names
      }
    }
    #expect(names == [["stored", "malformed"], ["duplicate", "malformed"]])
    #expect(try await kitchen.count("SELECT count(*) FROM quarantined_uplinks") == 1)
  }

  @Test("two writers that bring readings of one unit at once see one incident")
  func concurrent() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.commit([Uplink(sensor, at: Kitchen.start, celsius: 3)], at: Kitchen.start)
    let messages = [10, 12].map { Uplink(sensor, at: Kitchen.start + .minutes($0), celsius: Double($0)) }
    let outcomes = try await kitchen.house.run { database in
      let intakes = try messages.map(kitchen.intake)
      let outcomes = Outcomes()
      try await database.transaction { holder in
        try await holder.execute("SELECT FROM unit_states FOR UPDATE")
        for intake in intakes {
          outcomes.tasks.append(
            Reactor.current.spawn {
              do {
                outcomes.names += try await database.withConnection { connection in
                  try await Batch(intakes: [intake], now: Kitchen.start + .minutes(13))
                    .commit(Memory(), on: connection).map(\.name)
                }
              } catch {
                outcomes.names.append("\(error)")
              }
            })
        }
        // Until both wait for the lock.
        var waiting: Int64 = 0
        while waiting < 2 {
          _ = try await holder.query("SELECT pg_stat_clear_snapshot()")
          waiting = try await holder.query(
            """
            SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
            """)[0].int(0)
        }
      }
      for task in outcomes.tasks { await task.finished() }
      return outcomes.names
    }
    #expect(outcomes == ["stored", "stored"])
    #expect(try await kitchen.incidents(of: unit) == ["10 - - - 12.00 12 0 high"])
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active warning active 10"])
  }

  /// Of tasks on one loop.
  private final class Outcomes {
    var tasks: [LoopTask] = []
    var names: [String] = []
  }
}
