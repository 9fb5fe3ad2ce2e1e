import Basics

/// Moves one unit's state by its readings and by time. Pure: whoever calls it passes the clock and stores the result.
///
/// The rule of the caller, for each unit and batch, under the unit's row lock:
/// 1. ``step(_:)`` every reading in ``UnitReading/inOrder(_:_:)``; when any was late (nil), follow ``History`` after
///    the last;
/// 2. ``advance(to:)`` the wall clock;
/// 3. store ``state`` and ``nextDueAt``, apply the transitions.
public struct UnitMachine: Sendable {
  public private(set) var state: UnitState
  public let limits: LimitsHistory

  public init(_ state: UnitState, limits: LimitsHistory) {
    self.state = state
    self.limits = limits
  }

  /// Judges the next reading. A confirmation deadline at or before it fires first, at the deadline.
  ///
  /// Nil when the reading is late: at or before ``UnitState/settledTo``. Then only ``UnitState/lastSeen`` has changed,
  /// and the caller re-evaluates from the quiet point unless ``History/changesNothing(_:incidents:limits:)``.
  public mutating func step(_ reading: UnitReading) -> [Transition]? {
    noteCheckIn(reading)
    if let settledTo = state.settledTo, reading.recordedAt <= settledTo { return nil }
    var transitions: [Transition] = []
    fold(reading, into: &transitions)
    return transitions
  }

  /// What time alone does until `now`: it confirms an excursion at its deadline, and judges the link.
  ///
  /// Only here does the link change, because only the wall clock knows of silence. Calling it more often, or less,
  /// changes nothing but when the caller hears of it.
  public mutating func advance(to now: Instant) -> [Transition] {
    var transitions: [Transition] = []
    confirmIfDue(by: now, into: &transitions)
    judgeLink(at: now, into: &transitions)
    return transitions
  }

  /// The earliest instant at which time alone changes something; it may have passed. Nil: only a reading can.
  ///
  /// Limits that change move it: the caller computes it anew.
  public var nextDueAt: Instant? {
    guard let confirmation = confirmationDeadline else { return linkDeadline }
    return linkDeadline.map { min($0, confirmation) } ?? confirmation
  }

  // MARK: - Temperature

  /// Judges a reading that is not before any other reading judged so far.
  mutating func fold(_ reading: UnitReading, into transitions: inout [Transition]) {
    noteCheckIn(reading)
    confirmIfDue(by: reading.recordedAt, into: &transitions)
    state.settledTo = reading.recordedAt
    if let open = reading.doorOpen { state.door.observe(open: open, at: reading.recordedAt) }
    guard let temperature = reading.temperature else { return }
    switch limits.at(reading.recordedAt).verdict(on: temperature) {
    case .outside(let side): goesOutside(reading, temperature, side, into: &transitions)
    case .withinHysteresis:
      if case .restoring(let since, _) = state.phase { state.phase = .restoring(since: since, qualifying: 0) }
    case .clear: recovers(reading, temperature, into: &transitions)
    }
  }

  private mutating func goesOutside(
    _ reading: UnitReading, _ temperature: Temperature, _ side: LimitSide, into transitions: inout [Transition]
  ) {
    let at = reading.recordedAt
    guard var incident = state.incident, isSame(incident, at: at) else {
      let previous = state.incident?.openedAt
      if previous?.dayUTC != at.dayUTC { state.maskedThatDay = .zero }
      state.incident = Incident(
        openedAt: at, openedBy: reading.id, side: side, peak: temperature, peakAt: at, simulated: reading.simulated)
      state.phase = .excursion(since: at)
      transitions.append(transition(.opened, at, reading, temperature))
      return
    }
    switch state.phase {
    case .excursion, .alarm: break
    case .ok, .restoring:
      incident.recoveredAt = nil
      incident.closedAt = nil
      incident.reopenings += 1
      state.phase = incident.confirmedAt == nil ? .excursion(since: at) : .alarm(since: at)
      transitions.append(transition(.reopened, at, reading, temperature))
    }
    incident.simulated = incident.simulated && reading.simulated
    let known = limits.at(incident.peakAt).excess(of: incident.peak)
    if limits.at(at).excess(of: temperature) > known {
      incident.peak = temperature
      incident.peakAt = at
      transitions.append(transition(.peak, at, reading, temperature))
    }
    state.incident = incident
  }

  /// Whether a temperature outside at `at` belongs to the incident: it is open, or closed no longer than the window
  /// ago.
  private func isSame(_ incident: Incident, at: Instant) -> Bool {
    guard let closedAt = incident.closedAt else { return true }
    return at - closedAt <= limits.at(at).reopenWindow
  }

