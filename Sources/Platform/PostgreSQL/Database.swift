import Basics
import Runtime
import Telemetry

/// A PostgreSQL database. Each event loop has a small pool of connections to it; a statement runs on a connection of
/// the loop that asks. To be used on event loops only.
public final class Database: Sendable {
  public let configuration: DatabaseConfiguration
  private let pools: LoopLocal<Pool>
  private let metrics: PoolMetrics

  public init(_ configuration: DatabaseConfiguration, log: Log = .none, metrics: Metrics = Metrics()) {
    self.configuration = configuration
    let poolMetrics = PoolMetrics(metrics)
    self.metrics = poolMetrics
    pools = LoopLocal { _ in Pool(configuration, log: log, metrics: poolMetrics) }
  }

  /// Runs one statement and returns its rows.
  public func query(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> Rows {
    let lease = try await acquire()
    do throws(DatabaseError) {
      let rows = try await lease.connection.query(sql, parameters, timeout: timeout)
      pools.value.release(lease)
      return rows
    } catch {
      throw giveBack(lease, error)
    }
  }

  /// Runs one statement and returns how many rows it changed.
  @discardableResult
  public func execute(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> Int {
    try await query(sql, parameters, timeout: timeout).affected
  }

  /// Runs the statements in one round trip and as one transaction: all of them take effect or none.
  public func pipeline(
    _ statements: [(SQL, [Value])], timeout: Duration? = nil
  ) async throws(DatabaseError) -> [Rows] {
    let lease = try await acquire()
    do throws(DatabaseError) {
      let rows = try await lease.connection.pipeline(statements, timeout: timeout)
      pools.value.release(lease)
      return rows
    } catch {
      throw giveBack(lease, error)
    }
  }

  /// BEGIN, `body`, COMMIT; ROLLBACK when it throws. BEGIN travels with the first statement.
  ///
  /// - Parameter retries: how often `body` runs again when the transaction failed by 40001 or 40P01. It must not have
  /// other effects.
  public func transaction<R>(
    retries: Int = 0, _ body: (Connection) async throws -> R
  ) async throws -> R {
    var left = retries
    while true {
      do {
        return try await withConnection { connection in
          connection.begin()
          do {
            let result = try await body(connection)
            try await connection.commit()
            return result
          } catch {
            await connection.rollback()
            throw error
          }
        }
      } catch let error as DatabaseError where error.isRetryable && left > 0 {
        left -= 1
      }
    }
  }

  /// Lends one connection to `body`. It must not leave a transaction open, nor keep the connection.
  ///
  /// - Parameter timeout: for getting the connection, and then for each statement that does not ask for its own.
  public func withConnection<R>(
    timeout: Duration? = nil, _ body: (Connection) async throws -> R
  ) async throws -> R {
    let lease = try await acquire(within: timeout)
    lease.connection.statementTimeout = timeout
    defer { lease.connection.statementTimeout = nil }
    do {
      let result = try await body(lease.connection)
      pools.value.release(lease)
      return result
    } catch {
      if let error = error as? DatabaseError { metrics.count(error) }
      pools.value.release(lease)
      throw error
    }
  }

  /// The rows as JSON, with the column names as the names of the fields.
  public func jsonArray(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> JSONRows {
    try await query(sql, parameters, timeout: timeout).json
  }

  /// The first row as one JSON object, nil when there is none.
  public func jsonObject(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> [UInt8]? {
    try await query(sql, parameters, timeout: timeout).json.firstObject
  }

  /// Hands over the rows in batches as they arrive; the server waits while `body` works. The timeout is for the whole
  /// stream.
  public func stream(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil, _ body: (RowBatch) async throws -> Void
  ) async throws {
    try await withConnection { try await $0.stream(sql, parameters, timeout: timeout, body) }
  }

  /// `COPY ... FROM STDIN`. Returns the number of rows.
  @discardableResult
  public func copyIn(
    _ sql: SQL, timeout: Duration? = nil, _ body: (CopyWriter) async throws -> Void
  ) async throws -> Int {
    try await withConnection { try await $0.copyIn(sql, timeout: timeout, body) }
  }

  /// Closes, on the calling loop, what is idle now and everything else as it comes back. New callers are refused.
  public func close() { pools.value.close() }

  private func acquire(within timeout: Duration? = nil) async throws(DatabaseError) -> Pool.Lease {
    do {
      return try await pools.value.acquire(within: timeout)
    } catch {
      metrics.count(error)
      throw error
    }
  }

  private func giveBack(_ lease: Pool.Lease, _ error: DatabaseError) -> DatabaseError {
    metrics.count(error)
    pools.value.release(lease)
    return error
  }
}
