import Basics
import Dispatch
import Foundation
import Migrations
import PostgreSQL
import Runtime
import TestSupport

@testable import freshtrack

struct Broken: Error, CustomStringConvertible {
  let description: String
}

/// The program itself, as a process of its own, on a durable database of its own.
final class Installation: Sendable {
  let root = "/tmp/freshtrack-kill-\(getpid())-\(Hex.encode(SecureRandom.bytes(3)))"
  let cluster: PrivateCluster
  /// Of the first server; a second one has the next.
  let port: UInt16
  private let environment: [String: String]

  /// - Parameters:
  ///   - data: the folder of PostgreSQL's data, when it is to be on a disk of its own.
  ///   - environment: further settings of the servers.
  init(data: String? = nil, environment: [String: String] = [:]) throws {
    self.environment = environment
    cluster = PrivateCluster(directory: data ?? root + "/data", socketDirectory: root, isDurable: true)
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

  // MARK: - What happens to PostgreSQL

  func command(_ sql: String) throws { try TestCluster.command(url, sql) }

  /// As a power cut or the kernel's own killer would.
  func killDatabase() {
    for process in cluster.processes() { Foundation.kill(process, SIGKILL) }
    cluster.crash()
  }

  /// Those of a process that was killed may take a moment to go.
  func startDatabase() throws {
    try until("PostgreSQL starts") { (try? cluster.start()) != nil }
  }

  /// When it has stopped by itself.
  func startDatabaseIfNeeded() throws {
    guard (try? command("SELECT 1")) == nil else { return }
    cluster.crash()
    try startDatabase()
  }

  /// The server has to connect anew.
  func disconnectServers() throws {
    try command(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'freshtrack' AND pid <> pg_backend_pid()")
  }

  var url: String { cluster.url(database: "freshtrack") }
  var target: HTTPTarget { get throws { try HTTPTarget("http://127.0.0.1:\(port)") } }

  /// Beside the program of the tests, unless another build of it is to be tried.
  private static var program: URL {
    if let path = ProcessInfo.processInfo.environment["FRESHTRACK_PROGRAM"] { return URL(fileURLWithPath: path) }
    return URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
      .appendingPathComponent("freshtrack")
  }

  /// A port that is free, and below those that the kernel gives to connections: the server comes back to it after each kill.
  static func freePort() throws -> UInt16 {
    for _ in 0..<100 {
      let port = UInt16.random(in: 12_000..<32_000)
      guard let address = SocketAddress(host: "127.0.0.1", port: port),
        let listener = try? Socket.listen(on: address, sharingPort: false)
      else { continue }
      Socket.close(listener)
      return port
    }
    throw Broken(description: "no port")
  }

  var spool: String { environment["SPOOL_DIR"] ?? root + "/spool" }

  func run(_ arguments: [String], log: String, _ more: [String: String] = [:]) throws -> Process {
    let process = Process()
    process.executableURL = Self.program
    process.arguments = arguments
    let own = [
      "DATABASE_URL": url, "AUTH_MODE": "local", "HOST": "127.0.0.1", "PORT": String(port), "LOOPS": "2",
      "LOG_LEVEL": "info", "PATH": ProcessInfo.processInfo.environment["PATH"] ?? "", "SPOOL_DIR": root + "/spool",
    ]
    process.environment = own.merging(environment) { $1 }.merging(more) { $1 }
    _ = FileManager.default.createFile(atPath: root + "/" + log, contents: nil)
    let output = try FileHandle(forWritingTo: URL(fileURLWithPath: root + "/" + log))
    process.standardOutput = output
    process.standardError = output
    try process.run()
    return process
  }

  /// Starts a server and returns once it is ready. `more`: settings of this one.
  func serve(_ number: Int, _ more: [String: String] = [:]) throws -> Process {
    let process = try run(["serve"], log: "server-\(number).log", more)
    var http = PlainHTTP(try HTTPTarget("http://127.0.0.1:\(more["PORT"] ?? String(port))"))
    try until("server \(number) is ready") {
      if !process.isRunning { throw Broken(description: text(of: "server-\(number).log")) }
      return (try? http.send("GET", "/health/ready"))?.0 == 200
    }
    return process
  }

  func text(of name: String) -> String {
    (try? String(contentsOfFile: root + "/" + name, encoding: .utf8)) ?? ""
  }

  /// Looks every 10 ms, for at most 20 s.
  func until(_ what: String, _ condition: () throws -> Bool) throws {
    for _ in 0..<2000 {
      if try condition() { return }
      usleep(10_000)
    }
    throw Broken(description: "not within 20 s: \(what)")
  }
}
