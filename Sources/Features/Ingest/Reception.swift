import Basics
import HTTP
import Identity
import PostgreSQL
import Runtime
import Synchronization
import Telemetry

/// Takes in what comes through a door: into the database, else into the spool, else not at all.
///
/// The sender waits 5 s and is promised half of that: 0.7 s for the key, 1.5 s for the database, 0.5 s for the spool. The longest
/// way, with a key that nobody has seen, does not ask the database twice.
final class Reception: Sendable {
  enum Outcome {
    /// For each message its answer.
    case settled([Settled])
    /// On disk, so many messages.
    case spooled(Int)
  }

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
    let isAway = spool != nil && circuit.isOpen
    switch try await keys.identify(request, scope: .ingest, isDatabaseAway: isAway) {
    case .known(let scope):
      let intakes = try door.read(request.body, scope, arrivedAt: request.received)
      let sender = SpoolRecord.Sender.known(
        organizationId: scope.organizationId, apiKeyId: scope.apiKeyId, siteId: scope.siteId)
      if isAway, await keep(request, at: door, from: sender) { return kept(intakes) }
      guard circuit.isVerified else { throw lost(intakes) }
      do throws(WriteFailure) {
        return .settled(try await write(intakes))
      } catch {
        circuit.open()
        if !isAway, await keep(request, at: door, from: sender) { return kept(intakes) }
        throw lost(intakes)
      }
    case .unverified(let key):
      // Whose it is comes out later; what it says does not depend on that.
      let nobody = IngestScope(confirmedEarlier: UUID(high: 0, low: 0), apiKeyId: UUID(high: 0, low: 0), siteId: nil)
      let intakes = try door.read(request.body, nobody, arrivedAt: request.received)
      circuit.open()
      let sender = SpoolRecord.Sender.presented(keyId: key.keyId, secretHash: key.secretHash)
      guard await keep(request, at: door, from: sender) else { throw lost(intakes) }
      return kept(intakes)
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

  private func write(_ intakes: [Intake]) async throws(WriteFailure) -> [Settled] {
    intakes.count == 1 ? [try await writer.write(intakes[0])] : try await writer.write(intakes)
  }

  private func keep(_ request: Request, at door: IngestDoor, from sender: SpoolRecord.Sender) async -> Bool {
    guard let spool else { return false }
    return await spool.append(
      SpoolRecord(receivedAt: request.received, door: door.rawValue, sender: sender, body: Array(request.body)))
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
