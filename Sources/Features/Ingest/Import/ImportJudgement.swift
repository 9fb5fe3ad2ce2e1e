import Basics
import ColdChain
import Monitoring
import Places
import PostgreSQL

/// Judges units of which many readings were stored without being judged.
struct ImportJudgement {
  /// Units in one transaction.
  private static let batch = 20

  let database: Database
  let clock: WallClock

  /// Returns how many had to be judged from their readings; for the others it was seen while they were read that nothing happened.
  func run(_ touched: [UUID: ImportChunk.Touch]) async throws -> Int {
    var again = 0
    let units = touched.keys.sorted()
    for start in stride(from: 0, to: units.count, by: Self.batch) {
      let some = units[start..<min(start + Self.batch, units.count)]
      again += try await judge(touched.filter { some.contains($0.key) })
    }
    return again
  }

  private func judge(_ touched: [UUID: ImportChunk.Touch]) async throws -> Int {
    let now = clock.now()
    return try await database.transaction(retries: 3) { connection in
      let units = Array(touched.keys)
      let answers = try await connection.pipeline([Monitor.lock(units), Monitor.read(units)])
      let states = try Monitor.states(answers[1])
      let rules = try await UnitRules.load(units, on: connection)
      let covered = try await covered(touched, on: connection)
      var quiet: [UUID: Monitor.News] = [:]
      var starts: [UUID: (instant: Instant, last: LastValues)] = [:]
      for (unit, touch) in touched {
        if covered.contains(unit) {
          starts[unit] = (touch.first, touch.newest)
        } else if let harmful = touch.firstHarmful {
          starts[unit] = (harmful, touch.newest)
        } else {
          let newest = UnitReading(
            id: unit, device: unit, recordedAt: touch.last, temperature: touch.newest.temperature, checksIn: false)
          quiet[unit] = Monitor.News(readings: [newest], last: touch.newest)
        }
      }
      let calm = try await Monitor.judge(
        quiet, states: states.values.filter { quiet[$0.unitId] != nil }, rules: rules, now: now, on: connection)
      let judged = try await Monitor.judgeAgain(
        from: starts, states: states.values.filter { starts[$0.unitId] != nil }, rules: rules, now: now, on: connection)
      _ = try await connection.pipeline(calm.statements + judged.statements)
      return starts.count
    }
  }

  /// Those with an incident while readings were imported: inside of it, also a reading within the limits has a meaning.
  private func covered(_ touched: [UUID: ImportChunk.Touch], on connection: Connection) async throws -> Set<UUID> {
    let order = Array(touched)
    let rows = try await connection.query(
      """
      SELECT DISTINCT t.unit_id FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) AS t (unit_id, first, last)
      JOIN incidents i ON i.unit_id = t.unit_id AND i.kind = 'temperature' AND i.opened_at <= t.last
        AND coalesce(i.closed_at, 'infinity') >= t.first
      """,
      [.uuids(order.map(\.key)), .timestamps(order.map(\.value.first)), .timestamps(order.map(\.value.last))])
    return Set(try rows.map { try $0.uuid(0) })
  }
}
