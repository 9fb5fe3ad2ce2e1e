import Basics
import CPostgreSQL

/// One connection, lent by ``Database``. It lives on one event loop and runs one thing at a time.
///
/// Everything goes out in libpq's pipeline mode: preparing a statement, BEGIN, and the statement itself share one round
/// trip. Results come in binary form.
public final class Connection {
  let link: Link
  let configuration: DatabaseConfiguration
  var cache = StatementCache()
  /// In place of the configuration's, while it is lent.
  var statementTimeout: Duration?
  /// BEGIN goes out together with the first statement.
  private var beginIsDue = false
  /// A cancellation may still arrive at the server, or the session is in a state that we did not make.
  private var isTainted = false

  private init(_ configuration: DatabaseConfiguration) {
    link = Link()
    self.configuration = configuration
  }

  /// Connects and logs in.
  static func open(_ configuration: DatabaseConfiguration) async throws(DatabaseError) -> Connection {
    let keywords = try await configuration.resolvedKeywords()
    let connection = Connection(configuration)
    do {
      try await connection.link.open(keywords, timeout: configuration.connectTimeout)
    } catch {
      connection.close()
      throw error.kind == .timeout
        ? DatabaseError(.unavailable, "no connection within \(configuration.connectTimeout)") : error
    }
    return connection
  }

  func close() { link.close() }

  /// Fit for the next user.
  var isReusable: Bool {
    guard let pg = link.pg, link.failure == nil, link.pendingLoss == nil, !isTainted, !beginIsDue else { return false }
    return PQtransactionStatus(pg) == PQTRANS_IDLE
  }

  // MARK: - Statements

  /// Runs one statement and returns its rows.
  public func query(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> Rows {
    let results = try await run([Statement(sql, parameters)], timeout: timeout)
    return results[0]
  }

  /// Runs one statement and returns how many rows it changed.
  @discardableResult
  public func execute(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil
  ) async throws(DatabaseError) -> Int {
    try await query(sql, parameters, timeout: timeout).affected
  }

  /// Runs the statements in one round trip. Outside a transaction they are one: all take effect or none. An error names
  /// the place of the statement; those after it do not run.
  public func pipeline(
    _ statements: [(SQL, [Value])], timeout: Duration? = nil
  ) async throws(DatabaseError) -> [Rows] {
    if statements.isEmpty { return [] }
    var prepared: [Statement] = []
    prepared.reserveCapacity(statements.count)
    for (sql, parameters) in statements { prepared.append(try Statement(sql, parameters)) }
    return try await run(prepared, timeout: timeout)
  }

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

  /// Statements without parameters and results, separated by semicolons: a migration.
  public func script(_ sql: SQL, timeout: Duration? = nil) async throws(DatabaseError) {
    try await sendDueBegin()
    try await simpleQuery(sql, timeout: timeout) { _ throws(DatabaseError) in }
  }

  // MARK: - Transactions

  func begin() { beginIsDue = true }

  func commit() async throws(DatabaseError) {
    if beginIsDue {
      beginIsDue = false
      return
    }
    do throws(DatabaseError) {
      let result = try await run([Statement("COMMIT", [])], timeout: nil, isCancellable: false)[0].result
      guard let tag = PQcmdStatus(result.pointer), String(cString: tag) == "COMMIT" else {
        throw DatabaseError(.server, "rolled back: a statement of the transaction had failed")
      }
    } catch {
      guard link.failure != nil || error.kind == .connectionLost else { throw error }
      throw DatabaseError(.commitUnknown, "the connection broke during COMMIT: \(error.message)")
    }
  }

  /// Leaves the connection to be closed when it fails.
  func rollback() async {
    if beginIsDue {
      beginIsDue = false
      return
    }
    guard link.failure == nil, let statement = try? Statement("ROLLBACK", []) else { return }
    _ = try? await run([statement], timeout: .seconds(5), isCancellable: false)
  }

  func sendDueBegin() async throws(DatabaseError) {
    if beginIsDue { _ = try await run([], timeout: nil) }
  }
}

// MARK: - One exchange

extension Connection {
  struct Statement {
    let sql: SQL
    let parameters: ParameterBuffer

    init(_ sql: SQL, _ parameters: [Value]) throws(DatabaseError) {
      self.sql = sql
      self.parameters = try ParameterBuffer(parameters)
    }
  }

  /// What the server will answer to, in order.
  enum Step {
    case silent
    case prepare(name: String, statement: Int)
    case statement(Int)
  }

  private func run(
    _ statements: [Statement], timeout: Duration?, isCancellable: Bool = true
  ) async throws(DatabaseError) -> [Rows] {
    var results: [Rows] = []
    results.reserveCapacity(statements.count)
    try await exchange(statements, timeout: timeout, isCancellable: isCancellable) { result throws(DatabaseError) in
      results.append(Rows(result: ResultHandle(result)))
    }
    return results
  }

