import Basics
import HTTP
import Identity
import PostgreSQL
import Runtime
import Synchronization
import Telemetry

/// Takes in what comes through a door: into the database, else into the spool, else not at all.
///
/// The sender waits 5 s and is promised half of that: 1.9 s for the key and the database together, of which the key has 0.7 s at
/// most and the database 1.5 s, then 0.5 s for the spool.
final class Reception: Sendable {
  enum Outcome {
    /// For each message its answer.
    case settled([Settled])
    /// On disk, so many messages.
    case spooled(Int)
  }

  /// How long the writer of the doors tries.
  static func writerLimit(hasSpool: Bool) -> Duration { hasSpool ? .milliseconds(1500) : .milliseconds(2300) }

  private let keys: APIKeys
  private let writer: WriterDoor
  private let spool: Spool?
  private let circuit: Circuit
  private let metrics: IngestMetrics

  init(
    keys: APIKeys, writer: WriterDoor, spool: Spool?, circuit: Circuit, metrics: IngestMetrics
  ) {
    self.keys = keys
    self.metrics = metrics
    self.writer = writer
    self.spool = spool
    self.circuit = circuit
  }

  /// Returns when it is durable. Throws 401 and 403 for the key, 400 for the body, and 503.
  func take(_ request: Request, at door: IngestDoor) async throws -> Outcome {
    let reactor = Reactor.current
    let began = reactor.now
    let isAway = isAway
    let sender = try await keys.identify(request, scope: .ingest, isDatabaseAway: isAway)
    let intakes = try door.read(request.body, sender.scope, arrivedAt: request.received)
    return try await take(
      intakes, from: sender, isAway: isAway, within: left(of: reactor, since: began),
      record: {
        SpoolRecord(
          receivedAt: request.received, door: door.rawValue, sender: SpoolRecord.Sender(sender),
          body: Array(request.body))
      })
  }

  /// The key and the database have this long together.
  private var databaseTime: Duration { spool == nil ? .milliseconds(2400) : .milliseconds(1900) }

  /// What the database has left; nil when the question for the key took nothing of it, so that the writer's own limit is enough.
  private func left(of reactor: Reactor, since began: UInt64) -> Duration? {
    let used = Duration.nanoseconds(Int64(reactor.now &- began))
    return used < .milliseconds(100) ? nil : max(.zero, databaseTime - used)
  }

  private var isAway: Bool { spool != nil && circuit.isOpen }

  private func take(
    _ intakes: [Intake], from sender: KeyHolder, isAway: Bool, within limit: Duration?, record: () -> SpoolRecord
  ) async throws -> Outcome {
    guard case .known = sender else {
      // Whose it is comes out later; what it says does not depend on that.
      circuit.open()
      guard await keep(record()) else { throw lost(intakes) }
      return kept(intakes)
    }
    if isAway, await keep(record()) { return kept(intakes) }
    guard circuit.isVerified else { throw lost(intakes) }
    do {
      return .settled(try await write(intakes, within: limit))
    } catch {
      circuit.open()
      if !isAway, await keep(record()) { return kept(intakes) }
      throw lost(intakes)
    }
  }

  private func kept(_ intakes: [Intake]) -> Outcome {
    metrics.kept(intakes.count)
    return .spooled(intakes.count)
  }

  private func lost(_ intakes: [Intake]) -> HTTPError {
    metrics.lost(intakes.count)
    return .unavailable("The message could not be stored; send it again", retryAfter: 5)
  }

  private func write(_ intakes: [Intake], within limit: Duration?) async throws -> [Settled] {
    guard let limit else { return try await write(intakes) }
    guard let settled = try await Reactor.current.result(within: limit, of: { try await self.write(intakes) }) else {
      throw WriteFailure.unavailable
    }
    return settled
  }

  private func write(_ intakes: [Intake]) async throws(WriteFailure) -> [Settled] {
    intakes.count == 1 ? [try await writer.write(intakes[0])] : try await writer.write(intakes)
  }

  private func keep(_ record: @autoclosure () -> SpoolRecord) async -> Bool {
    guard let spool else { return false }
    return await spool.append(record())
  }
}

// MARK: - Streams

extension Reception {
  /// Whom the request speaks for. Throws 401 and 403, and 503 when nobody can say and nothing can be kept either.
  func sender(of request: Request) async throws -> KeyHolder {
    let sender = try await keys.identify(request, scope: .ingest, isDatabaseAway: isAway)
    if case .unverified = sender, spool == nil { throw HTTPError.unavailable(retryAfter: 5) }
    return sender
  }

  /// The same sender, by its name when it was not known yet and the database is back.
  func identified(_ sender: KeyHolder, of request: Request) async throws -> KeyHolder {
    guard case .unverified = sender, !isAway else { return sender }
    return try await self.sender(of: request)
  }

  /// Takes in lines that came at `now`. Returns when all of them are durable. Throws 503.
  func take(
    _ lines: [(sample: Sample, line: ArraySlice<UInt8>)], at now: Instant, from sender: KeyHolder
  ) async throws -> Outcome {
    let scope = sender.scope
    return try await take(
      lines.map { .sample($0.sample, by: scope) }, from: sender, isAway: isAway, within: nil,
      record: {
        SpoolRecord(
          receivedAt: now, door: IngestDoor.readingLines.rawValue, sender: SpoolRecord.Sender(sender),
          body: Array(lines.map(\.line).joined(separator: [0x0A])))
      })
  }
}

extension KeyHolder {
  /// Of nobody, when it is not known whose.
  fileprivate var scope: IngestScope {
    switch self {
    case .known(let scope): scope
    case .unverified:
      IngestScope(confirmedEarlier: UUID(high: 0, low: 0), apiKeyId: UUID(high: 0, low: 0), siteId: nil)
    }
  }
}

extension SpoolRecord.Sender {
  fileprivate init(_ holder: KeyHolder) {
    switch holder {
    case .known(let scope):
      self = .known(organizationId: scope.organizationId, apiKeyId: scope.apiKeyId, siteId: scope.siteId)
    case .unverified(let key): self = .presented(keyId: key.keyId, secretHash: key.secretHash)
    }
  }
}

/// Whether the database is known to be away, so that nobody waits to find out. Opened by the first who waited in vain, closed by
/// the replay of what that left in the spool.
final class Circuit: Sendable {
  private let state: Atomic<Bool>
  /// The database has been looked at, and its schema is one that can be worked with.
  private let verified: Atomic<Bool>
  private let log: Log

  /// - Parameter isAway: the database could not be looked at so far.
  init(isAway: Bool = false, log: Log) {
    state = Atomic(isAway)
    verified = Atomic(!isAway)
    self.log = log
  }

  var isOpen: Bool { state.load(ordering: .relaxed) }
  var isVerified: Bool { verified.load(ordering: .relaxed) }

  func verify() { verified.store(true, ordering: .relaxed) }

  func open() {
    if !state.exchange(true, ordering: .relaxed) { log.warn("the database does not take readings in time") }
  }

  func close() {
    if state.exchange(false, ordering: .relaxed) { log.info("the database takes readings again") }
  }
}
