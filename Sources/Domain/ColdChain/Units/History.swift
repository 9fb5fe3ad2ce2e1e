import Basics

/// Judges a unit's stored readings again, when a late one arrives or a limit is changed for the past.
///
/// The result of the readings does not depend on the order in which they arrived, nor on when the clock was looked at:
/// it is the fold of ``UnitMachine`` over all of them in ``UnitReading/inOrder(_:_:)``, each (`recordedAt`, `device`)
/// once. Before a quiet point nothing can change, so the fold starts there:
///
/// 1. when the timely readings of the batch have been stepped and stored,
///    `quiet = History.quietPoint(before: earliest late reading, incidents:)`;
/// 2. `start = History.checkpoint(at: quiet, live:, incidents:, door:)`;
/// 3. load the unit's readings with `recordedAt >= quiet`, late ones included, in order;
/// 4. `History.evaluate(readings, limits:, from: start, through: now)`;
/// 5. `History.reconcile(known:evaluated:)` tells which stored incidents change. What it closes again, nobody is woken
///    for.
///
/// `incidents` are the same in all of these: the stored incidents of the unit after step 1, at least the last one that
/// opened before the late reading, all that opened on the same day (UTC) as that one, whose door mask counts, and every
/// later one.
public enum History {
  public struct Evaluation: Hashable, Sendable {
    public var state: UnitState
    /// The last incident before the quiet point, which may have reopened, and every one since; by `openedAt`.
    public var incidents: [Incident]
    public var transitions: [Transition]
  }

  /// The latest instant at or before `instant` at which no incident was open: nothing at or after `instant` can change
  /// what was decided before it.
  public static func quietPoint(before instant: Instant, incidents: [Incident]) -> Instant {
    incidents.reduce(instant) { quiet, incident in
      let covers = incident.openedAt <= instant && (incident.closedAt.map { instant <= $0 } ?? true)
      return covers ? min(quiet, incident.openedAt) : quiet
    }
  }

  /// The state just before a quiet point.
  ///
  /// - Parameters:
  ///   - live: the unit's state now; link and commissioning are taken from it, since backfill does not touch them.
  ///   - door: what the door readings before `quiet` say: the last position and when it changed to it.
  public static func checkpoint(
    at quiet: Instant, live: UnitState, incidents: [Incident], door: Door
  ) -> UnitState {
    var state = live
    state.phase = .ok
    state.settledTo = nil
    state.door = door
    let before = incidents.filter { $0.openedAt < quiet }
    state.incident = before.max { $0.openedAt < $1.openedAt }
    let day = state.incident?.openedAt.dayUTC
    state.maskedThatDay = before.reduce(.zero) { $1.openedAt.dayUTC == day ? $0 + $1.masked : $0 }
    return state
  }

  /// One pass over readings in order. Of readings with the same (`recordedAt`, `device`) the first counts.
  public static func evaluate(
    _ readings: some Sequence<UnitReading>, limits: LimitsHistory, from checkpoint: UnitState, through now: Instant
  ) -> Evaluation {
    var machine = UnitMachine(checkpoint, limits: limits)
    var transitions: [Transition] = []
    var incidents: [Incident] = checkpoint.incident.map { [$0] } ?? []
    var previous: UnitReading?
    for reading in readings {
      if let previous, previous.recordedAt == reading.recordedAt, previous.device == reading.device { continue }
      previous = reading
      machine.fold(reading, into: &transitions)
      keep(machine.state.incident)
    }
    transitions += machine.advance(to: now)
    keep(machine.state.incident)
    return Evaluation(state: machine.state, incidents: incidents, transitions: transitions)

    func keep(_ incident: Incident?) {
      guard let incident else { return }
      if let last = incidents.indices.last, incidents[last].openedAt == incident.openedAt {
        incidents[last] = incident
      } else {
        incidents.append(incident)
      }
    }
  }

  /// Whether a late reading can be stored without judging the past again: it says nothing of the door, and it is
  /// inside the limits at a time when no incident was open.
  public static func changesNothing(_ reading: UnitReading, incidents: [Incident], limits: LimitsHistory) -> Bool {
    guard reading.doorOpen == nil else { return false }
    guard let temperature = reading.temperature else { return true }
    if case .outside = limits.at(reading.recordedAt).verdict(on: temperature) { return false }
    return !incidents.contains { incident in
      incident.openedAt <= reading.recordedAt && (incident.closedAt.map { reading.recordedAt <= $0 } ?? true)
    }
  }
}
