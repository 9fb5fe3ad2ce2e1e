import Basics
import PostgreSQL
import Runtime
import Telemetry

/// Why something could not be made durable in time.
enum WriteFailure: Error {
  /// The database did not take it within the time budget, or too many wait already.
  case unavailable
}

/// Makes what comes in durable, in batches that form by themselves: a flush takes all that gathered while the previous one ran.
/// No timer and no fixed size: an idle system writes at once, a busy one in large batches. One for each loop.
final class ReadingsWriter {
  /// How many may be in one transaction, and how many may wait.
  private static let batchMax = 1000
  private static let waitingMax = 8000

  private final class Waiting {
    let intake: Intake
    let since: UInt64
    private var answer: UnsafeContinuation<Result<Settled, WriteFailure>, Never>?

    init(_ intake: Intake, _ answer: UnsafeContinuation<Result<Settled, WriteFailure>, Never>) {
      self.intake = intake
      since = MonotonicClock.nanoseconds()
      self.answer = answer
    }

    var isAnswered: Bool { answer == nil }

    /// The first answer counts.
    func settle(_ result: Result<Settled, WriteFailure>) {
      answer?.resume(returning: result)
      answer = nil
    }
  }

  private let database: Database
  private let clock: WallClock
  private let log: Log
  private let metrics: IngestMetrics
  private let budget: Duration
  private let triesAgain: Bool
  private let budgetNanoseconds: UInt64
  private let directory = Directory()
  private let repeats = Repeats()
  private var waiting: [Waiting] = []
  private var inFlight: [Waiting] = []
  private var isFlushing = false
  private var isWatching = false

  /// - Parameters:
  ///   - budget: what is not durable by then is not acknowledged.
  ///   - triesAgain: until then, while the database is away.
  init(
    database: Database, clock: WallClock, log: Log, metrics: IngestMetrics, budget: Duration = .milliseconds(2300),
    triesAgain: Bool = true
  ) {
    self.triesAgain = triesAgain
    self.budget = budget
    budgetNanoseconds = UInt64(budget.microseconds) * 1000
    self.database = database
    self.clock = clock
    self.log = log
    self.metrics = metrics
  }

  /// Returns once it is committed. Throws ``WriteFailure`` after the budget at the latest.
  func write(_ intake: Intake) async throws(WriteFailure) -> Settled {
    guard waiting.count < Self.waitingMax else { throw .unavailable }
    return try await withUnsafeContinuation { answer in
      waiting.append(Waiting(intake, answer))
      start()
    }.get()
  }

  /// The same for many at once; answers in their order.
  func write(_ intakes: [Intake]) async throws(WriteFailure) -> [Settled] {
    guard waiting.count + intakes.count <= Self.waitingMax else { throw .unavailable }
    let gathered = Gathered(intakes.count)
    let reactor = Reactor.current
    for (place, intake) in intakes.enumerated() {
      reactor.spawn {
        do throws(WriteFailure) {
          gathered.answers[place] = try await self.write(intake)
        } catch {
          gathered.hasFailed = true
        }
        gathered.finishOne()
      }
    }
    await gathered.all()
    let answers = gathered.answers.compactMap(\.self)
    guard !gathered.hasFailed, answers.count == intakes.count else { throw .unavailable }
    return answers
  }

  private func start() {
    guard !isFlushing else { return }
    isFlushing = true
    let reactor = Reactor.current
    reactor.spawn {
      while !self.waiting.isEmpty { await self.flush() }
      self.isFlushing = false
    }
    if !isWatching { watch(reactor) }
  }

  /// While there is work: nobody waits longer than the budget, even for a database that neither answers nor fails.
  private func watch(_ reactor: Reactor) {
    isWatching = true
    reactor.schedule(after: .milliseconds(100)) { [weak self] in
      guard let self else { return }
      giveUp(on: inFlight)
      giveUp(on: waiting)
      waiting.removeAll(where: \.isAnswered)
      isWatching = isFlushing
      if isFlushing { watch(reactor) }
    }
  }

  private func giveUp(on some: [Waiting]) {
    let now = MonotonicClock.nanoseconds()
    for one in some where !one.isAnswered && now &- one.since >= budgetNanoseconds {
      metrics.settled(.failure(.unavailable), seconds: Double(now &- one.since) / 1e9)
      one.settle(.failure(.unavailable))
    }
  }

