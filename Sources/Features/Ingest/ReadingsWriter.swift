import Basics
import PostgreSQL
import Runtime
import Telemetry

/// Why something could not be made durable in time.
enum WriteFailure: Error {
  /// The database did not take it within the time budget, or too many wait already.
  case unavailable
}

/// The way to one writer, from any loop.
///
/// All doors share one, because what is written together costs less; replays, which may take their time, have writers of their own.
/// A writer lives on one loop, which serves no requests, so that a flush does not wait for those that are being read; the
/// others hand over what gathered in a turn.
final class WriterDoor: Sendable {
  private let home: EventLoop
  private let writers: LoopLocal<ReadingsWriter>
  private let gathered = LoopLocal { _ in Gathered() }

  /// - Parameters:
  ///   - budget: what is not durable by then is not acknowledged.
  ///   - triesAgain: until then, while the database is away.
  init(
    home: EventLoop, database: Database, clock: WallClock, log: Log, metrics: IngestMetrics,
    budget: Duration = .milliseconds(2300), triesAgain: Bool = true
  ) {
    self.home = home
    writers = LoopLocal { _ in
      ReadingsWriter(
        database: database, clock: clock, log: log, metrics: metrics, budget: budget, triesAgain: triesAgain)
    }
  }

  /// What one loop has gathered for the writer of another.
  private final class Gathered {
    var waiting: [Waiting] = []
  }

  /// Returns once it is committed. Throws ``WriteFailure`` after the budget at the latest.
  func write(_ intake: Intake) async throws(WriteFailure) -> Settled {
    try await withUnsafeContinuation { hand(over: Waiting(intake, .one($0))) }.get()
  }

  /// The same for many at once; answers in their order.
  func write(_ intakes: [Intake]) async throws(WriteFailure) -> [Settled] {
    guard !intakes.isEmpty else { return [] }
    return try await withUnsafeContinuation { continuation in
      let answers = Waiting.Answers(intakes.count, continuation)
      for (place, intake) in intakes.enumerated() { hand(over: Waiting(intake, .many(answers, place))) }
    }.get()
  }

  private func hand(over one: Waiting) {
    let reactor = Reactor.current
    if home === reactor.loop { return writers.value.take([one]) }
    let gathered = gathered.value
    gathered.waiting.append(one)
    if gathered.waiting.count > 1 { return }
    reactor.atEndOfTurn { [home, writers] in
      let waiting = gathered.waiting
      gathered.waiting = []
      home.execute { writers.value.take(waiting) }
    }
  }
}

/// Somebody who waits for something to be durable.
// @unchecked: made on one loop, then handed over to the writer's, which alone touches it from then on.
final class Waiting: @unchecked Sendable {
  enum Answer {
    case one(UnsafeContinuation<Result<Settled, WriteFailure>, Never>)
    case many(Answers, Int)
  }

  let intake: Intake
  let since = MonotonicClock.nanoseconds()
  private var answer: Answer?

  init(_ intake: Intake, _ answer: Answer) {
    self.intake = intake
    self.answer = answer
  }

  var isAnswered: Bool { answer == nil }

  /// The first answer counts.
  func settle(_ result: Result<Settled, WriteFailure>) {
    switch answer {
    case nil: return
    case .one(let continuation): continuation.resume(returning: result)
    case .many(let answers, let place): answers.take(result, at: place)
    }
    answer = nil
  }

  /// Answers that come in one by one, and are given back together.
  final class Answers {
    private var settled: [Settled?]
    private var hasFailed = false
    private var left: Int
    private let continuation: UnsafeContinuation<Result<[Settled], WriteFailure>, Never>

    init(_ count: Int, _ continuation: UnsafeContinuation<Result<[Settled], WriteFailure>, Never>) {
      settled = Array(repeating: nil, count: count)
      left = count
      self.continuation = continuation
    }

    func take(_ result: Result<Settled, WriteFailure>, at place: Int) {
      switch result {
      case .success(let one): settled[place] = one
      case .failure: hasFailed = true
      }
      left -= 1
      guard left == 0 else { return }
      continuation.resume(returning: hasFailed ? .failure(.unavailable) : .success(settled.compactMap(\.self)))
    }
  }
}

/// Makes what comes in durable, in batches that form by themselves: a flush takes all that gathered while the previous one ran.
/// No timer and no fixed size: an idle system writes at once, a busy one in large batches.
final class ReadingsWriter {
  /// How many may be in one transaction, and how many may wait.
  private static let batchMax = 1000
  private static let waitingMax = 8000

  private let database: Database
  private let clock: WallClock
  private let log: Log
  private let metrics: IngestMetrics
  private let budget: Duration
  private let triesAgain: Bool
  private let budgetNanoseconds: UInt64
  private let memory = Memory()
  private var waiting: [Waiting] = []
  private var inFlight: [Waiting] = []
  private var isFlushing = false
  private var isWatching = false

  init(
    database: Database, clock: WallClock, log: Log, metrics: IngestMetrics, budget: Duration, triesAgain: Bool
  ) {
    self.triesAgain = triesAgain
    self.budget = budget
    budgetNanoseconds = UInt64(budget.microseconds) * 1000
    self.database = database
    self.clock = clock
    self.log = log
    self.metrics = metrics
  }

  /// Answers each once it is committed, or after the budget at the latest. Those that find too many before them fail at once.
  func take(_ some: [Waiting]) {
    for one in some {
      if waiting.count < Self.waitingMax { waiting.append(one) } else { one.settle(.failure(.unavailable)) }
    }
    start()
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
        let memory = memory
        return try await database.withConnection(timeout: budget) { connection in
          try await batch.commit(memory, on: connection).map { .success($0) }
        }
      } catch {
        memory.directory.forget()
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
