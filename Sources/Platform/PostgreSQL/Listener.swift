import Basics
import CPostgreSQL
import Runtime
import Telemetry

/// Hears NOTIFY on a connection of its own, for as long as it runs. Not through PgBouncer, which does not pass
/// notifications on.
public struct Listener: Sendable {
  public enum Event: Sendable, Hashable {
    /// Listening from now on. What was sent before, and between two of these, is lost: look at the tables.
    case connected
    case notification(channel: String, payload: String)
  }

  public let configuration: DatabaseConfiguration
  public let channels: [String]
  private let log: Log

  public init(_ configuration: DatabaseConfiguration, channels: [String], log: Log = .none) {
    self.configuration = configuration
    self.channels = channels
    self.log = log
  }

  /// Calls `body` with each event, in order, and connects again whenever the connection breaks. Returns when the task
  /// is cancelled. While `body` works nothing is read from the socket, so the backlog stays in the kernel and the
  /// server.
  public func run(_ body: (Event) async -> Void) async {
    var failures = 0
    while !Task.isCancelled {
      do {
        let connection = try await Connection.open(configuration)
        defer { connection.close() }
        _ = try await connection.pipeline(channels.map { ("LISTEN " + SQL.identifier($0), []) })
        failures = 0
        await body(.connected)
        try await hear(connection, body)
      } catch {
        if Task.isCancelled { return }
        log.warn("listener lost its connection", ["reason": .string("\(error)")])
        let pause = Pool.pause(failures)
        failures += 1
        try? await Reactor.current.sleep(for: pause)
      }
    }
  }

  private func hear(_ connection: Connection, _ body: (Event) async -> Void) async throws(DatabaseError) {
    while !Task.isCancelled {
      await deliver(connection, body)
      await connection.link.waitForNotification(atMost: .seconds(30))
      if let failure = connection.link.failure { throw failure }
      if connection.link.isQuiet, !Task.isCancelled {
        // Nothing for half a minute: see whether the other side is still there.
        _ = try await connection.query("SELECT 1", timeout: .seconds(5))
      }
    }
  }

  private func deliver(_ connection: Connection, _ body: (Event) async -> Void) async {
    connection.link.pauseReading()
    while let pg = connection.link.pg, let notification = PQnotifies(pg) {
      let event = Event.notification(
        channel: String(cString: notification.pointee.relname), payload: String(cString: notification.pointee.extra))
      PQfreemem(notification)
      await body(event)
    }
    connection.link.resumeReading()
  }
}
