import Basics
import CPostgreSQL
import FeatureSupport
import Foundation
import HTTP
import Identity
import PostgreSQL
import Runtime
import Telemetry
import TestSupport
import Testing

@testable import Ingest

/// The sender waits for 5 s and is promised half of that. Time passes here only as the test lets it pass, on the loop on which
/// everything runs, so that a slow machine changes nothing: whatever waits for a timer that is due after 2.5 s is not answered.
@Suite("The time that a sender waits", .serialized)
struct PatienceTests {
  /// Each lasts until its end is called.
  private typealias Fault = (name: String, happen: @Sendable (Fragile) throws -> (@Sendable () throws -> Void))

  private static let faults: [Fault] = [
    (
      "stopped",
      { place in
        place.cluster.crash()
        return { try place.cluster.start() }
      }
    ),
    (
      "says nothing (SIGSTOP)",
      { place in
        let processes = place.cluster.processes()
        for process in processes { kill(process, SIGSTOP) }
        return { for process in processes { kill(process, SIGCONT) } }
      }
    ),
    (
      "refuses",
      { place in
        try place.command("ALTER DATABASE kitchen ALLOW_CONNECTIONS false")
        try place.disconnect()
        return { try place.command("ALTER DATABASE kitchen ALLOW_CONNECTIONS true") }
      }
    ),
    ("slow", { try $0.beforeEachReading("PERFORM pg_sleep(3600)") }),
    ("out of disk", { try $0.beforeEachReading("RAISE EXCEPTION 'no space left' USING ERRCODE = 'disk_full'") }),
    (
      "read-only",
      { place in
        try place.command("ALTER DATABASE kitchen SET default_transaction_read_only = on")
        try place.disconnect()
        return {
          try place.command("ALTER DATABASE kitchen RESET default_transaction_read_only")
          try place.disconnect()
        }
      }
    ),
    (
      "out of connections",
      { place in
        let taken = Connections()
        try taken.open(place.url, "SET application_name = ''")
        var isFree = true
        while isFree {
          isFree = taken.takeAll(place.url)
          let others = "FROM pg_stat_activity WHERE datname = 'kitchen' AND application_name <> ''"
          if taken.count("SELECT count(pg_terminate_backend(pid)) \(others)", on: 0) > 0 { isFree = true }
        }
        return { taken.release() }
      }
    ),
  ]

  @Test("whatever is wrong with the database, the answer comes within 2.5 s, and within 2 s when the spool takes it")
  func faults() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    try await kitchen.report(sensor, 3, at: Kitchen.start)
    var minute = 0
    for fault in Self.faults {
      var desks: [(Desk, Reception)] = []
      for key in Desk.Key.allCases {
        for spool in Desk.SpoolState.allCases {
          let desk = Desk(key: key, spool: spool)
          desks.append((desk, try await desk.open(place)))
        }
      }
      let end = try fault.happen(place)
      for (desk, reception) in desks {
        minute += 1
        let message = Kitchen.Uplink(sensor, at: Kitchen.start + .minutes(minute), celsius: 3)
        let what: Comment = "\(fault.name), \(desk)"
        let answer = try await desk.ask(reception, message, at: place)
        switch desk.spool {
        case .works:
          #expect(answer.outcome == "spooled", what)
          #expect(answer.after <= .seconds(2), what)
        case .saysNothing, .isNone:
          #expect(answer.outcome == "503", what)
          #expect(answer.after <= .milliseconds(2500), what)
        }
      }
      try end()
      // Only then: a report that failed would open the circuit, which nothing closes here.
      try await place.until("the database is back after: \(fault.name)") { (try? await kitchen.house.rest()) != nil }
      try await place.until("stored again after: \(fault.name)") {
        try await kitchen.report(sensor, 3, at: Kitchen.start).json["status"]?.string == "duplicate"
      }
    }
  }

  @Test("a key that was looked up slowly leaves the database less time, not the sender more")
  func slowKey() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    try await kitchen.report(sensor, 3, at: Kitchen.start)
    for (minute, spool) in [(1, Desk.SpoolState.works), (2, .saysNothing), (3, .isNone)] {
      let desk = Desk(key: .unseen, spool: spool)
      let reception = try await desk.open(place)
      let holder = Connections()
      try holder.open(place.url, "BEGIN; LOCK TABLE api_keys")
      try holder.open(place.url, "BEGIN; LOCK TABLE sensor_readings")
      let message = Kitchen.Uplink(sensor, at: Kitchen.start + .minutes(minute), celsius: 3)
      let answer = try await desk.ask(reception, message, at: place) { passed in
        guard passed == .milliseconds(650) else { return true }
        // The clock stands until the key is told and the reading waits.
        holder.release(0)
        return holder.count(
          "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'sensor_readings'::regclass", on: 1) > 0
      }
      holder.release()
      #expect(answer.outcome == (spool == .works ? "spooled" : "503"), "\(desk)")
      #expect(answer.after > .milliseconds(1500), "\(desk)")
      #expect(answer.after <= (spool == .works ? .seconds(2) : .milliseconds(2500)), "\(desk)")
    }
    try await kitchen.house.rest()
  }
}

/// Where one request is taken in, and with what.
private struct Desk: CustomStringConvertible {
  enum Key: CaseIterable { case seenJustNow, seenEarlier, unseen }
  enum SpoolState: CaseIterable { case works, saysNothing, isNone }

  let key: Key
  let spool: SpoolState

  var description: String { "key \(key), spool \(spool)" }

