import Basics

/// A PostgreSQL database. Each event loop has a small pool of connections to it; a statement runs on a connection of the loop
/// that asks. To be used on event loops only.
public final class Database: Sendable {
  public let configuration: DatabaseConfiguration

  public init(_ configuration: DatabaseConfiguration) {
    self.configuration = configuration
  }

  /// Runs one statement and returns its rows.
  public func query(_ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil) async throws(DatabaseError)
    -> Rows
  {
    throw DatabaseError(.unavailable, "")
  }

  /// Runs one statement and returns how many rows it changed.
  @discardableResult
  public func execute(_ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil) async throws(DatabaseError)
    -> Int
  {
    try await query(sql, parameters, timeout: timeout).affected
  }

  /// Runs the statements in one round trip and as one transaction: all of them take effect or none.
  public func pipeline(
    _ statements: [(SQL, [Value])], timeout: Duration? = nil
  ) async throws(DatabaseError) -> [Rows] { throw DatabaseError(.unavailable, "") }

  /// BEGIN, `body`, COMMIT; ROLLBACK when it throws.
  public func transaction<R>(
    retries: Int = 0, timeout: Duration? = nil, _ body: (Connection) async throws -> R
  ) async throws -> R { throw DatabaseError(.unavailable, "") }

  /// Lends one connection to `body`.
  public func withConnection<R>(_ body: (Connection) async throws -> R) async throws -> R {
    throw DatabaseError(.unavailable, "")
  }

  public func jsonArray(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> JSONRows { try await query(sql, parameters, timeout: timeout).json }

  /// The first row as one JSON object, nil when there is none.
  public func jsonObject(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> [UInt8]? { try await query(sql, parameters, timeout: timeout).json.firstObject }

  /// Hands over the rows in batches as they arrive; the server waits while `body` works.
  public func stream(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil, _ body: (RowBatch) async throws -> Void
  ) async throws { throw DatabaseError(.unavailable, "") }

  /// Closes what is idle now and everything else as it comes back. New callers are refused.
  public func close() {}
}
