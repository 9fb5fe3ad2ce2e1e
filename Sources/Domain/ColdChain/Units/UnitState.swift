import Basics

/// The seven statuses the API shows, derived from the facts. See ``UnitState/status(manualLogOverdue:)``.
public enum UnitStatus: String, Sendable, CaseIterable {
  case ok, excursion, restoring, offline
  case alarmActive = "alarm_active"
  case monitoringInterrupted = "monitoring_interrupted"
  case manualRequired = "manual_required"
}

/// Whether the unit's sensor is heard.
public enum LinkState: String, Sendable, CaseIterable {
  /// No check-in yet.
  case never
  case live
  /// Silent for more than 1.5 expected intervals and a minute.
  case late
  /// Silent for 5 expected intervals and at least 30 minutes, or never heard within the grace after commissioning.
  case lost
}

/// What the door sensor last said.
public struct Door: Hashable, Sendable {
  public enum Position: String, Sendable, CaseIterable { case unknown, open, closed }

  public var position: Position
  /// When it changed to this position. Nil when the change was not seen: a closed door that was never seen open.
  public var since: Instant?

  public init(_ position: Position, since: Instant? = nil) {
    self.position = position
    self.since = since
  }

  public static let unknown = Door(.unknown)

  mutating func observe(open: Bool, at instant: Instant) {
    switch (open, position) {
    case (true, .open), (false, .closed): break
    case (false, .unknown): self = Door(.closed)
    default: self = Door(open ? .open : .closed, since: instant)
    }
  }
}

/// The facts about one unit that its readings, its door and time decide. A plain value: see ``Columns`` for how it is
/// stored.
public struct UnitState: Hashable, Sendable {
  public enum Phase: Hashable, Sendable {
    case ok
    /// `since`: the first reading outside of this run.
    case excursion(since: Instant)
    /// `since`: the first reading outside of this run, not the confirmation.
    case alarm(since: Instant)
    /// `since`: the first recovered reading; `qualifying`: how many recovered readings in a row.
    case restoring(since: Instant, qualifying: Int32)
  }

  public internal(set) var phase: Phase = .ok
  /// The open incident, or in phase `ok` the last one, which may still reopen.
  public internal(set) var incident: Incident?
  /// Confirmation time that open doors have added on the day (UTC) on which ``incident`` opened.
  public internal(set) var maskedThatDay: Duration = .zero
  public internal(set) var door: Door = .unknown
  /// Event time up to which the temperature and the door have been judged. A reading at or before it is late.
  public internal(set) var settledTo: Instant?
  public internal(set) var link: LinkState = .never
  /// Event time of the newest check-in.
  public internal(set) var lastSeen: Instant?
  /// When the unit got its sensor. Nil: it has none, and is never lost.
  public var commissionedAt: Instant?

  public init(commissionedAt: Instant? = nil) { self.commissionedAt = commissionedAt }

  /// The open incident, if any.
  public var openIncident: Incident? { phase == .ok ? nil : incident }

  /// The same condition, at another time: the states differ at most in when the unit was heard and up to when it was judged.
  public func isSameCondition(as other: UnitState) -> Bool {
    var later = self
    later.settledTo = other.settledTo
    later.lastSeen = other.lastSeen
    return later == other
  }

  /// The status to show: an alarm is never hidden by silence, and a unit never heard from counts as offline.
  public func status(manualLogOverdue: Bool = false) -> UnitStatus {
    if case .alarm = phase { return .alarmActive }
    if manualLogOverdue { return .manualRequired }
    if link == .lost { return .monitoringInterrupted }
    if case .excursion = phase { return .excursion }
    if link == .late || link == .never { return .offline }
    if case .restoring = phase { return .restoring }
    return .ok
  }
}

// MARK: - Stored form

extension UnitState {
  /// The state as one row beside its incident's row. `UnitState(columns, incident:)` of `state.columns` is the state.
  public struct Columns: Hashable, Sendable {
    public enum Temperature: String, Sendable, CaseIterable { case ok, excursion, alarm, restoring }

    public var temperatureState: Temperature
    /// Nil in `ok`.
    public var temperatureSince: Instant?
    /// 0 unless `restoring`.
    public var qualifyingReadings: Int32
    /// ``Incident/openedAt`` of the open or last incident.
    public var incidentOpenedAt: Instant?
    public var maskedMicroseconds: Int64
    public var doorPosition: Door.Position
    public var doorSince: Instant?
    public var settledTo: Instant?
    public var linkState: LinkState
    public var lastSeen: Instant?
    public var commissionedAt: Instant?

    public init(
      temperatureState: Temperature = .ok, temperatureSince: Instant? = nil, qualifyingReadings: Int32 = 0,
      incidentOpenedAt: Instant? = nil, maskedMicroseconds: Int64 = 0, doorPosition: Door.Position = .unknown,
      doorSince: Instant? = nil, settledTo: Instant? = nil, linkState: LinkState = .never, lastSeen: Instant? = nil,
      commissionedAt: Instant? = nil
    ) {
      self.temperatureState = temperatureState
      self.temperatureSince = temperatureSince
      self.qualifyingReadings = qualifyingReadings
      self.incidentOpenedAt = incidentOpenedAt
      self.maskedMicroseconds = maskedMicroseconds
      self.doorPosition = doorPosition
      self.doorSince = doorSince
      self.settledTo = settledTo
      self.linkState = linkState
      self.lastSeen = lastSeen
      self.commissionedAt = commissionedAt
    }
  }

  public var columns: Columns {
    var columns = Columns(
      incidentOpenedAt: incident?.openedAt, maskedMicroseconds: maskedThatDay.microseconds,
      doorPosition: door.position, doorSince: door.since, settledTo: settledTo, linkState: link, lastSeen: lastSeen,
      commissionedAt: commissionedAt)
    switch phase {
    case .ok: break
    case .excursion(let since):
      columns.temperatureState = .excursion
      columns.temperatureSince = since
    case .alarm(let since):
      columns.temperatureState = .alarm
      columns.temperatureSince = since
    case .restoring(let since, let qualifying):
      columns.temperatureState = .restoring
      columns.temperatureSince = since
      columns.qualifyingReadings = qualifying
    }
    return columns
  }

  /// Nil when the columns contradict each other or the incident is not the one they name.
  public init?(_ columns: Columns, incident: Incident?) {
    guard incident?.openedAt == columns.incidentOpenedAt else { return nil }
    switch (columns.temperatureState, columns.temperatureSince, incident) {
    case (.ok, nil, _): phase = .ok
    case (.excursion, .some(let since), .some): phase = .excursion(since: since)
    case (.alarm, .some(let since), .some): phase = .alarm(since: since)
    case (.restoring, .some(let since), .some):
      phase = .restoring(since: since, qualifying: columns.qualifyingReadings)
    default: return nil
    }
    self.incident = incident
    maskedThatDay = .microseconds(columns.maskedMicroseconds)
    door = Door(columns.doorPosition, since: columns.doorSince)
    settledTo = columns.settledTo
    link = columns.linkState
    lastSeen = columns.lastSeen
    commissionedAt = columns.commissionedAt
  }
}