  /// As the program wires it, knowing of no fault.
  func open(_ place: Fragile) async throws -> Reception {
    let (key, spool, header) = (key, spool, place.kitchen.key)
    return try await place.kitchen.house.run { database in
      let keys = APIKeys(database: database)
      if key != .unseen {
        let long = key == .seenJustNow ? Duration.zero : .minutes(5)
        let request = try #require(Request(.get, "/", headers: ["X-API-Key": header], received: Self.now - long))
        _ = try await keys.authenticate(request, scope: .ingest)
      }
      let figures = IngestMetrics(Metrics())
      let writer = WriterDoor(
        home: Reactor.current.loop, database: database, clock: .system, log: .none, metrics: figures,
        budget: Reception.writerLimit(hasSpool: spool != .isNone))
      return Reception(
        keys: keys, writer: writer, spool: spool == .isNone ? nil : place.spool, circuit: Circuit(log: .none),
        metrics: figures)
    }
  }

  /// The wall clock of all requests.
  private static let now = WallClock.system.now()

  struct Taken: Sendable {
    var outcome = "nothing"
    var after: Duration = .seconds(1_000)
  }

  /// What became of a message, and when, on the loop's clock. That goes on by 10 ms whenever the loop has had some turns, while
  /// the spool is not writing and `mayPass` of what has passed is true; at 2.5 s it stands.
  func ask(
    _ reception: Reception, _ message: Kitchen.Uplink, at place: Fragile,
    mayPass: @escaping @Sendable (Duration) -> Bool = { _ in true }
  ) async throws -> Taken {
    let (key, isSilent) = (place.kitchen.key, spool == .saysNothing)
    if isSilent { place.spool.writing.suspend() }
    defer { if isSilent { place.spool.writing.resume() } }
    return try await place.kitchen.house.run { _ in
      let request = try #require(
        Request(
          .post, "/api/webhooks/ttn", headers: ["X-API-Key": key], body: Array(message.json.utf8), received: Self.now))
      let reactor = Reactor.current
      let start = MonotonicClock.nanoseconds()
      MonotonicClock.stand(at: start)
      defer { MonotonicClock.stand(at: nil) }
      await Self.turns(reactor)
      let answer = Answered()
      reactor.spawn {
        do {
          answer.taken.outcome =
            switch try await reception.take(request, at: .theThingsStack) {
            case .settled: "settled"
            case .spooled: "spooled"
            }
        } catch {
          answer.taken.outcome = (error as? HTTPError).map { "\($0.status.code)" } ?? "\(error)"
        }
        answer.taken.after = .nanoseconds(Int64(MonotonicClock.nanoseconds() - start))
        answer.isThere = true
      }
      var passed = Duration.zero
      // Of the machine's own clock: only how long one waits to see it fail.
      let patience = ContinuousClock.now + .seconds(20)
      while !answer.isThere, ContinuousClock.now < patience {
        await Self.turns(reactor)
        let isWriting = !isSilent && place.spool.state.withLock { $0.isWriting }
        guard !isWriting, passed < .milliseconds(2500), mayPass(passed) else { continue }
        passed += .milliseconds(10)
        MonotonicClock.stand(at: start + UInt64(passed.microseconds) * 1000)
      }
      return answer.taken
    }
  }

  /// Of one loop.
  private final class Answered {
    var taken = Taken()
    var isThere = false
  }

  /// Enough that what is ready has run, and what PostgreSQL said has been read.
  private static func turns(_ reactor: Reactor) async {
    for _ in 0..<20 {
      await withUnsafeContinuation { continuation in reactor.loop.execute { continuation.resume() } }
    }
  }
}

/// Connections of the test's own.
// @unchecked: used by one test, in one place at a time.
private final class Connections: @unchecked Sendable {
  private var all: [OpaquePointer?] = []

  deinit { release() }

  /// As many as there are. True while there were any left.
  func takeAll(_ url: String) -> Bool {
    var count = 0
    while true {
      let connection = PQconnectdb(url)
      guard PQstatus(connection) == CONNECTION_OK else {
        PQfinish(connection)
        return count > 0
      }
      all.append(connection)
      count += 1
    }
  }

  func open(_ url: String, _ statements: String) throws {
    all.append(PQconnectdb(url))
    execute(statements, on: all.count - 1)
  }

  func execute(_ statements: String, on place: Int) { PQclear(PQexec(all[place], statements)) }

  func count(_ statement: String, on place: Int) -> Int {
    let result = PQexec(all[place], statement)
    defer { PQclear(result) }
    return PQgetvalue(result, 0, 0).flatMap { Int(String(cString: $0)) } ?? 0
  }

  func release(_ place: Int) {
    PQfinish(all[place])
    all[place] = nil
  }

  func release() {
    for connection in all { PQfinish(connection) }
    all = []
  }
}

extension Fragile {
  fileprivate var url: String { cluster.url(database: "kitchen") }

  fileprivate func command(_ statement: String) throws { try TestCluster.command(cluster.url(), statement) }

  /// Everybody who is connected to the kitchen.
  fileprivate func disconnect() throws {
    try command("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'kitchen'")
  }

  fileprivate func beforeEachReading(_ statement: String) throws -> @Sendable () throws -> Void {
    try TestCluster.command(
      url,
      """
      CREATE FUNCTION fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \(statement); RETURN NEW; END $$;
      CREATE TRIGGER fault BEFORE INSERT ON sensor_readings FOR EACH ROW EXECUTE FUNCTION fault()
      """)
    return {
      try self.disconnect()
      try TestCluster.command(self.url, "DROP FUNCTION fault() CASCADE")
    }
  }
}