  private func flush() async {
    let count = min(waiting.count, Self.batchMax)
    let taken = Array(waiting[..<count])
    waiting.removeFirst(count)
    inFlight = taken
    let deadline = (taken.map(\.since).min() ?? 0) + budgetNanoseconds
    let started = MonotonicClock.nanoseconds()
    let answers = await settle(taken.map(\.intake), before: deadline)
    let ended = MonotonicClock.nanoseconds()
    metrics.flushed(count, seconds: Double(ended &- started) / 1e9)
    inFlight = []
    for (one, answer) in zip(taken, answers) {
      if case .failure = answer, one.isAnswered { continue }
      metrics.settled(answer, seconds: Double(ended &- one.since) / 1e9)
      one.settle(answer)
    }
  }

  /// Tries until the deadline while the database is away. What PostgreSQL refuses as data is found by halving, and quarantined,
  /// so that one poisoned message does not fail its neighbours.
  private func settle(_ intakes: [Intake], before deadline: UInt64) async -> [Result<Settled, WriteFailure>] {
    let batch = Batch(intakes: intakes, now: clock.now())
    while true {
      do {
        let (directory, repeats) = (directory, repeats)
        return try await database.withConnection(timeout: budget) { connection in
          try await batch.commit(directory, repeats, on: connection).map { .success($0) }
        }
      } catch {
        directory.forget()
        guard let database = error as? DatabaseError, database.isUnavailable else {
          return await separate(intakes, error, before: deadline)
        }
        log.warn("flush failed", ["count": .int(intakes.count), "error": .string(database.label)])
        guard triesAgain, await pause(before: deadline) else { return intakes.map { _ in .failure(.unavailable) } }
      }
    }
  }

  private func separate(
    _ intakes: [Intake], _ error: any Error, before deadline: UInt64
  ) async -> [Result<Settled, WriteFailure>] {
    if intakes.count > 1 {
      let half = intakes.count / 2
      let first = await settle(Array(intakes[..<half]), before: deadline)
      return first + (await settle(Array(intakes[half...]), before: deadline))
    }
    log.error("refused by the database", ["error": .error(error)])
    if case .sample = intakes.first { return [.success(.refused("the reading cannot be stored"))] }
    guard let poisoned = intakes.first?.poisoned(at: clock.now(), because: error) else {
      return intakes.map { _ in .failure(.unavailable) }
    }
    return await settle([poisoned], before: deadline)
  }

  private func pause(before deadline: UInt64) async -> Bool {
    let pause: UInt64 = 50_000_000
    guard MonotonicClock.nanoseconds() + pause < deadline else { return false }
    try? await Reactor.current.sleep(for: .milliseconds(50))
    return true
  }
}

/// Answers that come in one by one.
private final class Gathered {
  var answers: [Settled?]
  var hasFailed = false
  private var left: Int
  private var waiter: UnsafeContinuation<Void, Never>?

  init(_ count: Int) {
    answers = Array(repeating: nil, count: count)
    left = count
  }

  func finishOne() {
    left -= 1
    if left == 0 { waiter?.resume() }
  }

  func all() async {
    guard left > 0 else { return }
    await withUnsafeContinuation { waiter = $0 }
  }
}

extension Intake {
  /// The same message for the quarantine, because it cannot be stored. Nil for what is in quarantine already, and for samples,
  /// whose sender is told.
  fileprivate func poisoned(at now: Instant, because error: any Error) -> Intake? {
    switch self {
    case .uplink(let uplink, let body):
      .quarantine(
        QuarantinedUplink(
          id: .v7(at: now), organizationId: uplink.scope.organizationId, apiKeyId: uplink.scope.apiKeyId,
          reason: .refused, detail: (error as? DatabaseError)?.label ?? "internal", devEUI: uplink.devEUI,
          deviceID: uplink.deviceID, applicationID: uplink.applicationID, receivedAt: now, body: Array(body)))
    case .deviceEvent(let event, let body):
      .quarantine(
        QuarantinedUplink(
          id: .v7(at: now), organizationId: event.scope.organizationId, apiKeyId: event.scope.apiKeyId,
          reason: .refused, detail: (error as? DatabaseError)?.label ?? "internal", devEUI: event.devEUI,
          deviceID: event.deviceID, applicationID: nil, receivedAt: now, body: Array(body)))
    case .quarantine, .sample: nil
    }
  }
}
