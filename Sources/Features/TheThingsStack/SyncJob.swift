import Basics
import Identity
import JSON
import PostgreSQL
import Telemetry

/// Keeps devices and gateways in step with The Things Stack: what appears there appears here, what is gone there is marked here, and
/// what was deleted here while it could not be reached is deleted there.
public struct SyncJob: Sendable {
  static let interval = Duration.minutes(10)
  /// Of one connection in one run; what lies beyond is left alone.
  static let devicesMax = 5000
  static let gatewaysMax = 500
  private static let deletionsMax = 50
  /// Connections in one run.
  private static let connectionsMax = 500

  private let store: SyncStore
  private let gateways: GatewayStore
  private let connections: TTNConnectionStore
  private let stack: StackConfiguration
  private let log: Log

  public init(database: Database, stack: StackConfiguration, log: Log) {
    store = SyncStore(database: database)
    gateways = GatewayStore(database: database)
    connections = TTNConnectionStore(database: database)
    self.stack = stack
    self.log = log
  }

  public func run(at now: Instant) async throws {
    try await store.ensureStates()
    for _ in 0..<Self.connectionsMax {
      guard let connection = try await store.claimNext(at: now, again: now + Self.interval) else { return }
      guard let client = stack.client(of: connection) else { continue }
      var problem: StackError?
      let journal = Journal(clock: stack.clock)
      do throws(JobFailure) { try await sync(connection, client, journal, at: now) } catch {
        switch error {
        case .stack(let refusal): problem = refusal
        case .store(let error): throw error
        }
      }
      if case .rateLimited(let wait) = problem {
        try await store.postpone(connection.id, until: now + max(wait, .minutes(1)))
      }
      try await store.note(connection.id, error: problem?.message, at: now)
      try await connections.store(journal, connection.organizationId, requestId: nil)
      if let problem {
        log.warn(
          "not in step", ["connection": .string("\(connection.id)"), "error": .string(problem.message)])
      }
    }
  }

  private func sync(
    _ connection: TTNConnection, _ client: StackClient, _ journal: Journal, at now: Instant
  ) async throws(JobFailure) {
    try await deletePending(connection, client, journal)
    let (devices, isWhole) = try await JobFailure.asking { () async throws(StackError) in
      try await client.listDevices(atMost: Self.devicesMax)
    }
    try await JobFailure.storing { try await store.take(devices, isWhole: isWhole, of: connection, at: now) }
    let owner = try await JobFailure.asking { () async throws(StackError) in try await client.keyInfo().owner }
    // The key of an application sees no gateways; that is no news about them.
    switch owner {
    case .application, .other: return
    case .user, .organization: break
    }
    let listed = try await JobFailure.asking { () async throws(StackError) in
      try await client.listGateways(atMost: Self.gatewaysMax)
    }
    try await JobFailure.storing {
      try await store.take(listed.gateways, isWhole: listed.isWhole, of: connection, at: now)
    }
    let ids = listed.gateways.map(\.id)
    for start in stride(from: 0, to: ids.count, by: 100) {
      let some = Array(ids[start..<min(start + 100, ids.count)])
      let stats = try await JobFailure.asking { () async throws(StackError) in
        try await client.gatewayStats(some, now: now)
      }
      try await JobFailure.storing { try await gateways.note(stats, organization: connection.organizationId) }
    }
  }

  private func deletePending(
    _ connection: TTNConnection, _ client: StackClient, _ journal: Journal
  ) async throws(JobFailure) {
    let pending = try await JobFailure.storing {
      try await store.pendingDeletions(of: connection, limit: Self.deletionsMax)
    }
    for device in pending.devices {
      guard await client.remove(device.name, journal) else { continue }
      try await JobFailure.storing { try await store.noteDeleted(device: device.id) }
    }
    for gateway in pending.gateways {
      guard await client.removeGateway(gateway.name, journal) else { continue }
      try await JobFailure.storing {
        try await gateways.noteDeleted(gateway.id, organization: connection.organizationId)
      }
    }
  }
}
