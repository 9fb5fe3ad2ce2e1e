import Basics

/// One connection, lent by ``Database``. It lives on one event loop and runs one thing at a time.
public final class Connection {
  init() {}

  public func query(_ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil) async throws(DatabaseError)
    -> Rows
  {
    throw DatabaseError(.unavailable, "")
  }

  @discardableResult
  public func execute(_ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil) async throws(DatabaseError)
    -> Int
  {
    try await query(sql, parameters, timeout: timeout).affected
  }

  public func pipeline(
    _ statements: [(SQL, [Value])], timeout: Duration? = nil
  ) async throws(DatabaseError) -> [Rows] { throw DatabaseError(.unavailable, "") }

  public func jsonArray(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> JSONRows { try await query(sql, parameters, timeout: timeout).json }

  public func jsonObject(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> [UInt8]? { try await query(sql, parameters, timeout: timeout).json.firstObject }

  public func stream(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil, _ body: (RowBatch) async throws -> Void
  ) async throws { throw DatabaseError(.unavailable, "") }

  /// COPY ... FROM STDIN. Returns the number of rows.
  @discardableResult
  public func copyIn(_ sql: SQL, timeout: Duration? = nil, _ body: (CopyWriter) async throws -> Void) async throws
    -> Int
  {
    throw DatabaseError(.unavailable, "")
  }

  /// Statements without parameters and results, separated by semicolons.
  public func script(_ sql: SQL, timeout: Duration? = nil) async throws(DatabaseError) {
    throw DatabaseError(.unavailable, "")
  }
}

/// Takes the data of one COPY.
public final class CopyWriter {
  init() {}
  /// Returns when the bytes are on their way: waits while the server does not keep up.
  public func write(_ bytes: [UInt8]) async throws(DatabaseError) {}
  /// One row of a COPY WITH (FORMAT binary).
  public func row(_ values: [Value]) async throws(DatabaseError) {}
}
