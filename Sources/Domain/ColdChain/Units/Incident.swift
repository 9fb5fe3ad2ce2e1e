import Basics

/// One departure of a unit from its limits, from the first reading outside to the proof that it recovered.
///
/// All instants are event time. ``openedAt`` names the incident within its unit: a unit has at most one incident at a
/// time. A late reading may move it; see ``History/reconcile(known:evaluated:)``.
public struct Incident: Hashable, Sendable {
  /// The first reading outside the limits.
  public var openedAt: Instant
  /// The reading that opened it.
  public var openedBy: UUID
  /// The limit that was broken first.
  public var side: LimitSide
  /// When the excursion had first lasted long enough to be an alarm. Nil: it never has.
  public var confirmedAt: Instant?
  /// The first recovered reading since it was last outside: the end of the excursion.
  public var recoveredAt: Instant?
  /// When recovery was proven. Nil: open.
  public var closedAt: Instant?
  /// The temperature furthest outside the limits valid at ``peakAt``; the earliest of equals.
  public var peak: Temperature
  public var peakAt: Instant
  /// How often it went outside again while restoring or soon after it closed.
  public var reopenings: Int32
  /// Confirmation time that open doors added to it.
  public var masked: Duration
  /// Only simulated readings were outside the limits.
  public var simulated: Bool

  public init(
    openedAt: Instant, openedBy: UUID, side: LimitSide, confirmedAt: Instant? = nil, recoveredAt: Instant? = nil,
    closedAt: Instant? = nil, peak: Temperature, peakAt: Instant, reopenings: Int32 = 0, masked: Duration = .zero,
    simulated: Bool = false
  ) {
    self.openedAt = openedAt
    self.openedBy = openedBy
    self.side = side
    self.confirmedAt = confirmedAt
    self.recoveredAt = recoveredAt
    self.closedAt = closedAt
    self.peak = peak
    self.peakAt = peakAt
    self.reopenings = reopenings
    self.masked = masked
    self.simulated = simulated
  }

  public var severity: Severity { confirmedAt == nil ? .warning : .critical }
}

/// How urgent an alert is: a warning at the excursion, critical once confirmed.
public enum Severity: String, Sendable, CaseIterable { case info, warning, critical }

/// One thing that happened to a unit, in the order it happened.
public struct Transition: Hashable, Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    /// First reading outside the limits: ok to excursion. Severity warning.
    case opened
    /// The excursion lasted past its confirmation time: to alarm. Severity critical. Caused by time, at the deadline.
    case confirmed
    /// A temperature further outside than any before it in the incident.
    case peak
    /// Back inside by the hysteresis: to restoring.
    case recovering
    /// Outside again while restoring or within the reopen window: the same incident; to alarm when it was ever
    /// confirmed, else to excursion.
    case reopened
    /// Recovery is proven: restoring to ok.
    case closed
    case linkLive
    case linkLate
    case linkLost
  }

  public var kind: Kind
  /// Event time: the reading's, or the deadline that passed.
  public var at: Instant
  /// The reading that caused it. Nil: time did.
  public var reading: UUID?
  public var temperature: Temperature?
  /// ``Incident/openedAt`` of the incident it belongs to. Nil for the link.
  public var incident: Instant?
}
