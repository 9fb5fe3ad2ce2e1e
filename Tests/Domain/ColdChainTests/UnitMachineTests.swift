import Basics
import ColdChain
import Testing

struct UnitMachineTests {
  func machine(_ limits: Limits? = nil) throws -> UnitMachine {
    UnitMachine(UnitState(commissionedAt: at(0)), limits: LimitsHistory(try limits ?? fridge()))
  }

  @Test("an excursion that lasts is confirmed at its deadline, not at the reading that shows it")
  func confirms() throws {
    var unit = try machine()
    #expect(try unit.run(reading(0, 4), reading(10, 6)) == [.opened])
    _ = unit.advance(to: at(10))
    #expect(unit.nextDueAt == at(20))
    let caused = unit.step(reading(23, 7))
    let transitions = try #require(caused)
    #expect(transitions.map(\.kind) == [.confirmed, .peak])
    #expect(transitions.first?.at == at(20))
    #expect(unit.state.incident?.confirmedAt == at(20))
    #expect(unit.state.phase == .alarm(since: at(10)))
    #expect(unit.state.incident?.severity == .critical)
  }

  @Test("time alone confirms an excursion when the sensor falls silent")
  func silence() throws {
    var unit = try machine()
    _ = try unit.run(reading(0, 6))
    #expect(unit.advance(to: at(9.99)).map(\.kind).contains(.confirmed) == false)
    let confirmed = try #require(unit.advance(to: at(500)).first)
    #expect(confirmed.kind == .confirmed && confirmed.at == at(10) && confirmed.reading == nil)
    #expect(unit.state.status() == .alarmActive)
    #expect(unit.state.link == .lost)
  }

  @Test("a recovery before the deadline leaves the incident unconfirmed")
  func recovers() throws {
    var unit = try machine()
    #expect(try unit.run(reading(0, 6), reading(9, 4)) == [.opened, .recovering])
    #expect(try unit.run(reading(18, 4)) == [])
    #expect(try unit.run(reading(19, 4)) == [.closed])
    let incident = try #require(unit.state.incident)
    #expect(incident.confirmedAt == nil && incident.recoveredAt == at(9) && incident.closedAt == at(19))
    #expect(unit.state.openIncident == nil)
  }

  @Test("a recovery exactly at the deadline comes after the confirmation")
  func atTheDeadline() throws {
    var unit = try machine()
    #expect(try unit.run(reading(0, 6), reading(10, 4)) == [.opened, .confirmed, .recovering])
  }

  @Test("a temperature within the hysteresis changes nothing but the run of recovered readings")
  func band() throws {
    var unit = try machine()
    #expect(try unit.run(reading(0, 4.8), reading(10, 6), reading(15, 4.8)) == [.opened])
    #expect(unit.state.phase == .excursion(since: at(10)))
    #expect(try unit.run(reading(16, 4), reading(30, 4.8), reading(31, 4), reading(32, 4)) == [.recovering, .closed])
    #expect(unit.state.incident?.closedAt == at(32))
  }

  @Test("out of range while restoring or soon after the close is the same incident")
  func reopens() throws {
    var unit = try machine()
    _ = try unit.run(reading(0, 6), reading(5, 4))
    #expect(try unit.run(reading(6, 6)) == [.reopened])
    #expect(unit.state.phase == .excursion(since: at(6)))
    #expect(try unit.run(reading(8, 4), reading(18, 4)) == [.recovering, .closed])
    #expect(try unit.run(reading(33, 0.5)) == [.reopened])
    let incident = try #require(unit.state.openIncident)
    #expect(incident.openedAt == at(0) && incident.reopenings == 2 && incident.closedAt == nil)
    #expect(try unit.run(reading(35, 4), reading(45, 4)) == [.recovering, .closed])
    #expect(try unit.run(reading(60.5, 6)) == [.opened])
  }

  @Test("a confirmed incident that reopens is an alarm at once")
  func reopensAsAlarm() throws {
    var unit = try machine()
    _ = try unit.run(reading(0, 6), reading(15, 4))
    #expect(try unit.run(reading(16, 6)) == [.reopened])
    #expect(unit.state.phase == .alarm(since: at(16)))
    #expect(unit.state.incident?.confirmedAt == at(10))
  }

  @Test("the peak is the temperature furthest outside either limit")
  func peak() throws {
    var unit = try machine()
    #expect(try unit.run(reading(0, 6), reading(2, 5.5), reading(4, -2), reading(6, 7)) == [.opened, .peak])
    let incident = try #require(unit.state.incident)
    #expect(incident.peak == Temperature(celsius: -2) && incident.peakAt == at(4) && incident.side == .high)
  }

  @Test("of equal peaks the earliest counts")
  func equalPeaks() throws {
    var unit = try machine()
    #expect(try unit.run(reading(0, 6), reading(2, 0), reading(4, 6)) == [.opened])
    #expect(unit.state.incident?.peakAt == at(0))
  }

  @Test("a late reading is refused and does not rewind the unit")
  func late() throws {
    var unit = try machine()
    _ = try unit.run(reading(10, 4))
    let before = unit.state
    #expect(unit.step(reading(9, 9)) == nil)
    #expect(unit.step(reading(10, 9)) == nil)
    #expect(unit.state == before)
  }

  @Test("a reading from before a confirmation that time brought is late")
  func lateForTheDeadline() throws {
    var unit = try machine()
    _ = try unit.run(reading(0, 6))
    _ = unit.advance(to: at(12))
    #expect(unit.step(reading(9, 4)) == nil)
    #expect(unit.step(reading(11, 4))?.map(\.kind) == [.recovering])
  }

