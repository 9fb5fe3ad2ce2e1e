import Basics
import FeatureSupport
import JSON
import Monitoring
import PostgreSQL
import Telemetry
import Testing

/// Rules of a site or of the organization decide as the unit's own do.
@Suite(.serialized) struct RuleEffectTests {
  private func rule(_ kitchen: Kitchen, _ body: String) async throws {
    let answer = try await kitchen.house.call(
      .put, kitchen.organization.path + "/alert-rules", as: kitchen.organization.owner, body)
    #expect(answer.status <= 201, "\(answer)")
  }

  @Test func `the confirmation time of a site is that of its units`() async throws {
    let kitchen = try await Kitchen()
    try await rule(
      kitchen, #"{"siteId":"\#(kitchen.organization.site)","excursionConfirmMinutesDoorClosed":30}"#)
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    let start = Kitchen.start
    for minutes in stride(from: 0, through: 20, by: 10) {
      try await kitchen.report(sensor, 8, at: start + .minutes(minutes))
    }
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active warning active 0"])
    try await kitchen.report(sensor, 8, at: start + .minutes(30))
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active critical active 0"])
    #expect(try await kitchen.incidents(of: unit).first?.hasPrefix("0 30 ") == true)
  }

  @Test func `a limit of the organization is seen by the next reading, and does not judge the past`() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    let start = Kitchen.start
    _ = try await kitchen.house.call(
      .put, kitchen.organization.path + "/units/\(unit)", as: kitchen.organization.owner, #"{"tempMin":null}"#)
    // What was measured yesterday is judged by what held then, whenever it arrives.
    try await rule(kitchen, #"{"tempUnit":"C","tempMin":2}"#)
    try await kitchen.report(sensor, 1, at: start)
    #expect(try await kitchen.status(of: unit) == "ok")
    let now = WallClock.system.now() + .seconds(1)
    try await kitchen.report(sensor, 1, at: now)
    #expect(try await kitchen.status(of: unit) == "excursion")
  }

  @Test func `missed check-ins of a rule decide when a unit is silent`() async throws {
    let kitchen = try await Kitchen()
    try await rule(kitchen, #"{"offlineWarningMissedCheckins":6,"offlineCriticalMissedCheckins":12}"#)
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    let start = Kitchen.start
    try await kitchen.report(sensor, 3, at: start)
    let job = MonitoringJob(database: kitchen.house.database)
    func status(after minutes: Int) async throws -> String {
      try await kitchen.house.run { _ in _ = try await job.run(at: start + .minutes(minutes)) }
      return try await kitchen.status(of: unit)
    }
    // Six and a half intervals of 10 minutes, and one minute.
    #expect(try await status(after: 65) == "ok")
    #expect(try await status(after: 67) == "offline")
    #expect(try await status(after: 119) == "offline")
    #expect(try await status(after: 121) == "monitoring_interrupted")
  }
}
