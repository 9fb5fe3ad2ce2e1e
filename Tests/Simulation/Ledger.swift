import Basics
import ColdChain

/// Keeps one unit as the database does: rows of readings and incidents and one row of state, and nothing between two
/// calls. It follows the rule of ``UnitMachine`` and the steps of ``History``.
struct Ledger {
  private(set) var readings: [UnitReading] = []
  private(set) var incidents: [Incident] = []
  private(set) var columns: UnitState.Columns
  private(set) var evaluations = 0
  let limits: LimitsHistory

  init(limits: LimitsHistory, commissionedAt: Instant) {
    self.limits = limits
    columns = UnitState(commissionedAt: commissionedAt).columns
  }

  var state: UnitState? {
    UnitState(columns, incident: incidents.first { $0.openedAt == columns.incidentOpenedAt })
  }

  /// One transaction: a batch of readings in any order, some of them stored already.
  mutating func receive(_ batch: [UnitReading], now: Instant) throws -> [Transition] {
    guard let state else { throw Corrupt() }
    var machine = UnitMachine(state, limits: limits)
    var transitions: [Transition] = []
    var late: Instant?
    for reading in batch.sorted(by: UnitReading.inOrder) where insert(reading) {
      if let caused = machine.step(reading) {
        transitions += caused
        store(machine.state)
      } else if !History.changesNothing(reading, incidents: incidents, limits: limits) {
        late = min(late ?? reading.recordedAt, reading.recordedAt)
      }
    }
    if let late {
      let quiet = History.quietPoint(before: late, incidents: incidents)
      machine = judgeAgain(from: quiet, machine.state, now: now)
    }
    transitions += machine.advance(to: now)
    store(machine.state)
    return transitions
  }

  private mutating func judgeAgain(from quiet: Instant, _ live: UnitState, now: Instant) -> UnitMachine {
    evaluations += 1
    let start = History.checkpoint(at: quiet, live: live, incidents: incidents, door: door(before: quiet))
    let result = History.evaluate(
      readings.filter { $0.recordedAt >= quiet }, limits: limits, from: start, through: now)
    let known = incidents.filter { $0.openedAt >= quiet } + (start.incident.map { [$0] } ?? [])
    for change in History.reconcile(known: known, evaluated: result.incidents) {
      switch change {
      case .added(let incident): incidents.append(incident)
      case .withdrawn(let incident): incidents.removeAll { $0.openedAt == incident.openedAt }
      case .changed(let from, let to):
        if let row = incidents.firstIndex(of: from) { incidents[row] = to }
      }
    }
    return UnitMachine(result.state, limits: limits)
  }

  private func door(before instant: Instant) -> Door {
    let said = readings.filter { $0.recordedAt < instant && $0.doorOpen != nil }
    guard let last = said.last?.doorOpen else { return .unknown }
    let change = said.lastIndex { $0.doorOpen != last }
    let first = change.map { said[$0 + 1].recordedAt } ?? (last ? said.first?.recordedAt : nil)
    return Door(last ? .open : .closed, since: first)
  }

  /// False when the reading is there already: unique by (`recordedAt`, `device`).
  private mutating func insert(_ reading: UnitReading) -> Bool {
    let place = readings.firstIndex { !UnitReading.inOrder($0, reading) } ?? readings.count
    if place < readings.count, !UnitReading.inOrder(reading, readings[place]) { return false }
    readings.insert(reading, at: place)
    return true
  }

  private mutating func store(_ state: UnitState) {
    columns = state.columns
    guard let incident = state.incident else { return }
    if let row = incidents.firstIndex(where: { $0.openedAt == incident.openedAt }) {
      incidents[row] = incident
    } else {
      incidents.append(incident)
    }
  }

  struct Corrupt: Error {}
}