  @Test("an incident of simulated readings only is simulated")
  func simulated() throws {
    var unit = try machine()
    var simulated = reading(0, 6)
    simulated.simulated = true
    _ = try unit.run(simulated)
    #expect(unit.state.incident?.simulated == true)
    _ = try unit.run(reading(1, 4))
    #expect(unit.state.incident?.simulated == true)
    _ = try unit.run(reading(2, 6))
    #expect(unit.state.incident?.simulated == false)
  }

  // MARK: - Door

  @Test("an open door extends the confirmation to the open-door time")
  func doorOpen() throws {
    var unit = try machine()
    _ = try unit.run(door(0, open: true), reading(5, 6))
    #expect(unit.confirmationDeadline == at(25))
    #expect(unit.advance(to: at(25)).first?.at == at(25))
    #expect(unit.state.incident?.masked == .minutes(10))
  }

  @Test("a door that closes again leaves the difference of both times, at most the open-door time")
  func doorCloses() throws {
    var unit = try machine()
    _ = try unit.run(reading(0, 6), door(2, open: true), door(3, open: false))
    #expect(unit.confirmationDeadline == at(13))
    _ = try unit.run(door(12, open: true))
    #expect(unit.confirmationDeadline == at(20))
    _ = try unit.run(door(19, open: false))
    #expect(unit.confirmationDeadline == at(20))
  }

  @Test("a door that was shut before the excursion does not extend it, nor does one never seen open")
  func doorShut() throws {
    var unit = try machine()
    _ = try unit.run(door(0, open: true), door(4, open: false), reading(5, 6))
    #expect(unit.confirmationDeadline == at(15))
    unit = try machine()
    _ = try unit.run(reading(5, 6), door(6, open: false))
    #expect(unit.confirmationDeadline == at(15))
    #expect(unit.state.door == Door(.closed))
  }

  @Test("a door opened again while open does not restart, and opening it never delays past the day's budget")
  func doorBudget() throws {
    var unit = try machine(fridge(mask: .minutes(12)))
    _ = try unit.run(door(0, open: true), door(3, open: true), reading(5, 6))
    #expect(unit.state.door == Door(.open, since: at(0)))
    // 10 of the 12 minutes go here, and 2 are left for the next one.
    #expect(
      try unit.run(reading(30, 4), reading(40, 4), reading(100, 6)) == [.confirmed, .recovering, .closed, .opened])
    #expect(unit.confirmationDeadline == at(112))
    _ = unit.advance(to: at(112))
    #expect(try unit.run(reading(130, 4), reading(140, 4), reading(200, 6)).last == .opened)
    #expect(unit.confirmationDeadline == at(210))
    // Another day, another budget.
    _ = unit.advance(to: at(210))
    #expect(try unit.run(reading(230, 4), reading(240, 4), reading(1500, 6)).last == .opened)
    #expect(unit.confirmationDeadline == at(1520))
  }

  // MARK: - Link

  @Test("silence makes the link late, then lost, and a check-in brings it back")
  func link() throws {
    var unit = try machine()
    #expect(unit.state.status() == .offline)
    _ = try unit.run(reading(0, 4))
    #expect(unit.advance(to: at(0)).map(\.kind) == [.linkLive])
    #expect(unit.advance(to: at(16)) == [])
    #expect(unit.state.status() == .ok)
    let late = unit.advance(to: at(17))
    #expect(late.map(\.kind) == [.linkLate] && late.first?.at == at(16))
    #expect(unit.state.status() == .offline)
    #expect(unit.nextDueAt == at(50))
    #expect(unit.advance(to: at(50)).map(\.kind) == [.linkLost])
    #expect(unit.state.status() == .monitoringInterrupted)
    #expect(unit.nextDueAt == nil)
    _ = try unit.run(reading(60, 4))
    #expect(unit.advance(to: at(60)).map(\.kind) == [.linkLive])
  }

  @Test("a unit never heard from is lost after the grace, and never when it has no sensor")
  func never() throws {
    var unit = try machine()
    #expect(unit.nextDueAt == at(60))
    #expect(unit.advance(to: at(59)) == [])
    #expect(unit.advance(to: at(60)).map(\.kind) == [.linkLost])
    var bare = UnitMachine(UnitState(), limits: LimitsHistory(try fridge()))
    #expect(bare.advance(to: at(100_000)) == [] && bare.nextDueAt == nil)
  }

  @Test("what does not check in does not keep the link alive")
  func backfillIsNoCheckIn() throws {
    var unit = try machine()
    var backfilled = reading(5, 4)
    backfilled.checksIn = false
    _ = try unit.run(reading(0, 4), backfilled)
    #expect(unit.state.lastSeen == at(0))
  }

  @Test("an alarm is never hidden by silence, and an overdue log not by an excursion")
  func order() throws {
    var unit = try machine()
    _ = try unit.run(reading(0, 6))
    #expect(unit.state.status(manualLogOverdue: true) == .manualRequired)
    _ = unit.advance(to: at(100))
    #expect(unit.state.status(manualLogOverdue: true) == .alarmActive)
  }

  // MARK: - Stored form

  @Test("columns that contradict each other are no state")
  func contradictions() throws {
    var unit = try machine()
    _ = try unit.run(reading(0, 6))
    let (columns, incident) = (unit.state.columns, unit.state.incident)
    #expect(UnitState(columns, incident: incident) == unit.state)
    #expect(UnitState(columns, incident: nil) == nil)
    var broken = columns
    broken.temperatureSince = nil
    #expect(UnitState(broken, incident: incident) == nil)
    broken = .init(temperatureState: .alarm, temperatureSince: at(0))
    #expect(UnitState(broken, incident: nil) == nil)
  }
}
