import Basics
import Dispatch
import Foundation
import Migrations
import PostgreSQL
import Runtime
import TestSupport
import Testing

@testable import freshtrack

private struct Broken: Error, CustomStringConvertible {
  let description: String
}

/// The program itself, as a process of its own, on a durable database of its own.
private final class Installation: Sendable {
  let root = "/tmp/freshtrack-kill-\(getpid())"
  let cluster: PrivateCluster
  let port: UInt16

  init() throws {
    cluster = PrivateCluster(directory: root + "/data", socketDirectory: root, isDurable: true)
    try cluster.start()
    try TestCluster.command(cluster.url(), "CREATE DATABASE freshtrack")
    port = try Self.freePort()
    let configuration = try DatabaseConfiguration(url: url)
    try EventLoop.run {
      let database = Database(configuration)
      defer { database.close() }
      try await Migrator(migrations: Migrations.all).apply(on: database)
    }
  }

  func remove() {
    cluster.stop()
    removeTree(root)
  }

  var url: String { cluster.url(database: "freshtrack") }
  var target: HTTPTarget { get throws { try HTTPTarget("http://127.0.0.1:\(port)") } }

  /// Beside the program of the tests.
  private static var program: URL {
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
      .appendingPathComponent("freshtrack")
  }

  /// A port that was free a moment ago.
  private static func freePort() throws -> UInt16 {
    let listener = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length) == 0 && getsockname(listener, $0, &length) == 0
      }
    }
    guard bound else { throw Broken(description: "no port") }
    return UInt16(bigEndian: address.sin_port)
  }

  func run(_ arguments: [String], log: String) throws -> Process {
    let process = Process()
    process.executableURL = Self.program
    process.arguments = arguments
    process.environment = [
      "DATABASE_URL": url, "AUTH_MODE": "local", "HOST": "127.0.0.1", "PORT": String(port), "LOOPS": "2",
      "LOG_LEVEL": "info", "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "",
    ]
    _ = FileManager.default.createFile(atPath: root + "/" + log, contents: nil)
    let output = try FileHandle(forWritingTo: URL(fileURLWithPath: root + "/" + log))
    process.standardOutput = output
    process.standardError = output
    try process.run()
    return process
  }

  /// Starts a server and returns once it is ready.
  func serve(_ number: Int) throws -> Process {
    let process = try run(["serve"], log: "server-\(number).log")
    var http = PlainHTTP(try target)
    try until("server \(number) is ready") {
      if !process.isRunning { throw Broken(description: text(of: "server-\(number).log")) }
      return (try? http.send("GET", "/health/ready"))?.0 == 200
    }
    return process
  }

  func text(of name: String) -> String {
    (try? String(contentsOfFile: root + "/" + name, encoding: .utf8)) ?? ""
  }

  /// Looks every 10 ms, for at most 10 s.
  func until(_ what: String, _ condition: () throws -> Bool) throws {
    for _ in 0..<1000 {
      if try condition() { return }
      usleep(10_000)
    }
    throw Broken(description: "not within 10 s: \(what)")
  }
}

@Suite("Killed without warning")
struct KillTests {
  private struct Outcome: Sendable {
    let acknowledged: [String]
    let stored: [String: Int]
    let report: String
  }

  @Test("what was acknowledged is stored exactly once, whenever the server was killed")
  func kill() async throws {
    let outcome = try await blocking { try Self.storm() }
    #expect(outcome.acknowledged.count > 1000)
    let lost = outcome.acknowledged.filter { outcome.stored[$0] == nil }
    #expect(
      lost.isEmpty, "\(lost.count) of \(outcome.acknowledged.count), such as \(lost.first ?? ""); \(outcome.report)")
    #expect(outcome.stored.values.allSatisfy { $0 == 1 })
  }

  private static func storm() throws -> Outcome {
    let place = try Installation()
    defer { place.remove() }
    var server = try place.serve(0)
    defer {
      if server.isRunning { Foundation.kill(server.processIdentifier, SIGKILL) }
      server.waitUntilExit()
    }
    let configuration = try DatabaseConfiguration(url: place.url)
    let now = WallClock.system.now()
    let database = Database(configuration)
    let demo = try DemoOrganization.make(on: database, now: now)
    let token = try demo.token(on: database, now: now)
    try demo.furnish(try place.target, token: token, since: now - .hours(1))

    let simulator = try place.run(
      [
        "simulate", "--url", "http://127.0.0.1:\(place.port)", "--key", demo.ingestKey, "--org",
        "\(demo.organizationId)", "--token", token, "--rate", "500", "--log-acknowledged", place.root + "/acknowledged",
      ], log: "simulator.log")
    defer {
      if simulator.isRunning { Foundation.kill(simulator.processIdentifier, SIGKILL) }
      simulator.waitUntilExit()
    }
    // A line that is not ended was being written.
    func acknowledged() -> [String] { place.text(of: "acknowledged").components(separatedBy: "\n").dropLast() }
    func more(than count: Int) throws {
      try place.until("\(count) are acknowledged: \(place.text(of: "simulator.log"))") {
        if !simulator.isRunning { throw Broken(description: place.text(of: "simulator.log")) }
        return acknowledged().count > count
      }
    }
    for round in 1...3 {
      try more(than: acknowledged().count + 300)
      Foundation.kill(server.processIdentifier, SIGKILL)
      server.waitUntilExit()
      server = try place.serve(round)
    }
    try more(than: acknowledged().count + 300)
    // Not asked to end: a process that a thread of Dispatch starts has its signals blocked.
    Foundation.kill(simulator.processIdentifier, SIGKILL)
    simulator.waitUntilExit()

    let rows = try EventLoop.run {
      defer { database.close() }
      return try await database.query(
        """
        SELECT d.dev_eui, r.f_cnt, r.recorded_at, count(*) FROM sensor_readings r JOIN devices d ON d.id = r.device_id
        GROUP BY 1, 2, 3
        """)
    }
    var stored: [String: Int] = [:]
    for row in rows {
      let key = "\(try row.text(0)),\(try row.int(1)),\(try row.instant(2).rfc3339Microseconds)"
      stored[key, default: 0] += Int(try row.int(3))
    }
    return Outcome(acknowledged: acknowledged(), stored: stored, report: place.text(of: "simulator.log"))
  }
}
