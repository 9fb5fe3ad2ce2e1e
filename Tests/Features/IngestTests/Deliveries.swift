import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Runtime
import Synchronization
import Telemetry

@testable import Identity
@testable import Ingest

extension Kitchen {
  /// The message as it comes in with the kitchen's key.
  func intake(_ message: Kitchen.Uplink) throws -> Intake {
    let body = Array(message.json.utf8)
    let scope = IngestScope(organizationId: organization.id, apiKeyId: keyId, siteId: nil)
    let now = WallClock.system.now()
    switch NetworkMessage.theThingsStack(try JSONDocument(body).root, scope, arrivedAt: now) {
    case .uplink(let uplink): return .uplink(uplink, body: body[...])
    case .deviceEvent(let event): return .deviceEvent(event, body: body[...])
    case .unusable(let reason, let detail, let devEUI, let deviceID, let applicationID):
      return .quarantine(
        QuarantinedUplink(
          id: .v7(at: now), organizationId: scope.organizationId, apiKeyId: scope.apiKeyId, reason: reason,
          detail: detail, devEUI: devEUI, deviceID: deviceID, applicationID: applicationID, receivedAt: now, body: body)
      )
    }
  }

  /// Commits the messages as one batch, by a writer that knows nothing yet.
  @discardableResult
  func commit(_ messages: [Kitchen.Uplink], at now: Instant) async throws -> [Settled] {
    try await house.run { database in
      let intakes = try messages.map(intake)
      return try await database.withConnection { connection in
        try await Batch(intakes: intakes, now: now).commit(Memory(), on: connection)
      }
    }
  }

  /// Hands the messages to a writer at the same moment.
  func write(_ messages: [Kitchen.Uplink]) async throws -> [Settled] {
    try await house.run { database in
      let writer = WriterDoor(
        home: Reactor.current.loop, database: database, clock: WallClock { Kitchen.start }, log: .none,
        metrics: IngestMetrics(Metrics()))
      return try await writer.write(try messages.map(intake))
    }
  }
}

extension Settled {
  var name: String {
    switch self {
    case .stored: "stored"
    case .duplicate: "duplicate"
    case .quarantined(let reason): reason.rawValue
    case .ignored: "ignored"
    case .foreign: "foreign"
    case .refused: "refused"
    }
  }
}

/// A door that opens once: tasks of a loop wait before it.
final class Gate: Sendable {
  private let state = Mutex<(isOpen: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

  func pass() async {
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiters.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  func open() {
    let waiters = state.withLock { state in
      defer { state = (true, []) }
      return state.waiters
    }
    for waiter in waiters { waiter.resume() }
  }
}
