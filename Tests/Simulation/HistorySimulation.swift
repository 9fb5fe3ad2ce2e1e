import Basics
import ColdChain
import Testing

/// Same history, same result: whatever the order of arrival, the copies, the ticks of the clock, and the restarts.
struct HistorySimulation {
  @Test("random histories end as one pass over the sorted readings")
  func randomHistories() throws {
    var (evaluations, incidents) = (0, 0)
    for seed in firstSeed..<firstSeed + 4000 {
      let world = try World(seed: seed)
      var ledger = Ledger(limits: world.limits, commissionedAt: World.start)
      for delivery in world.deliveries {
        _ = try ledger.receive(delivery.batch, now: delivery.now)
        if let problem = brokenPromise(of: ledger.incidents, world.limits) {
          Issue.record("seed \(seed) at \(delivery.now): \(problem)")
          return
        }
      }
      _ = try ledger.receive([], now: world.end)
      let once = History.evaluate(
        world.readings, limits: world.limits, from: UnitState(commissionedAt: World.start), through: world.end)
      let stored = ledger.incidents.sorted { $0.openedAt < $1.openedAt }
      guard stored == once.incidents, ledger.state == once.state else {
        Issue.record(
          "seed \(seed):\nstored \(stored)\n\(ledger.columns)\nonce   \(once.incidents)\n\(once.state.columns)")
        return
      }
      evaluations += ledger.evaluations
      incidents += stored.count
    }
    // The histories must hold what they are to prove.
    #expect(evaluations > 4000 && incidents > 4000)
  }

  @Test("nothing happens before the next due instant, and something does at it")
  func nextDue() throws {
    for seed in firstSeed..<firstSeed + 1000 {
      let world = try World(seed: seed)
      var machine = UnitMachine(UnitState(commissionedAt: World.start), limits: world.limits)
      for reading in world.readings {
        _ = machine.step(reading)
        _ = machine.advance(to: reading.recordedAt)
        for _ in 0..<3 {
          guard let due = machine.nextDueAt else { break }
          var copy = machine
          let before = copy.advance(to: due - .microseconds(1))
          let then = copy.advance(to: due)
          if !before.isEmpty || then.isEmpty {
            Issue.record("seed \(seed): due \(due), before \(before), then \(then)")
            return
          }
          machine = random(seed) ? copy : machine
        }
      }
    }
  }

  private func random(_ seed: UInt64) -> Bool { seed % 4 == 0 }

  /// What must hold of a unit's incidents at any time.
  private func brokenPromise(of incidents: [Incident], _ limits: LimitsHistory) -> String? {
    let sorted = incidents.sorted { $0.openedAt < $1.openedAt }
    for (index, incident) in sorted.enumerated() {
      let rules = limits.at(incident.openedAt)
      if let confirmed = incident.confirmedAt, confirmed < incident.openedAt + rules.confirmDoorClosed {
        return "confirmed too early: \(incident)"
      }
      if limits.at(incident.peakAt).verdict(on: incident.peak) == .clear { return "peak inside: \(incident)" }
      if incident.closedAt != nil, incident.recoveredAt == nil { return "closed without recovery: \(incident)" }
      if let closed = incident.closedAt, let recovered = incident.recoveredAt, closed < recovered {
        return "closed before it recovered: \(incident)"
      }
      guard index + 1 < sorted.count else { continue }
      guard let closed = incident.closedAt else { return "two open at once: \(incident)" }
      let next = sorted[index + 1].openedAt
      if next - closed <= limits.at(next).reopenWindow { return "should have reopened: \(incident)" }
    }
    return nil
  }
}
