import Basics
import Identity
import Ingest
import JSON
import PostgreSQL
import Synchronization
import Telemetry

/// Fetches from the Storage Integration what did not reach us, and takes it in by the webhook's own door.
///
/// The storage of a connection is read at a start and after an outage of ours, every 10 minutes while gaps are open, and when a whole
/// application has been silent for half an hour: from the last instant at which nothing was missing, minus 10 minutes.
public struct HealingJob: Sendable {
  /// Without a run for so long, something may have been missed.
  static let outage = Duration.minutes(3)
  static let whileOpen = Duration.minutes(10)
  static let whileSilent = Duration.minutes(30)
  static let overlap = Duration.minutes(10)
  /// Pages in one run for one connection; the next run goes on.
  private static let pagesMax = 200

  private let store: HealingStore
  private let gaps: GapStore
  private let door: StoredUplinks
  private let stack: StackConfiguration
  private let log: Log
  private let fetched: Counter
  private let started = Started()

  /// The connections that this process has looked at.
  private final class Started: Sendable {
    let connections = Mutex<Set<UUID>>([])
  }

  public init(
    database: Database, door: StoredUplinks, stack: StackConfiguration, log: Log, metrics: Metrics
  ) {
    store = HealingStore(database: database)
    gaps = GapStore(database: database)
    self.door = door
    self.stack = stack
    self.log = log
    fetched = metrics.counter(
      "uplinks_fetched_total", help: "Messages read from the Storage Integration, by what became of them.",
      labels: ["outcome"])
  }

  public func run(at now: Instant) async throws {
    try await SyncStore(database: store.database).ensureStates()
    var previous: UUID?
    while let claimed = try await store.claimNext(after: previous, at: now) {
      previous = claimed.connection.id
      guard let client = stack.client(of: claimed.connection), let pull = pull(for: claimed, at: now) else {
        try await store.release(claimed.connection.id, at: now)
        continue
      }
      try await heal(claimed, pull, client, at: now)
    }
  }

  /// What is to be read; nil: nothing.
  func pull(for claimed: HealingStore.Claimed, at now: Instant) -> HealingStore.Pull? {
    if let pull = claimed.pull { return pull }
    let sincePull = claimed.pulledAt.map { now - $0 }
    var from: Instant?
    let isStart = started.connections.withLock { $0.insert(claimed.connection.id).inserted }
    if let alive = claimed.aliveAt, isStart || now - alive > Self.outage { from = alive }
    if let gap = claimed.oldestGapAt, sincePull.map({ $0 >= Self.whileOpen }) ?? true {
      from = min(from ?? gap, gap)
    }
    if let heard = claimed.lastUplinkAt, now - heard >= Self.whileSilent,
      sincePull.map({ $0 >= Self.whileSilent }) ?? true
    {
      from = min(from ?? heard, heard)
    }
    guard let from else { return nil }
    let oldest = now - .hours(claimed.connection.storageHours)
    let start = max(from - Self.overlap, oldest)
    return HealingStore.Pull(from: start, cursor: start, until: now, attempts: 0)
  }

  // MARK: - One connection

