import Basics
import Dispatch
import Migrations
import PostgreSQL
import Synchronization
import TestSupport
import Testing

@testable import freshtrack

/// Runs what blocks on a thread of its own: the pool of the tests has few.
func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
  try await withCheckedThrowingContinuation { continuation in
    DispatchQueue(label: "blocking").async { continuation.resume(with: Result { try body() }) }
  }
}

struct Place: Sendable {
  let database: TestDatabase

  init(migrated: Bool = true) async throws {
    database = try await TestCluster.database(template: migrated ? Migrations.all : [])
  }

  var url: String { "host=\(database.configuration.host ?? "") user=postgres dbname=\(database.name)" }

  func settings(_ more: [String: String] = [:]) throws -> Settings {
    let own = [
      "DATABASE_URL": url, "AUTH_MODE": "local", "HOST": "127.0.0.1", "PORT": "0", "LOG_LEVEL": "error", "LOOPS": "2",
      "RATE_LIMIT_MAX": "0",
    ]
    return try Settings(environment: own.merging(more) { $1 }, for: .server)
  }

  func count(_ sql: SQL) async throws -> Int {
    let configuration = database.configuration
    return try await onLoop {
      let database = Database(configuration)
      defer { database.close() }
      return Int(try await database.query(sql)[0].int(0))
    }
  }
}

func target(_ server: Server) throws -> HTTPTarget { try HTTPTarget("http://\(server.address)") }

private func get(_ server: Server, _ path: String, _ headers: [(String, String)] = []) throws -> (Int, String) {
  var http = PlainHTTP(try target(server), headers: headers)
  let (status, body) = try http.send("GET", path)
  return (status, String(decoding: body, as: UTF8.self))
}

@Suite("The whole server")
struct ServerTests {
  @Test("it is healthy, ready and alive, and shows its figures")
  func health() async throws {
    let place = try await Place()
    try await blocking {
      let server = try Server(place.settings(), work: .requests)
      defer { server.stop() }
      let (status, health) = try get(server, "/health")
      #expect(status == 200)
      #expect(health.hasPrefix(#"{"status":"healthy","uptime":"#))
      for check in ["database", "migrations", "jobs", "event_loop", "memory"] {
        #expect(health.contains(#""\#(check)":{"status":"pass""#), "\(check)")
      }
      #expect(try get(server, "/health/ready").1 == #"{"ready":true}"#)
      #expect(try get(server, "/health/live").1 == #"{"alive":true}"#)
      let (_, page) = try get(server, "/metrics")
      #expect(page.contains("# TYPE http_requests_total counter"))
      #expect(page.contains("process_resident_memory_bytes "))
      let (_, open) = try get(server, "/metrics", [("Accept", "application/openmetrics-text; version=1.0.0")])
      #expect(open.hasSuffix("# EOF\n"))
      #expect(try get(server, "/metrics", [("X-Forwarded-For", "203.0.113.9")]).0 == 404)
    }
  }

  @Test("a demo restaurant is made over the API, and its history is all there")
  func demo() async throws {
    let place = try await Place()
    let sent = try await blocking {
      let settings = try place.settings()
      let server = try Server(settings, work: .everything)
      defer { server.stop() }
      let database = Database(place.database.configuration)
      let now = WallClock.system.now()
      let demo = try DemoOrganization.make(on: database, now: now)
      let token = try demo.token(on: database, now: now)
      let history = DemoHistory(before: now)
      try demo.furnish(try target(server), token: token, since: history.start - .hours(1))
      let report = history.send(to: try target(server), key: demo.ingestKey, sensors: DemoPlan.sensors(session: 1))
      #expect(report.byOutcome == ["stored": history.uplinkCount], "\(report.line)")
      let (status, units) = try get(
        server, "/api/orgs/\(demo.organizationId)/units", [("Authorization", "Bearer \(token)")])
      #expect(status == 200)
      for unit in DemoPlan.units { #expect(units.contains(#""name":"\#(unit.name)""#)) }
      return history.uplinkCount
    }
    #expect(try await place.count("SELECT count(*) FROM sensor_readings WHERE unit_id IS NOT NULL") == sent)
  }

  @Test("stopped in the middle of a storm, it has everything that it acknowledged")
  func stop() async throws {
    let place = try await Place()
    let acknowledged = try await blocking {
      let server = try Server(place.settings(), work: .requests)
      let database = Database(place.database.configuration)
      let demo = try DemoOrganization.make(on: database, now: WallClock.system.now())
      let token = try demo.token(on: database, now: WallClock.system.now())
      try demo.furnish(try target(server), token: token, since: WallClock.system.now() - .hours(1))
      var plan = LoadClient.Plan(target: try target(server), apiKey: demo.ingestKey)
      plan.connections = 8
      plan.patience = .seconds(1)
      let clock = WallClock.system
      var source = UplinkSource(
        sensors: DemoPlan.sensors(session: 2), scenario: .duplicates, started: clock.now(), seed: 3)
      var instants: Set<String> = []
      let stopped = Atomic<Bool>(false)
      let ended = DispatchSemaphore(value: 0)
      var client = LoadClient(
        plan, isStopping: { stopped.load(ordering: .relaxed) },
        acknowledge: { uplink in
          let isNew = instants.insert("\(uplink.devEUI) \(uplink.recordedAt.microseconds)").inserted
          guard isNew, instants.count == 300 else { return }
          DispatchQueue(label: "stop").async {
            server.stop()
            stopped.store(true, ordering: .relaxed)
            ended.signal()
          }
        }
      ) { source.next(at: clock.now()) }
      let report = client.run { _ in }
      ended.wait()
      #expect(report.byStatus.keys.allSatisfy { $0 == 200 || $0 == 503 }, "\(report.line)")
      return instants.count
    }
    #expect(acknowledged >= 300)
    #expect(try await place.count("SELECT count(*) FROM sensor_readings") >= acknowledged)
  }

  @Test("read-only, it refuses what users write and takes what sensors send")
  func readOnly() async throws {
    let place = try await Place()
    try await blocking {
      let server = try Server(place.settings(["READ_ONLY": "true"]), work: .requests)
      defer { server.stop() }
      var http = PlainHTTP(try target(server))
      let (write, _) = try http.send("POST", "/api/orgs", body: Array("{}".utf8))
      let (uplink, _) = try http.send("POST", "/api/webhooks/ttn", body: Array("{}".utf8))
      let (read, _) = try http.send("GET", "/api/orgs")
      #expect(write == 503)
      #expect(uplink == 401)
      #expect(read == 401)
    }
  }

  @Test("a port that is taken, a missing schema and an absent database are each told apart")
  func refusals() async throws {
    let place = try await Place()
    let bare = try await Place(migrated: false)
    try await blocking {
      func code(_ settings: Settings) -> Failure.Code? {
        do {
          try Server(settings, work: .requests).stop()
          return nil
        } catch { return (error as? Failure)?.code }
      }
      #expect(code(try bare.settings()) == .schema)
      #expect(code(try place.settings(["DATABASE_URL": "host=/nowhere dbname=x"])) == .unavailable)
      #expect(code(try place.settings(["DATABASE_URL": "nonsense://"])) == .settings)
      let first = try Server(place.settings(), work: .requests)
      defer { first.stop() }
      #expect(code(try place.settings(["PORT": String(first.address.port)])) == .system)
      #expect(code(try place.settings(["HOST": "example.com"])) == .settings)
    }
  }
}