  private mutating func recovers(
    _ reading: UnitReading, _ temperature: Temperature, into transitions: inout [Transition]
  ) {
    let at = reading.recordedAt
    switch state.phase {
    case .ok: break
    case .excursion(let since):
      spendMask(since: since, until: at)
      beginRestoring()
    case .alarm: beginRestoring()
    case .restoring(let since, let qualifying):
      let rules = limits.at(since)
      state.phase = .restoring(since: since, qualifying: qualifying + 1)
      guard qualifying + 1 >= rules.restoringReadings, at - since >= rules.expectedInterval else { return }
      state.phase = .ok
      state.incident?.closedAt = at
      transitions.append(transition(.closed, at, reading, temperature))
    }

    func beginRestoring() {
      state.phase = .restoring(since: at, qualifying: 1)
      state.incident?.recoveredAt = at
      transitions.append(transition(.recovering, at, reading, temperature))
    }
  }

  private func transition(
    _ kind: Transition.Kind, _ at: Instant, _ reading: UnitReading?, _ temperature: Temperature?
  ) -> Transition {
    Transition(
      kind: kind, at: at, reading: reading?.id, temperature: temperature, incident: state.incident?.openedAt)
  }

  // MARK: - Confirmation

  /// When the running excursion becomes an alarm if nothing else happens. Nil in any other phase.
  ///
  /// The closed-door time, unless the door was open during the excursion: then until the door has been closed for the
  /// difference of both times, at most the open-door time, and within what is left of the day's mask.
  public var confirmationDeadline: Instant? {
    guard case .excursion(let since) = state.phase else { return nil }
    let rules = limits.at(since)
    let closed = since + rules.confirmDoorClosed
    let left = max(.zero, rules.doorMaskPerDay - state.maskedThatDay)
    let open = min(since + rules.confirmDoorOpen, closed + left)
    switch (state.door.position, state.door.since) {
    case (.open, _): return open
    case (.closed, .some(let shut)) where shut > since:
      return min(open, max(closed, shut + (rules.confirmDoorOpen - rules.confirmDoorClosed)))
    default: return closed
    }
  }

  private mutating func confirmIfDue(by instant: Instant, into transitions: inout [Transition]) {
    guard case .excursion(let since) = state.phase, let due = confirmationDeadline, due <= instant else { return }
    spendMask(since: since, until: due)
    state.phase = .alarm(since: since)
    if state.incident?.confirmedAt == nil { state.incident?.confirmedAt = due }
    state.settledTo = max(state.settledTo ?? due, due)
    transitions.append(transition(.confirmed, due, nil, nil))
  }

  /// Books what the door has added to an excursion that ends now.
  private mutating func spendMask(since: Instant, until end: Instant) {
    let masked = end - (since + limits.at(since).confirmDoorClosed)
    guard masked > .zero else { return }
    state.maskedThatDay += masked
    state.incident?.masked += masked
  }

  // MARK: - Link

  mutating func noteCheckIn(_ reading: UnitReading) {
    guard reading.checksIn else { return }
    state.lastSeen = max(state.lastSeen ?? reading.recordedAt, reading.recordedAt)
  }

  private var lateAt: Instant? {
    let rules = limits.latest
    return state.lastSeen.map { $0 + rules.expectedInterval * (2 * Int(rules.lateCheckIns) + 1) / 2 + .seconds(60) }
  }

  private var lostAt: Instant? {
    if let lastSeen = state.lastSeen {
      let rules = limits.latest
      return lastSeen + max(rules.expectedInterval * Int(rules.lostCheckIns), .minutes(30))
    }
    return state.commissionedAt.map { $0 + limits.latest.neverSeenGrace }
  }

  private func link(at now: Instant) -> LinkState {
    if let lostAt, now >= lostAt { return .lost }
    guard let lateAt else { return .never }
    return now > lateAt ? .late : .live
  }

  private var linkDeadline: Instant? {
    switch state.link {
    case .never: state.lastSeen ?? lostAt
    case .live: lateAt.map { $0 + .microseconds(1) }
    case .late: lostAt
    case .lost: nil
    }
  }

  private mutating func judgeLink(at now: Instant, into transitions: inout [Transition]) {
    let link = link(at: now)
    guard link != state.link else { return }
    state.link = link
    switch link {
    case .never: break
    case .live: transitions.append(Transition(kind: .linkLive, at: state.lastSeen ?? now))
    case .late: transitions.append(Transition(kind: .linkLate, at: lateAt ?? now))
    case .lost: transitions.append(Transition(kind: .linkLost, at: lostAt ?? now))
    }
  }
}

extension Instant {
  /// Days since 1970-01-01 UTC.
  var dayUTC: Int64 { (microseconds - (microseconds < 0 ? 86_399_999_999 : 0)) / 86_400_000_000 }
}
