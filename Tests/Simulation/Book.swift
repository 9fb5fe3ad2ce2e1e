import Basics
import ColdChain

/// Keeps what follows from a unit's readings beside its incidents: alerts, who was woken, and rollups; each brought up to date by
/// what changed, never made anew.
struct Book {
  struct Alert: Hashable {
    var triggeredAt: Instant
    var severity: Severity
    var isOpen: Bool
  }

  /// By the instant at which their incident opened.
  private(set) var alerts: [Instant: Alert] = [:]
  private(set) var rollups: [Instant: Rollup] = [:]
  private(set) var timesWoken = 0
  /// Somebody was woken for what had ended.
  private(set) var wokenInVain = 0
  private var dirty: Set<Instant> = []
  let limits: LimitsHistory

  init(limits: LimitsHistory) { self.limits = limits }

  mutating func take(_ changes: [History.Change]) {
    // What is withdrawn or changed leaves its place before another takes it.
    var placed: [(Instant, Alert)] = []
    for change in changes {
      switch change {
      case .added(let incident):
        if incident.closedAt == nil { wake(for: incident) }
        placed.append((incident.openedAt, alert(incident)))
      case .changed(let from, let to):
        if from.closedAt != nil, to.closedAt == nil { wake(for: to) }
        alerts[from.openedAt] = nil
        placed.append((to.openedAt, alert(to)))
      case .withdrawn(let incident): alerts[incident.openedAt] = nil
      }
    }
    for (instant, alert) in placed { alerts[instant] = alert }
  }

  private func alert(_ incident: Incident) -> Alert {
    Alert(triggeredAt: incident.openedAt, severity: incident.severity, isOpen: incident.closedAt == nil)
  }

  private mutating func wake(for incident: Incident) {
    timesWoken += 1
    if incident.closedAt != nil { wokenInVain += 1 }
  }

  mutating func mark(_ readings: [UnitReading]) {
    for reading in readings where reading.isRolledUp { dirty.insert(reading.recordedAt.hour) }
  }

  /// Rolls up the marked hours and those that their readings reach into.
  mutating func roll(_ readings: [UnitReading]) {
    let reach = Rollup.reach(limits)
    for span in Rollup.spans(touchedBy: Array(dirty), limits: limits) {
      let seen = readings.samples { span.lowerBound - reach <= $0 && $0 < span.upperBound + reach }
      let hours = Array(sequence(first: span.lowerBound) { $0 < span.upperBound ? $0 + .hours(1) : nil })
      for (hour, rollup) in zip(hours, Rollup.between(hours, of: seen, limits: limits)) {
        rollups[hour] = rollup.isEmpty ? nil : rollup
      }
    }
    dirty.removeAll()
  }
}

extension UnitReading {
  var isRolledUp: Bool { temperature != nil && !simulated }
}

extension [UnitReading] {
  func samples(where isSeen: (Instant) -> Bool = { _ in true }) -> [Rollup.Sample] {
    compactMap { reading in
      guard reading.isRolledUp, isSeen(reading.recordedAt), let temperature = reading.temperature else { return nil }
      return Rollup.Sample(at: reading.recordedAt, temperature: temperature)
    }
  }

  /// The rollups of all of them, made at once.
  func rolledUp(_ limits: LimitsHistory) -> [Instant: Rollup] {
    let samples = samples()
    guard let first = samples.first?.at.hour, let last = samples.last?.at.hour else { return [:] }
    let end = (last + Rollup.reach(limits)).hour + .hours(2)
    let hours = Swift.Array(sequence(first: first) { $0 < end ? $0 + .hours(1) : nil })
    return Dictionary(
      uniqueKeysWithValues: zip(hours, Rollup.between(hours, of: samples, limits: limits)).filter { !$1.isEmpty })
  }
}
