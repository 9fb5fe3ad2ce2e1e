import CPostgreSQL

extension Connection {
  /// Hands over the rows in batches as they arrive; the server waits while `body` works. The timeout is for the whole
  /// stream. When `body` throws, the statement is cancelled.
  public func stream(
    _ sql: SQL, _ parameters: [Value] = [], timeout: Duration? = nil, _ body: (RowBatch) async throws -> Void
  ) async throws {
    let statement = try Statement(sql, parameters)
    try link.begin(timeout: timeout ?? configuration.statementTimeout, isCancellable: true)
    defer { link.end() }
    let steps = try send([statement], timeout: timeout, areNamed: true)
    var firstError: DatabaseError?
    var thrown: (any Error)?
    for step in steps {
      var error: DatabaseError?
      switch step {
      case .silent: error = try await readAnswer(Self.discard)
      case .prepare(let name, _): error = try await readPreparation(of: sql, as: name)
      case .statement:
        // libpq takes it between the end of one statement's results and the first of the next.
        if firstError == nil, let pg = link.pg, PQsetSingleRowMode(pg) == 0 {
          link.fail(DatabaseError(.connectionLost, "single-row mode was refused"))
        }
        error = try await readRows(&thrown, body)
      }
      if firstError == nil { firstError = error }
    }
    try await readSync()
    do {
      try await finish(firstError, 1)
    } catch {
      throw thrown ?? error
    }
    if let thrown { throw thrown }
  }

  private func readRows(
    _ thrown: inout (any Error)?, _ body: (RowBatch) async throws -> Void
  ) async throws(DatabaseError) -> DatabaseError? {
    var types: [TypeID]?
    var failed: DatabaseError?
    var rows: [ResultHandle] = []
    var isAtEnd = false
    while !isAtEnd {
      await link.wait(for: .result)
      while !isAtEnd, rows.count < 256, let pg = link.pg, link.failure == nil,
        PQisBusy(pg) == 0 || link.pendingLoss != nil
      {
        guard let result = PQgetResult(pg) else {
          isAtEnd = true
          break
        }
        switch PQresultStatus(result) {
        case PGRES_SINGLE_TUPLE:
          let row = ResultHandle(result, types: types)
          types = row.types
          rows.append(row)
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_PIPELINE_ABORTED: PQclear(result)
        default:
          failed = DatabaseError(result: result)
          PQclear(result)
          try failIfLost(failed)
        }
      }
      if let failure = link.failure { throw failure }
      guard !rows.isEmpty else { continue }
      let batch = RowBatch(results: rows)
      rows.removeAll(keepingCapacity: true)
      if thrown != nil { continue }
      link.pauseReading()
      do {
        try await body(batch)
      } catch {
        thrown = error
        link.cancelRunning(because: .cancelled)
      }
      link.resumeReading()
    }
    return failed
  }
}
