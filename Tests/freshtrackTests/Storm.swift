import Basics
import Foundation
import JSON
import PostgreSQL
import Runtime
import TestSupport

@testable import freshtrack

/// Simulated sensors that report all the time, while things go wrong, and the account of it afterwards.
final class Storm {
  let place: Installation
  private(set) var server: Process
  private let simulators: [Process]
  private let ports: [UInt16]
  private let demo: DemoOrganization
  private let token: String
  private var servers = 1
  private var excursions: [(name: String, unit: Basics.UUID)] = []
  /// The longest that an uplink of an excursion waited for its answer.
  private(set) var slowest: Duration = .zero

  /// - Parameter ports: of servers that another has started; each gets sensors that tell it the same.
  init(_ place: Installation, rate: Int = 400, ports: [UInt16] = []) throws {
    self.place = place
    server = try place.serve(0)
    let database = Database(try DatabaseConfiguration(url: place.url))
    let now = WallClock.system.now()
    demo = try DemoOrganization.make(on: database, now: now)
    token = try demo.token(on: database, now: now)
    try demo.furnish(try place.target, token: token, since: now - .hours(1))
    try place.command("UPDATE organizations SET sensor_limit = 1000")
    let (demo, token) = (demo, token)
    simulators = try ([place.port] + ports).map { port in
      try place.run(
        [
          "simulate", "--url", "http://127.0.0.1:\(port)", "--key", demo.ingestKey, "--org", "\(demo.organizationId)",
          "--token", token, "--rate", "\(rate)", "--log-acknowledged", "\(place.root)/acknowledged-\(port)",
        ], log: "simulator-\(port).log")
    }
    self.ports = [place.port] + ports
  }

