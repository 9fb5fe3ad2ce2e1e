import Basics
import Runtime
import Telemetry

/// The connections of one event loop: carries out what ``PoolMachine`` decides.
final class Pool {
  struct Lease {
    let number: Int
    let connection: Connection
  }

  private struct Member {
    let connection: Connection
    /// Monotonic nanoseconds.
    let expires: UInt64
    var idleSince: UInt64
  }

  private struct Waiter {
    let continuation: UnsafeContinuation<Void, Never>
    let watch: CancellationWatch
  }

  private enum Outcome {
    case lent(Int)
    case refused(DatabaseError)
  }

  private let configuration: DatabaseConfiguration
  private let reactor = Reactor.current
  private let log: Log
  private let metrics: PoolMetrics
  private let gauges: PoolMetrics.Gauges
  private var machine: PoolMachine
  private var members: [Int: Member] = [:]
  private var waiters: [Int: Waiter] = [:]
  private var outcomes: [Int: Outcome] = [:]
  private var lastWaiter = 0
  private var lastFailure = DatabaseError(.unavailable, "the pool is closed")

  init(_ configuration: DatabaseConfiguration, log: Log, metrics: PoolMetrics) {
    self.configuration = configuration
    self.log = log
    self.metrics = metrics
    gauges = metrics.gauges(loop: reactor.index)
    machine = PoolMachine(
      .init(
        connectionsMin: configuration.connectionsMin, connectionsMax: max(1, configuration.connectionsMax),
        waitersMax: configuration.waitersMax))
    scheduleSweep()
  }

  // MARK: - Lending

  /// - Parameter time: at most that of the configuration.
  func acquire(within time: Duration? = nil) async throws(DatabaseError) -> Lease {
    if Task.isCancelled { throw DatabaseError(.cancelled, "the task was cancelled before it had a connection") }
    lastWaiter += 1
    let waiter = lastWaiter
    switch machine.acquire(waiter) {
    case .lent(let number):
      gauge()
      return try lease(number)
    case .unavailable: throw lastFailure
    case .full:
      throw DatabaseError(.poolExhausted, "\(configuration.waitersMax) callers wait for a connection already")
    case .wait(let actions):
      return try await wait(
        waiter, actions, atMost: min(time ?? configuration.acquireTimeout, configuration.acquireTimeout))
    }
  }

  private func wait(
    _ waiter: Int, _ actions: [PoolMachine.Action], atMost time: Duration
  ) async throws(DatabaseError) -> Lease {
    let start = MonotonicClock.nanoseconds()
    let watch = CancellationWatch(reactor, atMost: time) { [weak self] reason in
      self?.giveUp(waiter, because: reason, after: time)
    }
    await withUnsafeContinuation { continuation in
      waiters[waiter] = Waiter(continuation: continuation, watch: watch)
      perform(actions)
    }
    metrics.wait.observe(from: start, to: MonotonicClock.nanoseconds())
    gauge()
    switch outcomes.removeValue(forKey: waiter) {
    case .lent(let number): return try lease(number)
    case .refused(let error): throw error
    case nil: throw lastFailure
    }
  }

  private func lease(_ number: Int) throws(DatabaseError) -> Lease {
    guard let member = members[number] else { throw lastFailure }
    return Lease(number: number, connection: member.connection)
  }

  private func giveUp(_ waiter: Int, because reason: DatabaseError.Kind, after time: Duration) {
    guard machine.giveUp(waiter) else { return }
    let error =
      switch reason {
      case .timeout where members.isEmpty: DatabaseError(.unavailable, "no connection could be made within \(time)")
      case .timeout: DatabaseError(.poolExhausted, "no connection was free within \(time)")
      default: DatabaseError(.cancelled, "the task was cancelled while it waited for a connection")
      }
    serve(waiter, .refused(error))
  }

  private func serve(_ number: Int, _ outcome: Outcome) {
    guard let waiter = waiters.removeValue(forKey: number) else { return }
    waiter.watch.stop()
    outcomes[number] = outcome
    waiter.continuation.resume()
  }

  func release(_ lease: Lease) {
    let now = MonotonicClock.nanoseconds()
    let isReusable = lease.connection.isReusable && (members[lease.number]?.expires ?? 0) > now
    members[lease.number]?.idleSince = now
    perform(machine.release(lease.number, isReusable: isReusable))
    gauge()
  }

  // MARK: - Actions

  private func perform(_ actions: [PoolMachine.Action]) {
    for action in actions {
      switch action {
      case .lend(let connection, let waiter): serve(waiter, .lent(connection))
      case .refuse(let waiter): serve(waiter, .refused(lastFailure))
      case .close(let number): members.removeValue(forKey: number)?.connection.close()
      case .connect(let number): connect(number)
      case .retryLater(let attempt):
        reactor.schedule(after: Self.pause(attempt)) { [weak self] in
          guard let self else { return }
          perform(machine.retryIsDue())
        }
      }
    }
  }

  /// 50 ms, doubled up to 1.6 s, and half of it by chance: not every process comes back in the same moment.
  static func pause(_ attempt: Int) -> Duration {
    let half = UInt64(25_000) << UInt64(min(attempt, 5))
    return .microseconds(Int64(half + SecureRandom.uint64() % (half + 1)))
  }

  private func connect(_ number: Int) {
    // No capture list: with one, Swift 6.3 runs an async closure on the cooperative pool.
    reactor.spawn {
      do throws(DatabaseError) {
        self.join(number, try await Connection.open(self.configuration))
      } catch {
        self.connectFailed(error)
      }
    }
  }

  private func join(_ number: Int, _ connection: Connection) {
    let now = MonotonicClock.nanoseconds()
    let age = UInt64(max(0, configuration.connectionMaxAge.microseconds)) &* 1000
    // Nine to eleven tenths, so that connections made together do not end together.
    let expires = now &+ age / 10 &* 9 &+ SecureRandom.uint64() % (age / 5 + 1)
    members[number] = Member(connection: connection, expires: expires, idleSince: now)
    connection.link.onIdleFailure = { [weak self] in
      guard let self else { return }
      perform(machine.drop(number))
    }
    if let attempts = machine.failedAttempts { log.info("database is back", ["failed_attempts": .int(attempts)]) }
    perform(machine.connected(number))
    gauge()
  }

  private func connectFailed(_ error: DatabaseError) {
    lastFailure = DatabaseError(.unavailable, "no connection to the database: \(error.message)")
    lastFailure.sqlState = error.sqlState
    metrics.count(error)
    if machine.failedAttempts == nil {
      log.warn(
        "database is unavailable", ["database": .string(configuration.description), "reason": .string(error.message)])
    }
    perform(machine.connectFailed())
  }

  /// Closes what has been idle for too long or has become too old.
  private func scheduleSweep() {
    reactor.schedule(after: .seconds(15)) { [weak self] in
      guard let self, !machine.isClosed else { return }
      let now = MonotonicClock.nanoseconds()
      let idleMax = UInt64(max(0, configuration.idleTimeout.microseconds)) &* 1000
      for number in machine.idle {
        guard let member = members[number] else { continue }
        let isSpare = members.count > configuration.connectionsMin && now &- member.idleSince > idleMax
        if isSpare || now > member.expires { perform(machine.drop(number)) }
      }
      perform(machine.fill())
      scheduleSweep()
    }
  }

  func close() { perform(machine.close()) }

  private func gauge() { gauges.set(machine) }
}