  /// Sends the statements and reads every answer. When statements that the server had prepared no longer fit (a
  /// migration changed a table), and nothing has taken effect, tries once more.
  private func exchange(
    _ statements: [Statement], timeout: Duration?, isCancellable: Bool,
    _ take: (OpaquePointer) throws(DatabaseError) -> Void
  ) async throws(DatabaseError) {
    let startsTransaction = link.pg.map { PQtransactionStatus($0) == PQTRANS_IDLE } ?? false
    let wasDue = beginIsDue
    do {
      try await attempt(statements, timeout: timeout, isCancellable: isCancellable, take)
    } catch {
      guard startsTransaction, !wasDue, error.isStaleStatement, link.failure == nil else { throw error }
      cache.removeAll()
      try await attempt(
        [try Statement("DEALLOCATE ALL", [])] + statements, timeout: timeout, isCancellable: isCancellable,
        isFirstSilent: true, take)
    }
  }

  private func attempt(
    _ statements: [Statement], timeout: Duration?, isCancellable: Bool, isFirstSilent: Bool = false,
    _ take: (OpaquePointer) throws(DatabaseError) -> Void
  ) async throws(DatabaseError) {
    try link.begin(timeout: timeout ?? statementTimeout ?? configuration.statementTimeout, isCancellable: isCancellable)
    defer { link.end() }
    let steps = try send(statements, timeout: timeout, areNamed: !isFirstSilent)
    let skipped = isFirstSilent ? 1 : 0
    var firstError: DatabaseError?
    do throws(DatabaseError) {
      for step in steps {
        var error: DatabaseError?
        switch step {
        case .silent: error = try await readAnswer(Self.discard)
        case .prepare(let name, let place):
          error = try await readPreparation(of: statements[place].sql, as: name)
          error?.statementIndex = place - skipped
        case .statement(let place):
          error = try await readAnswer { result throws(DatabaseError) in
            if place >= skipped { try take(result) } else { Self.discard(result) }
          }
          error?.statementIndex = place - skipped
        }
        if firstError == nil { firstError = error }
      }
      try await readSync()
    } catch {
      throw firstError ?? error
    }
    try await finish(firstError, statements.count - skipped)
  }

  /// After the last answer: a cancellation must not leak into the next statement.
  func finish(_ error: DatabaseError?, _ count: Int) async throws(DatabaseError) {
    if let reason = link.cancelReason {
      await link.settleCancellation()
      if error?.sqlState != .queryCanceled { isTainted = true }
      if error?.sqlState == .queryCanceled {
        var cancelled = Link.cancelled(reason)
        cancelled.sqlState = .queryCanceled
        throw cancelled
      }
    }
    guard var error else { return }
    if count == 1 { error.statementIndex = nil }
    if error.kind == .connectionLost { isTainted = true }
    throw error
  }

  func send(
    _ statements: [Statement], timeout: Duration?, areNamed: Bool
  ) throws(DatabaseError) -> [Step] {
    guard let pg = link.pg else { throw link.failure ?? DatabaseError(.connectionLost, "the connection is closed") }
    var steps: [Step] = []
    var isSent = true
    if beginIsDue {
      isSent = sendSilent(pg, "BEGIN", &steps)
      beginIsDue = false
    } else if PQtransactionStatus(pg) == PQTRANS_IDLE {
      for name in cache.takeDropped() { isSent = isSent && sendSilent(pg, "DEALLOCATE \(name)", &steps) }
    }
    if let timeout, timeout > configuration.statementTimeout {
      let milliseconds = timeout.microseconds / 1000
      isSent = isSent && sendSilent(pg, "SELECT set_config('statement_timeout', '\(milliseconds)', true)", &steps)
    }
    for (place, statement) in statements.enumerated() where isSent {
      isSent = send(pg, statement, place, areNamed && configuration.preparedStatements, &steps)
    }
    guard isSent, PQpipelineSync(pg) == 1 else {
      let error = DatabaseError(.connectionLost, link.lastMessage)
      link.fail(error)
      throw error
    }
    guard link.flush() else { throw link.failure ?? DatabaseError(.connectionLost, "the connection is closed") }
    return steps
  }

  private func sendSilent(_ pg: OpaquePointer, _ text: String, _ steps: inout [Step]) -> Bool {
    steps.append(.silent)
    return PQsendQueryParams(pg, text, 0, nil, nil, nil, nil, 1) == 1
  }

