extension Reactor {
  /// What `body` returns, or nil when that takes longer than `limit`. It is not stopped then: it runs on, and nobody
  /// looks at its result.
  public func result<R: Sendable>(
    within limit: Duration, of body: @escaping () async throws -> R
  ) async throws -> R? {
    let race = Race<R>()
    let timer = schedule(after: limit) { race.settle(nil) }
    let first = await withUnsafeContinuation { continuation in
      race.waiter = continuation
      spawn {
        do { race.settle(.success(try await body())) } catch { race.settle(.failure(error)) }
      }
    }
    cancel(timer)
    return try first?.get()
  }
}

/// The first answer counts. Of one loop.
private final class Race<R: Sendable> {
  var waiter: UnsafeContinuation<Result<R, any Error>?, Never>?

  func settle(_ result: Result<R, any Error>?) {
    waiter?.resume(returning: result)
    waiter = nil
  }
}
