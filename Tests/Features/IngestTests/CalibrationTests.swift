import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Testing

@Suite(.serialized) struct CalibrationTests {
  private func calibrate(_ kitchen: Kitchen, _ sensor: Kitchen.Sensor, _ body: String) async throws -> Answer {
    try await kitchen.house.call(
      .post, kitchen.organization.path + "/devices/\(sensor.id)/calibrations", as: kitchen.organization.owner, body)
  }

  private func stored(_ kitchen: Kitchen) async throws -> [String] {
    try await kitchen.lines(
      """
      SELECT temperature::text, probe_temperature::text, (flags & 1024 <> 0)::text FROM sensor_readings
      ORDER BY recorded_at
      """)
  }

  @Test func `an offset is added to what is measured since it holds, and the raw value stays`() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let start = Kitchen.start
    try await kitchen.report(sensor, 4.5, at: start)
    let made = try await calibrate(
      kitchen, sensor,
      """
      {"temperatureOffset":-0.7,"channel":"probe","validFrom":"\((start + .minutes(15)).rfc3339)","certificate":"K-7"}
      """)
    #expect(made.status == 201, "\(made)")
    #expect(made.json["temperatureOffset"]?.double == -0.7)
    try await kitchen.report(sensor, 4.5, at: start + .minutes(10))
    try await kitchen.report(sensor, 4.5, at: start + .minutes(20))
    #expect(try await stored(kitchen) == ["4.50 4.50 false", "4.50 4.50 false", "3.80 4.50 true"])
  }

  @Test func `the corrected temperature is what a unit is judged by`() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    let start = Kitchen.start
    let offset = #"{"temperatureOffset":1,"validFrom":"\#((start - .hours(1)).rfc3339)"}"#
    #expect(try await calibrate(kitchen, sensor, offset).status == 201)
    try await kitchen.report(sensor, 4.2, at: start)
    #expect(try await kitchen.status(of: unit) == "excursion")
  }

  @Test func `a channel's own calibration counts before that of all channels`() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let from = #""validFrom":"\#((Kitchen.start - .hours(1)).rfc3339)""#
    for body in [
      #"{"temperatureOffset":2,\#(from)}"#,
      #"{"temperatureOffset":-1.8,"temperatureUnit":"F","channel":"probe",\#(from)}"#,
      #"{"temperatureOffset":9,"channel":"internal",\#(from)}"#,
    ] { #expect(try await calibrate(kitchen, sensor, body).status == 201) }
    #expect(try await calibrate(kitchen, sensor, #"{"temperatureOffset":1,\#(from)}"#).status == 409)
    try await kitchen.report(sensor, 4, at: Kitchen.start)
    #expect(try await stored(kitchen) == ["3.00 4.00 true"])
  }

  @Test func `a calibration that was entered by mistake counts no more`() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let owner = kitchen.organization.owner
    let made = try await calibrate(
      kitchen, sensor,
      """
      {"temperatureOffset":-0.3,"referenceTemperature":0,"measuredTemperature":0.3,"validFrom":"\((Kitchen.start - .hours(1)).rfc3339)"}
      """)
    #expect(made.json["measuredTemperature"]?.double == 0.3)
    let path = kitchen.organization.path + "/devices/\(sensor.id)/calibrations"
    #expect(try await kitchen.house.call(.get, path, as: owner).json.count == 1)
    try await kitchen.report(sensor, 4, at: Kitchen.start)
    let id = made.json["id"]?.string ?? ""
    #expect(try await kitchen.house.call(.delete, path + "/\(id)", as: owner).status == 204)
    #expect(try await kitchen.house.call(.delete, path + "/\(id)", as: owner).status == 404)
    try await kitchen.report(sensor, 4, at: Kitchen.start + .minutes(10))
    #expect(try await stored(kitchen) == ["3.70 4.00 true", "4.00 4.00 false"])
    #expect(try await calibrate(kitchen, sensor, "{}").badFields == ["temperatureOffset"])
  }
}
