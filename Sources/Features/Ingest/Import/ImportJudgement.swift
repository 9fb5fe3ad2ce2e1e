import Basics
import ColdChain
import Monitoring
import Places
import PostgreSQL

/// Judges units of which many readings were stored without being judged.
struct ImportJudgement {
  /// Units in one transaction: such as only time has passed for, and such whose readings are read again.
  private static let quietBatch = 500
  private static let batch = 20

  let database: Database
  let clock: WallClock

  /// Returns how many had to be judged from their readings; for the others it was seen while they were read that nothing happened.
  func run(_ touched: [UUID: ImportChunk.Touch]) async throws -> Int {
    let units = touched.keys.sorted()
    var harmed: [UUID] = []
    for start in stride(from: 0, to: units.count, by: Self.quietBatch) {
      let some = units[start..<min(start + Self.quietBatch, units.count)].map { ($0, touched[$0]) }
      let quiet = some.compactMap { unit, touch in touch?.firstHarmful == nil ? (unit, touch) : nil }
      let passed = try await pass(quiet)
      harmed += some.map(\.0).filter { !passed.contains($0) }
    }
    for start in stride(from: 0, to: harmed.count, by: Self.batch) {
      let some = harmed[start..<min(start + Self.batch, harmed.count)]
      try await judge(some.compactMap { unit in touched[unit].map { (unit, $0) } })
    }
    return harmed.count
  }

  /// Tells units of their newest reading, and returns which; those with an incident meanwhile are left.
  private func pass(_ touched: [(unit: UUID, touch: ImportChunk.Touch?)]) async throws -> Set<UUID> {
    let touched = touched.compactMap { unit, touch in touch.map { (unit: unit, touch: $0) } }
    guard !touched.isEmpty else { return [] }
    let now = clock.now()
    return try await database.transaction(retries: 3) { connection in
      let (states, rules) = try await locked(touched.map(\.unit), on: connection)
      let covered = try await covered(touched, on: connection)
      var news: [UUID: Monitor.News] = [:]
      for (unit, touch) in touched where !covered.contains(unit) {
        let newest = UnitReading(
          id: unit, device: unit, recordedAt: touch.last, temperature: touch.newest.temperature, checksIn: false)
        news[unit] = Monitor.News(readings: [newest], last: touch.newest)
      }
      let outcome = try await Monitor.judge(
        news, states: states.filter { news[$0.unitId] != nil }, rules: rules, now: now, on: connection)
      _ = try await connection.pipeline(outcome.statements)
      return Set(news.keys)
    }
  }

  private func judge(_ touched: [(unit: UUID, touch: ImportChunk.Touch)]) async throws {
    let now = clock.now()
    try await database.transaction(retries: 3) { connection in
      let (states, rules) = try await locked(touched.map(\.unit), on: connection)
      let covered = try await covered(touched, on: connection)
      var starts: [UUID: (instant: Instant, last: LastValues)] = [:]
      for (unit, touch) in touched {
        starts[unit] = (covered.contains(unit) ? touch.first : touch.firstHarmful ?? touch.first, touch.newest)
      }
      let outcome = try await Monitor.judgeAgain(from: starts, states: states, rules: rules, now: now, on: connection)
      _ = try await connection.pipeline(outcome.statements)
    }
  }

  private func locked(
    _ units: [UUID], on connection: Connection
  ) async throws -> (states: [StoredState], rules: [UUID: UnitRules]) {
    let answers = try await connection.pipeline([Monitor.lock(units), Monitor.read(units)])
    return (Array(try Monitor.states(answers[1]).values), try await UnitRules.load(units, on: connection))
  }

  /// Those with an incident while readings were imported: inside of it, also a reading within the limits has a meaning.
  private func covered(
    _ touched: [(unit: UUID, touch: ImportChunk.Touch)], on connection: Connection
  ) async throws -> Set<UUID> {
    let rows = try await connection.query(
      """
      SELECT DISTINCT t.unit_id FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS t (unit_id, first, last)
      JOIN incidents i ON i.unit_id = t.unit_id AND i.kind = 'temperature' AND i.opened_at <= t.last
        AND coalesce(i.closed_at, 'infinity') >= t.first
      """,
      [
        .uuids(touched.map(\.unit)), .timestamps(touched.map(\.touch.first)), .timestamps(touched.map(\.touch.last)),
      ])
    return Set(try rows.map { try $0.uuid(0) })
  }
}
