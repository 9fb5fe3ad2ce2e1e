import Basics
import FeatureSupport
import JSON
import Monitoring
import PostgreSQL
import Runtime
import Testing

private func minute(_ number: Int) -> Instant { Kitchen.start + .minutes(number) }

@Suite("A unit through an alarm", .serialized)
struct UnitLifeTests {
  @Test("it warns at the excursion, alarms when that lasts, and is well when it has proven it")
  func life() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    let path = kitchen.organization.path + "/units/\(unit)"
    func after(_ number: Int, _ celsius: Double) async throws -> (alerts: Int64?, status: String?) {
      let answer = try await kitchen.report(sensor, celsius, at: minute(number))
      let shown = try await kitchen.house.call(.get, path, as: kitchen.organization.owner)
      return (answer.json["alertsTriggered"]?.int, shown.json["status"]?.string)
    }
    #expect(try await kitchen.status(of: unit) == "offline")
    #expect(try await after(0, 3) == (0, "ok"))
    #expect(try await after(10, 7) == (1, "excursion"))
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active warning active 10"])
    #expect(try await after(20, 8) == (0, "alarm_active"))
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active critical active 10"])
    #expect(try await after(30, 4) == (0, "restoring"))
    #expect(try await after(40, 3.5) == (0, "ok"))
    #expect(try await kitchen.incidents(of: unit) == ["10 20 30 40 8.00 20 0 high"])
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active critical resolved 10"])
    #expect(
      try await kitchen.lines("SELECT resolution_type, resolution, threshold_violated FROM alerts")
        == ["auto Back within limits max"])
    let log = try await kitchen.lines(
      "SELECT event_type FROM event_logs WHERE entity_type = 'alert' AND actor_type = 'system' ORDER BY seq")
    #expect(log == ["alert.triggered", "alert.escalated", "alert.resolved"])
    #expect(try await kitchen.lines("SELECT first_broken_event_log($1)", [.uuid(kitchen.organization.id)]) == ["-"])
    let changes = try await kitchen.lines(
      "SELECT payload->>'from', payload->>'to' FROM events WHERE type = 'unit.status_changed' ORDER BY id")
    #expect(
      changes == [
        "offline ok", "ok excursion", "excursion alarm_active", "alarm_active restoring", "restoring ok",
      ])
  }

  @Test("a late reading does not rewind what the unit measured last")
  func rewind() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    for (number, celsius) in [(0, 3.0), (20, 3.5), (10, 4.0), (15, 9.0)] {
      kitchen.setClock(minute(21))
      _ = try await kitchen.send(Kitchen.Uplink(sensor, at: minute(number), celsius: celsius).json)
    }
    let last = try #require(
      try await kitchen.house.sql(
        "SELECT last_reading_at, last_temperature, last_seen_at, last_device_id FROM unit_states WHERE unit_id = $1",
        [.uuid(unit)]
      ).first)
    #expect(try last.instant(0) == minute(20))
    #expect(try last.hundredths(1) == 350)
    #expect(try last.instant(2) == minute(20))
    #expect(try last.uuid(3) == sensor.id)
    #expect(
      try await kitchen.lines("SELECT count(*) FROM device_states WHERE last_seen_at = $1", [.timestamp(minute(20))])
        == ["1"])
    #expect(try await kitchen.status(of: unit) == "restoring")
  }

  @Test("limits that change judge only what is measured from then on")
  func limits() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.report(sensor, 4, at: minute(0))
    let changed = try await kitchen.house.call(
      .put, kitchen.organization.path + "/units/\(unit)", as: kitchen.organization.owner, #"{"tempMax":3.5}"#)
    #expect(changed.status == 200, "\(changed)")
    try await kitchen.report(sensor, 4, at: minute(10))
    #expect(try await kitchen.status(of: unit) == "ok")
    let now = WallClock.system.now()
    try await kitchen.report(sensor, 4, at: now)
    #expect(try await kitchen.status(of: unit) == "excursion")
  }
}

@Suite("The clock", .serialized)
struct MonitoringJobTests {
  private func job(_ kitchen: Kitchen) -> MonitoringJob { MonitoringJob(database: kitchen.house.database) }

  private func run(_ kitchen: Kitchen, at instant: Instant) async throws -> Int {
    let job = job(kitchen)
    return try await kitchen.house.run { _ in try await job.run(at: instant) }
  }

