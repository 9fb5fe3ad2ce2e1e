import Basics
import CPostgreSQL
import Foundation
import PostgreSQL
import Runtime
import Synchronization

/// One private PostgreSQL for the whole test process, started when the first test asks for it.
public enum TestCluster {
  public struct Failure: Error, CustomStringConvertible {
    public let description: String
  }

  private static let root = "/tmp/freshtrack-test-\(getpid())"
  private static let cluster: Result<PrivateCluster, any Error> = Result { try launch() }
  private static let templates = Mutex<[String: String]>([:])
  private static let lastNumber = Atomic<Int>(0)

  private static func launch() throws -> PrivateCluster {
    removeLeftovers()
    let cluster = PrivateCluster(directory: root + "/data", socketDirectory: root, isDurable: false)
    try cluster.start()
    atexit { TestCluster.shutDown() }
    return cluster
  }

  private static func shutDown() {
    try? cluster.get().stop()
    try? FileManager.default.removeItem(atPath: root)
  }

  /// What test processes that were killed have left behind.
  private static func removeLeftovers() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? []
    for name in names where name.hasPrefix("freshtrack-test-") {
      guard let id = pid_t(name.dropFirst(16)), kill(id, 0) != 0, errno == ESRCH else { continue }
      try? FileManager.default.removeItem(atPath: "/tmp/" + name)
    }
  }

  /// A database that nobody else uses. With `template`, one that these migrations were applied to.
  public static func database(template migrations: [Migration] = []) async throws -> TestDatabase {
    let cluster = try cluster.get()
    let source = migrations.isEmpty ? nil : try await template(migrations)
    let name = newName("test")
    try command(cluster.url(), "CREATE DATABASE \(name)" + (source.map { " TEMPLATE \($0)" } ?? ""))
    return TestDatabase(name: name, configuration: try configuration(of: name))
  }

  private static func configuration(of name: String) throws -> DatabaseConfiguration {
    try DatabaseConfiguration(url: cluster.get().url(database: name))
  }

  private static func newName(_ prefix: String) -> String {
    "\(prefix)_\(lastNumber.add(1, ordering: .relaxed).newValue)"
  }

  private static func template(_ migrations: [Migration]) async throws -> String {
    let key = migrations.map { "\($0.version) \($0.name) \($0.sql.hashValue)" }.joined(separator: "\n")
    if let name = templates.withLock({ $0[key] }) { return name }
    // Two tests may both get here; the second template is then of no use, and does no harm.
    let name = newName("template")
    _ = try await cluster.get().makeDatabase(name, migrations)
    return templates.withLock { templates in
      templates[key] = templates[key] ?? name
      return templates[key] ?? name
    }
  }

  /// Runs one command on a connection of its own, blocking.
  public static func command(_ url: String, _ sql: String) throws {
    let connection = PQconnectdb(url)
    defer { PQfinish(connection) }
    PQsetNoticeReceiver(connection, { _, _ in }, nil)
    let result = PQexec(connection, sql)
    defer { PQclear(result) }
    let status = PQresultStatus(result)
    guard status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK else {
      throw Failure(description: String(cString: PQerrorMessage(connection)))
    }
  }
}

extension PrivateCluster {
  /// A new database that these migrations were applied to.
  public func makeDatabase(_ name: String, _ migrations: [Migration]) async throws -> DatabaseConfiguration {
    try TestCluster.command(url(), "CREATE DATABASE \(name)")
    let place = try DatabaseConfiguration(url: url(database: name))
    try await onLoop {
      let database = Database(place)
      defer { database.close() }
      try await Migrator(migrations: migrations).apply(on: database)
    }
    return place
  }
}

/// One figure without labels of a metrics page.
public func figure(_ name: String, in page: [UInt8]) -> Double? {
  String(decoding: page, as: UTF8.self).split(separator: "\n")
    .first { $0.hasPrefix(name + " ") }.flatMap { Double($0.dropFirst(name.count + 1)) }
}

/// A database of one test.
public struct TestDatabase: Sendable {
  public let name: String
  public let configuration: DatabaseConfiguration

  /// Runs one command beside the test, on a connection of its own.
  public func command(_ sql: String) throws {
    try TestCluster.command("host=\(configuration.host ?? "") user=postgres dbname=\(name)", sql)
  }
}

private let loops = LoopGroup(count: 2)
private let nextLoop = Atomic<Int>(0)

/// Runs `body` on one of the test process's event loops.
public func onLoop<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
  let loop = loops.loops[nextLoop.add(1, ordering: .relaxed).newValue % loops.loops.count]
  return try await withCheckedThrowingContinuation { continuation in
    loop.submit {
      do { continuation.resume(returning: try await body()) } catch { continuation.resume(throwing: error) }
    }
  }
}

/// The error of that type that `body` throws. On an event loop in place of `#expect(throws:)`, whose closure leaves the
/// loop.
public func failure<E: Error>(of _: E.Type, _ body: () async throws -> Void) async -> E? {
  do { try await body() } catch { return error as? E }
  return nil
}

public func failure(_ body: () async throws -> Void) async -> DatabaseError? {
  await failure(of: DatabaseError.self, body)
}

/// Runs `body` on an event loop with a fresh database, migrated by `template`.
public func withDatabase<R: Sendable>(
  template: [Migration] = [], _ adjust: (inout DatabaseConfiguration) -> Void = { _ in },
  _ body: @escaping @Sendable (Database) async throws -> R
) async throws -> R {
  let test = try await TestCluster.database(template: template)
  var configuration = test.configuration
  adjust(&configuration)
  let final = configuration
  return try await onLoop {
    let database = Database(final)
    defer { database.close() }
    return try await body(database)
  }
}

/// Removes a directory of a test and what is in it.
public func removeTree(_ path: String) { try? FileManager.default.removeItem(atPath: path) }

extension PrivateCluster {
  /// The process that started first, and all that it started.
  public func processes() -> [pid_t] {
    let text = try? String(contentsOfFile: directory + "/postmaster.pid", encoding: .utf8)
    guard let main = text?.split(separator: "\n").first.flatMap({ pid_t($0) }) else { return [] }
    let all = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    let children = all.compactMap { pid_t($0) }.filter { process in
      let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)
      return status?.split(separator: ")").last?.split(separator: " ").dropFirst().first.flatMap { pid_t($0) } == main
    }
    return [main] + children
  }
}
