import Basics
import ColdChain
import Places
import PostgreSQL

extension Monitor {
  /// Judges the past of units again, each from an instant on: after many readings were stored at once, or what they say has
  /// changed. What follows is that of late readings: see ``History``.
  ///
  /// - Parameters:
  ///   - starts: the first reading that may change anything, and the newest values of the unit.
  ///   - states: the locked states of these units.
  public static func judgeAgain(
    from starts: [UUID: (instant: Instant, last: LastValues)], states: [StoredState], rules: [UUID: UnitRules],
    now: Instant, on connection: Connection
  ) async throws -> Outcome {
    var news: [UUID: News] = [:]
    for (unit, start) in starts {
      // A word of the door is never passed over as harmless; that it is shut is not noted, because the readings are read again.
      let first = UnitReading(
        id: unit, device: unit, recordedAt: start.instant, doorOpen: false, checksIn: false)
      news[unit] = News(readings: [first], last: start.last)
    }
    let late = states.map { stored in
      var columns = stored.state.columns
      columns.settledTo = max(columns.settledTo ?? now, now, starts[stored.unitId]?.instant ?? now)
      var changed = stored
      if let state = UnitState(columns, incident: stored.state.incident) { changed.state = state }
      return changed
    }
    return try await judge(news, states: late, rules: rules, now: now, on: connection)
  }
}