  private func send(
    _ pg: OpaquePointer, _ statement: Statement, _ place: Int, _ isNamed: Bool, _ steps: inout [Step]
  ) -> Bool {
    let parameters = statement.parameters
    guard isNamed else {
      steps.append(.statement(place))
      return parameters.withArguments { count, types, values, lengths, formats in
        PQsendQueryParams(pg, statement.sql.text, count, types, values, lengths, formats, 1) == 1
      }
    }
    var name = cache.name(of: statement.sql, parameters)
    if name == nil {
      let fresh = cache.add(statement.sql, parameters.types)
      steps.append(.prepare(name: fresh, statement: place))
      guard PQsendPrepare(pg, fresh, statement.sql.text, CInt(parameters.types.count), parameters.types) == 1 else {
        return false
      }
      name = fresh
    }
    steps.append(.statement(place))
    return parameters.withArguments { count, _, values, lengths, formats in
      PQsendQueryPrepared(pg, name, count, values, lengths, formats, 1) == 1
    }
  }
}

// MARK: - Answers

extension Connection {
  /// The next result, or nil at the end of a statement's results. The caller owns it. When the connection breaks after
  /// the server has sent an error, that error says why.
  func nextResult(after error: DatabaseError? = nil) async throws(DatabaseError) -> OpaquePointer? {
    await link.wait(for: .result)
    if let failure = link.failure { throw error ?? failure }
    guard let pg = link.pg else { throw DatabaseError(.connectionLost, "the connection is closed") }
    return PQgetResult(pg)
  }

  /// For answers that hold nothing.
  static func discard(_ result: OpaquePointer) { PQclear(result) }

  /// Forgets a statement that the server has not prepared.
  func readPreparation(of sql: SQL, as name: String) async throws(DatabaseError) -> DatabaseError? {
    var isPrepared = false
    let error = try await readAnswer { result throws(DatabaseError) in
      isPrepared = true
      Self.discard(result)
    }
    if !isPrepared { cache.remove(name, sql: sql, isOnServer: false) }
    return error
  }

  /// Reads the results of one statement up to their end. Hands the result over to `take`, which owns it from then on,
  /// or returns the server's error.
  func readAnswer(
    _ take: (OpaquePointer) throws(DatabaseError) -> Void
  ) async throws(DatabaseError) -> DatabaseError? {
    var failed: DatabaseError?
    while let result = try await nextResult(after: failed) {
      switch PQresultStatus(result) {
      case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
        try take(result)
      case PGRES_PIPELINE_ABORTED:
        PQclear(result)
      default:
        failed = DatabaseError(result: result)
        PQclear(result)
        try failIfLost(failed)
      }
    }
    return failed
  }

  /// The server said goodbye with this error: there is nothing more to read.
  func failIfLost(_ error: DatabaseError?) throws(DatabaseError) {
    guard let error, let loss = link.pendingLoss else { return }
    var lost = error
    if lost.sqlState == nil { lost = DatabaseError(.connectionLost, loss) }
    link.fail(lost)
    throw lost
  }

  func readSync() async throws(DatabaseError) {
    guard let result = try await nextResult() else {
      let error = DatabaseError(.connectionLost, link.lastMessage)
      link.fail(error)
      throw error
    }
    defer { PQclear(result) }
    guard PQresultStatus(result) == PGRES_PIPELINE_SYNC else {
      let error = DatabaseError(result: result) ?? DatabaseError(.connectionLost, "an answer out of order")
      link.fail(error)
      throw error
    }
  }

  // MARK: - Outside the pipeline

  /// Runs text by the simple protocol, which COPY and several statements at once need. `body` sees each result and does
  /// not own it.
  func simpleQuery(
    _ sql: SQL, timeout: Duration?, _ body: (OpaquePointer) async throws(DatabaseError) -> Void
  ) async throws(DatabaseError) {
    try link.begin(timeout: timeout ?? statementTimeout ?? configuration.statementTimeout, isCancellable: true)
    defer { link.end() }
    guard let pg = link.pg, PQexitPipelineMode(pg) == 1, PQsendQuery(pg, sql.text) == 1, link.flush() else {
      let error = link.failure ?? DatabaseError(.connectionLost, link.lastMessage)
      link.fail(error)
      throw error
    }
    var firstError: DatabaseError?
    do throws(DatabaseError) {
      while let result = try await nextResult() {
        defer { PQclear(result) }
        switch PQresultStatus(result) {
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR:
          let error = DatabaseError(result: result)
          if firstError == nil { firstError = error }
          try failIfLost(error)
        default: try await body(result)
        }
      }
    } catch {
      throw firstError ?? error
    }
    guard PQenterPipelineMode(pg) == 1 else {
      let error = DatabaseError(.connectionLost, link.lastMessage)
      link.fail(error)
      throw error
    }
    try await finish(firstError, 1)
  }
}