  deinit {
    for process in simulators + [server] where process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) }
    for process in simulators + [server] { process.waitUntilExit() }
  }

  // MARK: - Under load

  /// A line that is not ended was being written.
  func acknowledged() -> [String] {
    ports.flatMap { place.text(of: "acknowledged-\($0)").components(separatedBy: "\n").dropLast() }
  }

  /// How far the files of what is acknowledged have been read, and the lines until there: they become long.
  private var counted: [UInt16: (end: UInt64, lines: Int)] = [:]

  private func acknowledgedCount() throws -> Int {
    for port in ports {
      var (end, lines) = counted[port] ?? (0, 0)
      guard let file = FileHandle(forReadingAtPath: "\(place.root)/acknowledged-\(port)") else { continue }
      try file.seek(toOffset: end)
      let new = try file.readToEnd() ?? Data()
      try file.close()
      end += UInt64(new.count)
      lines += new.count { $0 == 0x0A }
      counted[port] = (end, lines)
    }
    return counted.values.reduce(0) { $0 + $1.lines }
  }

  /// Returns when so many more uplinks are acknowledged.
  func more(_ count: Int = 200, _ what: String = "") throws {
    let goal = try acknowledgedCount() + count
    try place.until(
      "\(count) more are acknowledged \(what): \(place.text(of: "simulator-\(place.port).log").suffix(200))"
    ) {
      if !server.isRunning {
        throw Broken(description: "\(what): \(place.text(of: "server-\(servers - 1).log").suffix(2000))")
      }
      return try acknowledgedCount() >= goal
    }
  }

  /// kill -9, and another in its place.
  func replaceServer(whileAway: () throws -> Void = {}) throws {
    Foundation.kill(server.processIdentifier, SIGKILL)
    server.waitUntilExit()
    try whileAway()
    server = try place.serve(servers)
    servers += 1
  }

  // MARK: - An excursion that begins now

  /// A unit of its own, which is warm from now on. What its sensor sends is sent again until it is acknowledged.
  func beginExcursion(_ name: String) throws -> (Basics.UUID, String) {
    let area = try rows("SELECT a.site_id, a.id FROM areas a WHERE a.organization_id = $1 LIMIT 1")[0]
    var http = PlainHTTP(try place.target, headers: [("Authorization", "Bearer \(token)")])
    let root = "/api/orgs/\(demo.organizationId)"
    func make(_ path: String, _ body: String) throws -> String {
      let (status, answer) = try http.send("POST", root + path, body: Array(body.utf8))
      guard status == 201, let id = try JSONDocument(answer).root["id"]?.string else {
        throw Broken(description: "POST \(path): \(status) \(String(decoding: answer, as: UTF8.self))")
      }
      return id
    }
    let unit = try make(
      "/sites/\(try area.uuid(0))/areas/\(try area.uuid(1))/units",
      #"{"name":"\#(name)","unitType":"fridge","tempUnit":"C","tempMin":0,"tempMax":5,"expectedIntervalSeconds":600}"#)
    let eui = Hex.encode(SecureRandom.bytes(8)).uppercased()
    _ = try make(
      "/devices", #"{"name":"\#(name)","devEui":"\#(eui)","model":"lht65n","status":"active","unitId":"\#(unit)"}"#)
    guard let id = Basics.UUID(unit) else { throw Broken(description: unit) }
    excursions.append((name, id))
    try report(eui, celsius: 3, minutesAgo: 40)
    return (id, eui)
  }

  /// The warm readings, while whatever is the matter is the matter.
  func warm(_ eui: String) throws {
    for minutes in [30, 20, 10, 0] { try report(eui, celsius: 12, minutesAgo: minutes) }
  }

  private func report(_ eui: String, celsius: Double, minutesAgo: Int) throws {
    let time = (WallClock.system.now() - .minutes(minutesAgo)).rfc3339
    let body = """
      {"end_device_ids":{"device_id":"eui-\(eui.lowercased())","application_ids":{"application_id":"demo"},
      "dev_eui":"\(eui)"},"uplink_message":{"session_key_id":"AYx=","f_port":2,"f_cnt":\(100 - minutesAgo),
      "decoded_payload":{"BatV":3.1,"TempC_SHT":19.5,"Hum_SHT":40.8,"TempC_DS":\(celsius)},"received_at":"\(time)"}}
      """
    let clock = ContinuousClock()
    for port in ports {
      var http = PlainHTTP(try HTTPTarget("http://127.0.0.1:\(port)"), headers: [("X-API-Key", demo.ingestKey)])
      try place.until("an excursion's uplink is acknowledged") {
        let asked = clock.now
        guard let (status, _) = try? http.send("POST", "/api/webhooks/ttn", body: Array(body.utf8)) else {
          return false
        }
        slowest = max(slowest, clock.now - asked)
        return (200..<300).contains(status)
      }
    }
  }

  // MARK: - The account

  struct Account: Sendable {
    var acknowledged = 0
    /// Acknowledged and not in the database.
    var lost: [String] = []
    /// More than once in the database.
    var twice: [String] = []
    /// Units whose excursion has another number of alerts than one.
    var wrongAlerts: [String] = []
    var slowest: Duration = .zero
    var spooled = 0.0
    var report = ""

    /// Nil when every 2xx is in the database exactly once, and every excursion has its alert.
    var complaint: String? {
      if lost.isEmpty, twice.isEmpty, wrongAlerts.isEmpty { return nil }
      return
        "of \(acknowledged) lost \(lost.count) (\(lost.first ?? "")), twice \(twice.count) (\(twice.first ?? "")), "
        + "wrong alerts: \(wrongAlerts); \(report)"
    }
  }

  /// Ends the load, waits for the spool to be empty, and looks.
  func account() throws -> Account {
    // Not asked to end: a process that a thread of Dispatch starts has its signals blocked.
    for simulator in simulators {
      Foundation.kill(simulator.processIdentifier, SIGKILL)
      simulator.waitUntilExit()
    }
    try drain()
    var account = Account()
    account.spooled = try figure("spool_appended_total") ?? 0
    account.slowest = slowest
    account.report = String(place.text(of: "simulator-\(place.port).log").suffix(300))
    var stored: [String: Int] = [:]
    for row in try rows(
      """
      SELECT d.dev_eui, r.f_cnt, r.recorded_at, count(*) FROM sensor_readings r JOIN devices d ON d.id = r.device_id
      WHERE r.organization_id = $1 GROUP BY 1, 2, 3
      """)
    {
      let key = "\(try row.text(0)),\(try row.optionalInt(1) ?? 0),\(try row.instant(2).rfc3339Microseconds)"
      stored[key, default: 0] += Int(try row.int(3))
    }
    let acknowledged = acknowledged()
    account.acknowledged = acknowledged.count
    // Of two simulators that give one sensor two frames in the same microsecond, one frame is an anomaly.
    let anomalies = Set(
      try rows(
        """
        SELECT d.dev_eui, a.f_cnt, a.recorded_at FROM reading_anomalies a JOIN devices d ON d.id = a.device_id
        WHERE a.organization_id = $1
        """
      ).map { "\(try $0.text(0)),\(try $0.optionalInt(1) ?? 0),\(try $0.instant(2).rfc3339Microseconds)" })
    account.lost = acknowledged.filter { stored[$0] == nil && !anomalies.contains($0) }
    account.twice = stored.filter { $0.value > 1 }.map(\.key)
    for (name, unit) in excursions {
      let count = try rows(
        "SELECT count(*) FROM alerts WHERE organization_id = $1 AND unit_id = $2 AND alert_type = 'alarm_active'",
        [.uuid(unit)])[0].int(0)
      if count != 1 { account.wrongAlerts.append("\(name): \(count)") }
    }
    return account
  }

  /// Returns when nothing waits in any spool, however long that takes, as long as it becomes less.
  private func drain() throws {
    var least = Double.infinity
    while least > 0 {
      var waiting = least
      do {
        try place.until("the spool is emptier than \(least)") {
          if !server.isRunning { throw Broken(description: "the server has ended") }
          waiting = try ports.reduce(0) { $0 + (try figure("spool_records", of: $1) ?? .infinity) }
          return waiting < least
        }
      } catch {
        let log = place.text(of: "server-\(servers - 1).log").suffix(3000)
        throw Broken(description: "\(error)\n\((try? health()) ?? "no answer")\n\(log)")
      }
      least = waiting
    }
  }

  /// One figure of the server, as its metrics page has it.
  func figure(_ name: String, of port: UInt16? = nil) throws -> Double? {
    var http = PlainHTTP(try port.map { try HTTPTarget("http://127.0.0.1:\($0)") } ?? place.target)
    return TestSupport.figure(name, in: try http.send("GET", "/metrics").1)
  }

  func health() throws -> String {
    var http = PlainHTTP(try place.target)
    return String(decoding: try http.send("GET", "/health").1, as: UTF8.self)
  }

  /// `$1` is the organization.
  private func rows(_ sql: SQL, _ parameters: [Value] = []) throws -> Rows {
    let configuration = try DatabaseConfiguration(url: place.url)
    let organization = demo.organizationId
    return try EventLoop.run {
      let database = Database(configuration)
      defer { database.close() }
      return try await database.query(sql, [.uuid(organization)] + parameters)
    }
  }
}
