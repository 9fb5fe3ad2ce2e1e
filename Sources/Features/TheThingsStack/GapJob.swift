import Basics
import PostgreSQL
import Synchronization
import Telemetry

/// Counts uplinks and their gaps from what is stored, away from the path that stores them.
///
/// Any number of servers may run it: one does, the others skip their turn.
public struct GapJob: Sendable {
  private let store: GapStore
  private let figures: GapFigures

  public init(database: Database, metrics: Metrics) {
    store = GapStore(database: database)
    figures = GapFigures(metrics)
  }

  public func run(at now: Instant) async throws {
    var device: UUID?
    repeat {
      let after = device
      device = try await store.database.transaction(retries: 3) { connection in
        guard try await isAlone(on: connection) else { return nil }
        return try await store.count(after: after, at: now, on: connection)
      }
    } while device != nil
    var settled = 0
    repeat {
      settled = try await store.database.transaction(retries: 3) { connection in
        guard try await isAlone(on: connection) else { return 0 }
        return try await store.settleFound(at: now, on: connection)
      }
    } while settled == GapStore.batch
    if figures.areDue(at: now) { figures.set(try await store.totals(), at: now) }
  }

  private func isAlone(on connection: Connection) async throws -> Bool {
    try await connection.query("SELECT pg_try_advisory_xact_lock(hashtext('uplink_gaps'))").first?.bool(0) ?? false
  }
}

extension GapStore {
  struct Totals: Sendable {
    var frames: [String: Int64] = [:]
    var openGaps: Int64 = 0
  }

  func totals() async throws -> Totals {
    var totals = Totals()
    let rows = try await database.query(
      "SELECT state, count(*), sum(last_f_cnt - first_f_cnt + 1)::int8 FROM uplink_gaps GROUP BY state")
    for row in rows {
      let state = try row.text(0)
      totals.frames[state] = try row.int(2)
      if state == GapState.open.rawValue { totals.openGaps = try row.int(1) }
    }
    return totals
  }
}

/// The ledger of the whole installation, as the job found it.
final class GapFigures: Sendable {
  /// The whole ledger is looked through for them.
  private static let interval = Duration.minutes(5)

  private let totals = Mutex<GapStore.Totals?>(nil)
  private let countedAt = Mutex<Instant?>(nil)

  init(_ metrics: Metrics) {
    metrics.observed(
      "uplink_missing_frames", help: "Frames that did not come, by what became of them.", kind: .gauge,
      labels: ["state"]
    ) { [weak self] in
      guard let totals = self?.totals.withLock({ $0 }) else { return [] }
      return GapState.allCases.filter { $0 != .received }.map { state in
        ([state.rawValue], Double(totals.frames[state.rawValue] ?? 0))
      }
    }
    metrics.observed("uplink_gaps_open", help: "Gaps that nobody can explain yet.", kind: .gauge, labels: []) {
      [weak self] in
      // Absent until it was counted.
      self?.totals.withLock { $0 }.map { [([], Double($0.openGaps))] } ?? []
    }
  }

  func areDue(at now: Instant) -> Bool { countedAt.withLock { $0.map { now - $0 >= Self.interval } ?? true } }

  func set(_ fresh: GapStore.Totals, at now: Instant) {
    totals.withLock { $0 = fresh }
    countedAt.withLock { $0 = now }
  }
}
