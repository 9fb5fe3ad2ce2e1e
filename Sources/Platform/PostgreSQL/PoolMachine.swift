/// The decisions of a pool of connections, without the connections: events go in, actions come out.
///
/// A connection is `connecting` (asked for, not there yet), then `idle` or `lent`. When connecting fails, the machine
/// is `failing`: callers that nothing else can serve are refused at once, and one attempt at a time is made after a
/// growing pause, until one succeeds.
struct PoolMachine {
  struct Limits {
    var connectionsMin: Int
    var connectionsMax: Int
    var waitersMax: Int
  }

  enum Action: Equatable {
    case lend(connection: Int, to: Int)
    case refuse(waiter: Int)
    case connect(Int)
    case close(Int)
    /// Call ``retryIsDue()`` after the pause that belongs to this attempt, from 0.
    case retryLater(attempt: Int)
  }

  enum Answer: Equatable {
    case lent(Int)
    case wait([Action])
    /// No connection can be made at the moment.
    case unavailable
    /// Too many wait already.
    case full
  }

  let limits: Limits
  /// The most recently used last: it is lent first, so that a quiet pool shrinks.
  private(set) var idle: [Int] = []
  private(set) var lentCount = 0
  private(set) var connectingCount = 0
  private var waiters: [Int] = []
  private var lastConnection = 0
  /// Attempts that failed since the last success; nil while the server takes connections.
  private(set) var failedAttempts: Int?
  private(set) var isClosed = false

  init(_ limits: Limits) { self.limits = limits }

  var waitingCount: Int { waiters.count }
  private var openCount: Int { idle.count + lentCount + connectingCount }

  mutating func acquire(_ waiter: Int) -> Answer {
    if isClosed { return .unavailable }
    if waiters.isEmpty, let connection = idle.popLast() {
      lentCount += 1
      return .lent(connection)
    }
    if failedAttempts != nil, idle.isEmpty, lentCount == 0 { return .unavailable }
    guard waiters.count < limits.waitersMax else { return .full }
    waiters.append(waiter)
    return .wait(connectIfNeeded())
  }

  /// A waiter's time is over or its task cancelled. False when it has been served already.
  mutating func giveUp(_ waiter: Int) -> Bool {
    guard let place = waiters.firstIndex(of: waiter) else { return false }
    waiters.remove(at: place)
    return true
  }

  mutating func connected(_ connection: Int) -> [Action] {
    connectingCount -= 1
    failedAttempts = nil
    if isClosed { return [.close(connection)] }
    return offer(connection) + connectIfNeeded()
  }

  mutating func connectFailed() -> [Action] {
    connectingCount -= 1
    if isClosed { return [] }
    if connectingCount > 0 { return [] }
    let attempt = failedAttempts ?? 0
    failedAttempts = attempt + 1
    return refuseHopeless() + [.retryLater(attempt: attempt)]
  }

  /// While the server refuses connections and none is left that could come back, nobody waits.
  private mutating func refuseHopeless() -> [Action] {
    guard failedAttempts != nil, idle.isEmpty, lentCount == 0 else { return [] }
    defer { waiters = [] }
    return waiters.map { .refuse(waiter: $0) }
  }

  mutating func retryIsDue() -> [Action] {
    guard failedAttempts != nil, !isClosed, connectingCount == 0 else { return [] }
    return [connect()]
  }

  mutating func release(_ connection: Int, isReusable: Bool) -> [Action] {
    lentCount -= 1
    guard isReusable, !isClosed else { return [.close(connection)] + refuseHopeless() + connectIfNeeded() }
    return offer(connection)
  }

  /// An idle connection broke, or has been idle or alive for too long.
  mutating func drop(_ connection: Int) -> [Action] {
    guard let place = idle.firstIndex(of: connection) else { return [] }
    idle.remove(at: place)
    return [.close(connection)] + connectIfNeeded()
  }

  /// Opens what ``Limits/connectionsMin`` asks for.
  mutating func fill() -> [Action] { connectIfNeeded() }

  mutating func close() -> [Action] {
    isClosed = true
    defer {
      idle = []
      waiters = []
    }
    return waiters.map { .refuse(waiter: $0) } + idle.map { .close($0) }
  }

  private mutating func offer(_ connection: Int) -> [Action] {
    guard !waiters.isEmpty else {
      idle.append(connection)
      return []
    }
    lentCount += 1
    return [.lend(connection: connection, to: waiters.removeFirst())]
  }

  private mutating func connectIfNeeded() -> [Action] {
    guard failedAttempts == nil, !isClosed else { return [] }
    var actions: [Action] = []
    while openCount < limits.connectionsMax, connectingCount < waiters.count || openCount < limits.connectionsMin {
      actions.append(connect())
    }
    return actions
  }

  private mutating func connect() -> Action {
    connectingCount += 1
    lastConnection += 1
    return .connect(lastConnection)
  }
}