  private func heal(
    _ claimed: HealingStore.Claimed, _ begun: HealingStore.Pull, _ client: StackClient, at now: Instant
  ) async throws {
    let id = claimed.connection.id
    var pull = begun
    var (token, pages, isWhole): (String?, Int, Bool) = (nil, 0, false)
    let pending = PendingGaps(try await gaps.pending(id))
    let scope = IngestScope.fetched(for: claimed.connection.organizationId, with: claimed.key)
    do throws(JobFailure) {
      repeat {
        let (from, mark) = (pull, token)
        let page = try await JobFailure.asking { () async throws(StackError) in
          try await client.storedUplinks(from: from.cursor, before: from.until, token: mark)
        }
        let last = try await JobFailure.storing { try await take(page.messages, scope, pending, at: now) }
        let hasMoved = last.map { $0 > pull.cursor } ?? false
        if let last { pull.cursor = max(pull.cursor, last) }
        guard page.isWhole else { throw .stack(.unreachable("the stream was cut")) }
        token = page.token
        // Without a token the next page starts where this one ended, when it got anywhere.
        isWhole = token == nil && (page.messages.count < StackClient.storedPageSize || !hasMoved)
        pages += 1
        let reached = pull
        try await JobFailure.storing { try await store.advance(id, reached, at: now) }
      } while !isWhole && pages < Self.pagesMax && !Task.isCancelled
    } catch {
      return try await stop(claimed, pull, hasAdvanced: pull.cursor > begun.cursor, error, at: now)
    }
    guard isWhole else {
      return try await store.postpone(id, pull, until: now, because: "to be continued")
    }
    let (start, end) = (pull.from, pull.until)
    try await store.database.transaction(retries: 3) { connection in
      try await gaps.settleRead(id, from: start, until: end, at: now, on: connection)
      let (sql, parameters) = HealingStore.finish(id, at: now)
      try await connection.execute(sql, parameters)
    }
    log.info("storage read", ["connection": .string("\(id)"), "pages": .int(pages), "from": .string(start.rfc3339)])
  }

  private func stop(
    _ claimed: HealingStore.Claimed, _ pull: HealingStore.Pull, hasAdvanced: Bool, _ failure: JobFailure,
    at now: Instant
  ) async throws {
    let id = claimed.connection.id
    var pull = pull
    let error: StackError
    switch failure {
    case .stack(let refusal): error = refusal
    case .store(let problem):
      // The claim ends by itself, should the database not take even this.
      try? await store.postpone(id, pull, until: now + .seconds(15), because: "our own database")
      throw problem
    }
    log.warn(
      "storage not read", ["connection": .string("\(id)"), "error": .string(error.message)])
    guard error.isTransient else {
      try await gaps.settleUnavailable(id, at: now)
      return try await store.giveUp(id, until: now + .hours(1), because: error.message, at: now)
    }
    pull.attempts = hasAdvanced ? 1 : pull.attempts + 1
    var wait = Duration.seconds(min(15 << min(pull.attempts, 6), 600))
    if case .rateLimited(let asked) = error { wait = max(wait, asked) }
    try await store.postpone(id, pull, until: now + wait, because: error.message)
  }

  /// Takes a page in. Returns when the storage received its last message.
  private func take(
    _ messages: [JSONValue], _ scope: IngestScope, _ pending: PendingGaps, at now: Instant
  ) async throws -> Instant? {
    let outcomes = try await door.take(messages, scope, at: now)
    var covered: Set<UUID> = []
    var frames: [(gap: UUID, frame: Int64)] = []
    for taken in outcomes {
      fetched.add(1, [taken.outcome.rawValue])
      guard let frame = taken.frame else { continue }
      let near = pending.near(frame)
      covered.formUnion(near.beside)
      // What was stored now is found among the readings.
      if taken.outcome != .stored { frames += near.inside.map { ($0, frame.counter) } }
      if taken.outcome == .stored { covered.formUnion(near.inside) }
    }
    try await gaps.noteSeen(covered: Array(covered) + frames.map(\.gap), frames: frames)
    return messages.last.flatMap { $0["received_at"]?.string }.flatMap { Instant(rfc3339: $0) }
  }
}

/// The gaps that are waited for, to look up a frame in.
struct PendingGaps {
  private var bySession: [String: [GapStore.Pending]] = [:]

  init(_ gaps: [GapStore.Pending]) {
    for gap in gaps { bySession["\(gap.devEUI) \(gap.session)", default: []].append(gap) }
  }

  /// The gaps that a frame is missing in, and those that it stands right beside.
  func near(_ frame: StoredUplinks.Frame) -> (inside: [UUID], beside: [UUID]) {
    let gaps = bySession["\(frame.devEUI) \(frame.session)"] ?? []
    return (
      gaps.filter { $0.first <= frame.counter && frame.counter <= $0.last }.map(\.id),
      gaps.filter { frame.counter == $0.first - 1 || frame.counter == $0.last + 1 }.map(\.id)
    )
  }
}