  @Test("it confirms an excursion by itself, at its deadline")
  func confirms() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.report(sensor, 3, at: minute(0))
    try await kitchen.report(sensor, 7, at: minute(10))
    _ = try await run(kitchen, at: minute(20) - .seconds(1))
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active warning active 10"])
    #expect(try await run(kitchen, at: minute(22)) == 1)
    #expect(try await kitchen.incidents(of: unit) == ["10 20 - - 7.00 10 0 high"])
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active critical active 10"])
    #expect(try await kitchen.status(of: unit) == "alarm_active")
  }

  @Test("it does not look again before there is something to decide")
  func rests() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    try await kitchen.report(sensor, 3, at: minute(0))
    try await kitchen.report(sensor, 3, at: minute(10))
    // The deadline of the first reading still stands; the second has moved it to the 26th minute.
    #expect(try await run(kitchen, at: minute(17)) == 1)
    #expect(try await run(kitchen, at: minute(18)) == 0)
    #expect(try await run(kitchen, at: minute(27)) == 1)
    #expect(try await run(kitchen, at: minute(27)) == 0)
  }

  @Test("a unit that is not heard any more is an alert, until its sensor reports again")
  func silence() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.report(sensor, 3, at: minute(0))
    _ = try await run(kitchen, at: minute(20))
    #expect(try await kitchen.status(of: unit) == "offline")
    #expect(try await kitchen.alerts(of: unit).isEmpty)
    _ = try await run(kitchen, at: minute(51))
    #expect(try await kitchen.status(of: unit) == "monitoring_interrupted")
    #expect(try await kitchen.alerts(of: unit) == ["monitoring_interrupted critical active 50"])
    try await kitchen.report(sensor, 3, at: minute(60))
    #expect(try await kitchen.status(of: unit) == "ok")
    #expect(try await kitchen.alerts(of: unit) == ["monitoring_interrupted critical resolved 50"])
    #expect(
      try await kitchen.lines(
        "SELECT kind, (extract(epoch FROM closed_at - opened_at) / 60)::int FROM incidents") == ["link 10"])
    // The next silence is another one.
    _ = try await run(kitchen, at: minute(111))
    #expect(
      try await kitchen.alerts(of: unit) == [
        "monitoring_interrupted critical resolved 50", "monitoring_interrupted critical active 110",
      ])
  }

  @Test("a report that was long on its way ends a silence too")
  func slowReport() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.report(sensor, 3, at: minute(0))
    _ = try await run(kitchen, at: minute(60))
    #expect(try await kitchen.alerts(of: unit) == ["monitoring_interrupted critical active 50"])
    kitchen.setClock(minute(61))
    _ = try await kitchen.send(Kitchen.Uplink(sensor, at: minute(40), celsius: 3).json)
    #expect(try await kitchen.alerts(of: unit) == ["monitoring_interrupted critical resolved 50"])
    try await kitchen.report(sensor, 3, at: minute(62))
    #expect(try await kitchen.status(of: unit) == "ok")
    #expect(try await kitchen.count("SELECT count(*) FROM incidents WHERE closed_at IS NULL") == 0)
  }

  @Test("an alarm is not hidden by silence")
  func alarmAndSilence() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.report(sensor, 7, at: minute(0))
    _ = try await run(kitchen, at: minute(51))
    #expect(try await kitchen.status(of: unit) == "alarm_active")
    #expect(
      try await kitchen.alerts(of: unit) == [
        "alarm_active critical active 0", "monitoring_interrupted critical active 50",
      ])
  }

  @Test("two at once do each thing once")
  func two() async throws {
    let kitchen = try await Kitchen()
    var units: [UUID] = []
    for number in 0..<12 {
      units.append(try await kitchen.unit())
      try await kitchen.report(
        try await kitchen.sensor(of: units[number]), number.isMultiple(of: 2) ? 3 : 7, at: minute(0))
    }
    let job = job(kitchen)
    let looked = try await kitchen.house.run { _ in
      let counts = Counts()
      let tasks = (0..<3).map { _ in
        Reactor.current.spawn {
          do { counts.all.append(try await job.run(at: minute(55))) } catch { counts.all.append(-1000) }
        }
      }
      for task in tasks { await task.finished() }
      return counts.all
    }
    #expect(looked.reduce(0, +) == 12, "\(looked)")
    for (number, unit) in units.enumerated() {
      let alarm = number.isMultiple(of: 2) ? [] : ["alarm_active critical active 0"]
      #expect(try await kitchen.alerts(of: unit) == alarm + ["monitoring_interrupted critical active 50"])
    }
    #expect(try await kitchen.count("SELECT count(*) FROM incidents") == 18)
    #expect(try await kitchen.lines("SELECT first_broken_event_log($1)", [.uuid(kitchen.organization.id)]) == ["-"])
  }

  /// Of tasks on one loop.
  private final class Counts {
    var all: [Int] = []
  }

  @Test("a deleted unit is not looked at any more")
  func deleted() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    try await kitchen.report(try await kitchen.sensor(of: unit), 7, at: minute(0))
    let path = kitchen.organization.path + "/units/\(unit)"
    #expect(try await kitchen.house.call(.delete, path, as: kitchen.organization.owner).status == 204)
    #expect(try await run(kitchen, at: minute(60)) == 1)
    #expect(try await run(kitchen, at: minute(120)) == 0)
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active warning active 0"])
  }
}
