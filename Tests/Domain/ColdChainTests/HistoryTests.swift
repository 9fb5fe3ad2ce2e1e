import Basics
import ColdChain
import Testing

struct HistoryTests {
  func incident(_ opened: Double, _ closed: Double?) -> Incident {
    Incident(
      openedAt: at(opened), openedBy: probe, side: .high, closedAt: closed.map { at($0) },
      peak: Temperature(hundredths: 600), peakAt: at(opened))
  }

  @Test("the quiet point is the instant itself, or the opening of the incident that covers it")
  func quietPoint() {
    let incidents = [incident(10, 30), incident(60, nil)]
    #expect(History.quietPoint(before: at(5), incidents: incidents) == at(5))
    #expect(History.quietPoint(before: at(10), incidents: incidents) == at(10))
    #expect(History.quietPoint(before: at(30), incidents: incidents) == at(10))
    #expect(History.quietPoint(before: at(31), incidents: incidents) == at(31))
    #expect(History.quietPoint(before: at(100), incidents: incidents) == at(60))
  }

  @Test("a late reading inside the limits outside every incident changes nothing")
  func harmless() throws {
    let limits = LimitsHistory(try fridge())
    let incidents = [incident(10, 30)]
    #expect(History.changesNothing(reading(5, 4), incidents: incidents, limits: limits))
    #expect(History.changesNothing(reading(20, nil), incidents: incidents, limits: limits))
    #expect(!History.changesNothing(reading(20, 4), incidents: incidents, limits: limits))
    #expect(!History.changesNothing(reading(5, 6), incidents: incidents, limits: limits))
    #expect(!History.changesNothing(door(5, open: true), incidents: incidents, limits: limits))
  }

  @Test("a late reading that proves recovery takes the confirmation back")
  func unconfirms() throws {
    let limits = LimitsHistory(try fridge())
    var unit = UnitMachine(UnitState(), limits: limits)
    _ = try unit.run(reading(0, 6))
    _ = unit.advance(to: at(12))
    let stored = try #require(unit.state.incident)
    #expect(stored.confirmedAt == at(10))

    let quiet = History.quietPoint(before: at(8), incidents: [stored])
    let start = History.checkpoint(at: quiet, live: unit.state, incidents: [stored], door: .unknown)
    let result = History.evaluate([reading(0, 6), reading(8, 4)], limits: limits, from: start, through: at(12))
    #expect(result.incidents.map(\.confirmedAt) == [nil])
    #expect(result.state.phase == .restoring(since: at(8), qualifying: 1))
    #expect(
      History.reconcile(known: [stored], evaluated: result.incidents)
        == [.changed(from: stored, to: result.incidents[0])])
  }

  @Test("incidents that grow together leave one changed and one withdrawn")
  func reconcile() {
    let stored = [incident(10, 20), incident(40, 50), incident(90, 95)]
    let evaluated = [incident(5, 50), incident(90, 95), incident(200, nil)]
    #expect(
      History.reconcile(known: stored, evaluated: evaluated) == [
        .changed(from: stored[0], to: evaluated[0]), .added(evaluated[2]), .withdrawn(stored[1]),
      ])
    #expect(History.reconcile(known: stored, evaluated: stored) == [])
  }

  @Test("old readings are judged by the limits valid then")
  func limitsThen() throws {
    let limits = try #require(
      LimitsHistory([
        .init(validFrom: at(0), limits: try fridge(high: 5)), .init(validFrom: at(30), limits: try fridge(high: 8)),
      ]))
    let result = History.evaluate(
      [reading(10, 6), reading(20, 4), reading(30, 4), reading(60, 6)], limits: limits, from: UnitState(),
      through: at(60))
    #expect(result.incidents.map(\.openedAt) == [at(10)])
    #expect(result.incidents.first?.closedAt == at(30))
  }
}
