import Alerts
import Basics
import ColdChain
import Places
import PostgreSQL
import Readings

/// Moves the states of units, within the transaction of the readings or of the clock tick that moves them: state, incidents,
/// alerts, audit entries and events are one commit.
public enum Monitor {
  /// What a unit's new readings are, in a batch.
  public struct News: Sendable {
    public var readings: [UnitReading]
    public var last: LastValues

    public init(readings: [UnitReading], last: LastValues) {
      self.readings = readings
      self.last = last
    }
  }

  /// Locks the states of these units until the transaction ends.
  public static func lock(_ units: [UUID]) -> (SQL, [Value]) { UnitStateStore.lock(units) }

  /// Reads the states of units, after they were locked. Its rows go to ``states(_:)``.
  public static func read(_ units: [UUID]) -> (SQL, [Value]) { UnitStateStore.read(units) }

  public static func states(_ rows: Rows) throws(DatabaseError) -> [UUID: StoredState] {
    var states: [UUID: StoredState] = [:]
    for row in rows {
      let stored = try UnitStateStore.read(row)
      states[stored.unitId] = stored
    }
    return states
  }

  /// The version that rows have which this transaction writes; see ``StoredState/version``.
  public static let rowVersion: SQL = "SELECT txid_current() & 4294967295"

  public struct Outcome: Sendable {
    /// Send these before COMMIT.
    public var statements: [(SQL, [Value])] = []
    /// As they are stored after that, but for their version.
    public var states: [StoredState] = []
    /// How many alerts were opened, by unit.
    public var alertsOpened: [UUID: Int] = [:]
  }

  /// Judges new readings, and what time has done until `now`.
  ///
  /// - Parameters:
  ///   - news: readings that are stored in this transaction, by unit; none for a clock tick.
  ///   - states: the locked states of all units of `news`, and of those that only time moves.
  ///   - rules: a unit without rules keeps its state.
  public static func judge(
    _ news: [UUID: News], states: [StoredState], rules: [UUID: UnitRules], now: Instant, on connection: Connection
  ) async throws -> Outcome {
    var changes: [UnitStateStore.Change] = []
    var consequences = Consequences(now: now)
    for stored in states {
      guard let rules = rules[stored.unitId] else { continue }
      let readings = news[stored.unitId]?.readings ?? []
      let verdict = try await verdict(on: stored, readings, rules, until: horizon(readings, stored, now), connection)
      consequences.collect(verdict, stored, rules)
      changes.append(
        UnitStateStore.Change(
          old: stored, state: verdict.state, nextDueAt: nextDue(stored, verdict.state, rules, now: now),
          last: news[stored.unitId]?.last.following(stored.last) ?? stored.last,
          statusSince: verdict.transitions.last?.at ?? now))
    }
    var outcome = Outcome()
    if !consequences.isEmpty { outcome.alertsOpened = try await consequences.apply(on: connection) }
    guard !changes.isEmpty else { return outcome }
    outcome.statements.append(UnitStateStore.save(changes))
    outcome.states = changes.map(\.stored)
    let announced = changes.filter { $0.old.status != $0.state.status() }
    if !announced.isEmpty { outcome.statements.append(UnitStateStore.announce(announced)) }
    return outcome
  }

  // MARK: - Without a look

  /// What readings make of a state that is remembered when they change no condition: the unit is heard, measured, and judged up to
  /// now. Nil when anything begins or ends or came late, or a deadline moves: then the stored state is to be locked and looked at.
  public static func pass(_ news: News, of known: StoredState, _ rules: UnitRules, now: Instant) -> StoredState? {
    var machine = UnitMachine(known.state, limits: rules.limits)
    for reading in news.readings.count == 1 ? news.readings : news.readings.sorted(by: UnitReading.inOrder) {
      guard let steps = machine.step(reading), steps.isEmpty else { return nil }
    }
    guard machine.advance(to: horizon(news.readings, known, now)).isEmpty,
      machine.state.isSameCondition(as: known.state),
      nextDue(known, machine.state, rules, now: now) == known.nextDueAt
    else { return nil }
    var passed = known
    passed.state = machine.state
    passed.last = news.last.following(known.last)
    return passed
  }

  /// Stores what ``pass(_:of:_:now:)`` returned, if nothing has changed meanwhile: see ``isStale(_:)``. Its one row has the version
  /// of the rows then.
  public static func advance(_ states: [StoredState], directoryVersion: Int64) -> (SQL, [Value]) {
    UnitStateStore.advance(states, directoryVersion: directoryVersion)
  }

