import Basics
import Places
import PostgreSQL

/// Looks at the units for which time alone has something to decide: confirmation, silence.
///
/// Deadlines are stored instants and rows are taken with SKIP LOCKED, so any number of servers may run it and a restart
/// forgets nothing.
public struct MonitoringJob: Sendable {
  /// Units in one transaction.
  public static let batch = 500

  private let database: Database

  public init(database: Database) { self.database = database }

  /// Judges every unit that is due at `now`. Returns how many were.
  @discardableResult
  public func run(at now: Instant) async throws -> Int {
    var total = 0
    while true {
      let count = try await tick(at: now)
      total += count
      if count < Self.batch { return total }
    }
  }

  private func tick(at now: Instant) async throws -> Int {
    try await database.transaction(retries: 3) { connection in
      let (lock, parameters) = UnitStateStore.lockDue(at: now, limit: Self.batch)
      let due = try await connection.query(lock, parameters).map { try $0.uuid(0) }
      guard !due.isEmpty else { return 0 }
      let (read, units) = UnitStateStore.read(due)
      let states = try await connection.query(read, units).map(UnitStateStore.read)
      let rules = try await UnitRules.load(states.map(\.unitId), on: connection)
      // A deleted unit has no rules: nothing is due for it any more.
      let orphans = states.filter { rules[$0.unitId] == nil }.map(\.unitId)
      if !orphans.isEmpty {
        _ = try await connection.query(
          "UPDATE unit_states SET next_due_at = NULL WHERE unit_id = ANY ($1)", [.uuids(orphans)])
      }
      let outcome = try await Monitor.judge([:], states: states, rules: rules, now: now, on: connection)
      _ = try await connection.pipeline(outcome.statements)
      return states.count
    }
  }
}
