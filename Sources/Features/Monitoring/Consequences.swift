import Alerts
import Basics
import ColdChain
import Places
import PostgreSQL

/// What the judgement of a batch of units means for incidents and alerts.
struct Consequences {
  let now: Instant
  private var added: [(unit: StoredState, rules: UnitRules, incident: Incident)] = []
  private var changed: [(unit: StoredState, rules: UnitRules, from: Incident, to: Incident)] = []
  private var withdrawn: [(unit: UUID, openedAt: Instant)] = []
  private var silent: [(unit: StoredState, rules: UnitRules, at: Instant)] = []
  private var heard: [(unit: UUID, at: Instant)] = []

  init(now: Instant) { self.now = now }

  var isEmpty: Bool {
    added.isEmpty && changed.isEmpty && withdrawn.isEmpty && silent.isEmpty && heard.isEmpty
  }

  mutating func collect(_ verdict: Monitor.Verdict, _ unit: StoredState, _ rules: UnitRules) {
    for change in verdict.changes {
      switch change {
      case .added(let incident): added.append((unit, rules, incident))
      case .changed(let from, let to): changed.append((unit, rules, from, to))
      case .withdrawn(let incident): withdrawn.append((unit.unitId, incident.openedAt))
      }
    }
    guard verdict.state.link != unit.state.link else { return }
    switch verdict.state.link {
    case .lost: silent.append((unit, rules, verdict.transitions.last { $0.kind == .linkLost }?.at ?? now))
    // A report that was long on its way leaves the link late, and still ends the silence.
    case .live, .late:
      if unit.state.link == .lost { heard.append((unit.unitId, verdict.state.lastSeen ?? now)) }
    case .never: break
    }
  }

  /// Writes them, and returns how many alerts were opened by unit.
  func apply(on connection: Connection) async throws -> [UUID: Int] {
    var opened: [UUID: Int] = [:]
    // First what closes, so that the place of the one open incident is free.
    if !withdrawn.isEmpty {
      let touched = try await IncidentStore.withdraw(withdrawn, on: connection)
      try await AlertStore.resolve(
        incidents: touched, resolution: "Readings that arrived late show no excursion", at: now, on: connection)
    }
    try await applyChanged(on: connection)
    for unit in try await applyAdded(on: connection) { opened[unit, default: 0] += 1 }
    for unit in try await applySilent(on: connection) { opened[unit, default: 0] += 1 }
    if !heard.isEmpty {
      let closed = try await IncidentStore.closeLink(heard, on: connection)
      try await AlertStore.resolve(incidents: closed, resolution: "The sensor reports again", at: now, on: connection)
    }
    return opened
  }

  private func applyChanged(on connection: Connection) async throws {
    guard !changed.isEmpty else { return }
    let order = changed.sorted { ($0.to.closedAt == nil ? 1 : 0) < ($1.to.closedAt == nil ? 1 : 0) }
    let ids = try await IncidentStore.update(
      order.map { ($0.unit.unitId, $0.from.openedAt, $0.to) }, on: connection)
    let pairs = Array(zip(order, ids))
    try await AlertStore.reopen(
      incidents: pairs.filter { $0.0.from.closedAt != nil && $0.0.to.closedAt == nil }.map(\.1), at: now,
      on: connection)
    // Before it is resolved: one batch may bring both the alarm and its end.
    try await AlertStore.raise(
      incidents: pairs.filter { $0.0.from.confirmedAt == nil && $0.0.to.confirmedAt != nil }.map(\.1), to: .critical,
      at: now, on: connection)
    try await AlertStore.resolve(
      incidents: pairs.filter { $0.0.from.closedAt == nil && $0.0.to.closedAt != nil }.map(\.1),
      resolution: "Back within limits", at: now, on: connection)
    try await SeverityCorrection.apply(
      pairs.filter { ($0.0.from.confirmedAt == nil) != ($0.0.to.confirmedAt == nil) }.map { ($0.1, $0.0.to.severity) },
      at: now, on: connection)
    let moved = pairs.filter { $0.0.from.openedAt != $0.0.to.openedAt }
    try await AlertStore.move(
      moved.map { ($0.1, $0.0.to.openedAt, Self.message($0.0.rules, $0.0.to)) }, on: connection)
  }

  private func applyAdded(on connection: Connection) async throws -> [UUID] {
    guard !added.isEmpty else { return [] }
    let ids = try await IncidentStore.insert(
      added.map { ($0.unit.organizationId, $0.unit.unitId, $0.incident, $0.incident.closedAt != nil) },
      on: connection)
    let alerts = zip(added, ids).map { entry, id in
      NewAlert(
        organizationId: entry.unit.organizationId, unitId: entry.unit.unitId, incidentId: id, type: .alarmActive,
        severity: entry.incident.confirmedAt == nil ? .warning : .critical,
        message: Self.message(entry.rules, entry.incident), triggerTemperature: Int64(entry.incident.peak.hundredths),
        limit: entry.incident.side == .low ? .minimum : .maximum, triggeredAt: entry.incident.openedAt,
        endedAt: entry.incident.closedAt)
    }
    let made = try await AlertStore.open(alerts, at: now, on: connection)
    // What had ended when it was found is written down, and nobody is called.
    let open = zip(ids, added).filter { $1.incident.closedAt == nil }
    let units = Dictionary(uniqueKeysWithValues: open.map { ($0, $1.unit.unitId) })
    return made.compactMap { $0.incidentId.flatMap { units[$0] } }
  }

  private func applySilent(on connection: Connection) async throws -> [UUID] {
    guard !silent.isEmpty else { return [] }
    let opened = try await IncidentStore.openLink(
      silent.map { ($0.unit.organizationId, $0.unit.unitId, $0.at) }, on: connection)
    let alerts = opened.map { place, id in
      let entry = silent[place]
      return NewAlert(
        organizationId: entry.unit.organizationId, unitId: entry.unit.unitId, incidentId: id,
        type: .monitoringInterrupted, severity: .critical,
        message: "\(entry.rules.name) is not monitored: its sensor is silent", triggeredAt: entry.at)
    }
    let made = try await AlertStore.open(alerts, at: now, on: connection)
    let units = Dictionary(uniqueKeysWithValues: opened.map { ($0.id, silent[$0.place].unit.unitId) })
    return made.compactMap { $0.incidentId.flatMap { units[$0] } }
  }

  /// `Walk-in cooler is at 9.5 °C, above its limit of 5 °C`, in the scale that people of the unit read.
  private static func message(_ rules: UnitRules, _ incident: Incident) -> String {
    let limits = rules.limits.at(incident.openedAt)
    let limit = incident.side == .low ? limits.low : limits.high
    let side = incident.side == .low ? "below" : "above"
    let temperature = degrees(incident.peak.hundredths(in: rules.shownIn), rules.shownIn)
    guard let limit else { return "\(rules.name) is at \(temperature)" }
    return "\(rules.name) is at \(temperature), \(side) its limit of "
      + degrees(limit.temperature.hundredths(in: rules.shownIn), rules.shownIn)
  }

  private static func degrees(_ hundredths: Int32, _ unit: TemperatureUnit) -> String {
    let whole = abs(hundredths) / 100
    let rest = abs(hundredths) % 100
    let fraction = rest == 0 ? "" : rest % 10 == 0 ? ".\(rest / 10)" : rest < 10 ? ".0\(rest)" : ".\(rest)"
    return "\(hundredths < 0 ? "-" : "")\(whole)\(fraction) °\(unit.rawValue)"
  }
}