  /// True of the error by which ``advance(_:directoryVersion:)`` refuses.
  public static func isStale(_ error: DatabaseError) -> Bool { error.sqlState == SQLState("FT001") }

  /// Until when the clock is followed. Readings are judged by event time alone: a history that arrives days late does not make its
  /// unit silent between two of its own readings. What only the present can tell is left to the clock job, seconds later.
  private static func horizon(_ readings: [UnitReading], _ stored: StoredState, _ now: Instant) -> Instant {
    guard let newest = readings.map(\.recordedAt).max() else { return now }
    return min(now, max(newest, stored.state.settledTo ?? newest))
  }

  // MARK: - One unit

  struct Verdict {
    var state: UnitState
    var transitions: [Transition]
    var changes: [History.Change]
  }

  private static func verdict(
    on stored: StoredState, _ readings: [UnitReading], _ rules: UnitRules, until horizon: Instant,
    _ connection: Connection
  ) async throws -> Verdict {
    var machine = UnitMachine(stored.state, limits: rules.limits)
    var transitions: [Transition] = []
    var incidents = stored.state.incident.map { [$0] } ?? []
    var late: [UnitReading] = []
    for reading in readings.sorted(by: UnitReading.inOrder) {
      if let steps = machine.step(reading) {
        transitions += steps
        keep(machine.state.incident, in: &incidents)
      } else {
        late.append(reading)
      }
    }
    if let earliest = late.first {
      let known = try await IncidentStore.known(
        unit: stored.unitId, organization: stored.organizationId, around: earliest.recordedAt, on: connection)
      let current = known.filter { one in !incidents.contains { $0.openedAt == one.openedAt } } + incidents
      let harmful = late.first { !History.changesNothing($0, incidents: current, limits: rules.limits) }
      if let harmful {
        let past = Past(stored: known, current: current, from: harmful.recordedAt)
        return try await verdict(on: past, of: stored, machine.state, rules, until: horizon, connection)
      }
    }
    transitions += machine.advance(to: horizon)
    keep(machine.state.incident, in: &incidents)
    let known = stored.state.incident.map { [$0] } ?? []
    return Verdict(
      state: machine.state, transitions: transitions,
      changes: known == incidents ? [] : History.reconcile(known: known, evaluated: incidents))
  }

  /// What is to be judged again.
  private struct Past {
    /// As the database has them.
    let stored: [Incident]
    /// With what the timely readings of the same batch have changed: one of them may have reopened an incident that closed
    /// before the late reading.
    let current: [Incident]
    let from: Instant
  }

  private static func verdict(
    on past: Past, of unit: StoredState, _ live: UnitState, _ rules: UnitRules, until horizon: Instant,
    _ connection: Connection
  ) async throws -> Verdict {
    let quiet = History.quietPoint(before: past.from, incidents: past.current)
    let door = try await ReadingWrites.door(
      unit: unit.unitId, organization: unit.organizationId, before: quiet, on: connection)
    let start = History.checkpoint(at: quiet, live: live, incidents: past.current, door: door)
    let readings = try await ReadingWrites.judged(
      unit: unit.unitId, organization: unit.organizationId, from: quiet, on: connection)
    let evaluation = History.evaluate(readings, limits: rules.limits, from: start, through: horizon)
    let concerned = past.stored.filter { $0.openedAt >= quiet || $0.openedAt == start.incident?.openedAt }
    return Verdict(
      state: evaluation.state, transitions: evaluation.transitions,
      changes: History.reconcile(known: concerned, evaluated: evaluation.incidents))
  }

  private static func keep(_ incident: Incident?, in incidents: inout [Incident]) {
    guard let incident else { return }
    if let last = incidents.indices.last, incidents[last].openedAt == incident.openedAt {
      incidents[last] = incident
    } else {
      incidents.append(incident)
    }
  }

  /// An earlier deadline that is stored already is left standing: rewriting the index for each reading costs more than one
  /// look of the clock job too many.
  private static func nextDue(_ stored: StoredState, _ state: UnitState, _ rules: UnitRules, now: Instant) -> Instant? {
    guard let due = UnitMachine(state, limits: rules.limits).nextDueAt else { return nil }
    if let known = stored.nextDueAt, now < known, known <= due { return known }
    return due
  }
}
