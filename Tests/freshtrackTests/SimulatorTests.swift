import Basics
import ColdChain
import Foundation
import Testing

@testable import freshtrack

private let morning = Instant(rfc3339: "2026-01-05T07:30:12.345678Z") ?? .distantPast

private func sensor(_ model: SensorModel, setpoint: Double = 3) -> SimulatedSensor {
  SimulatedSensor(devEUI: "A84041000D000001", model: model, setpoint: setpoint, seed: 1, session: 2)
}

private func object(_ bytes: [UInt8]) throws -> [String: Any] {
  try #require(try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any])
}

@Suite("Simulated sensors")
struct SimulatedSensorTests {
  @Test("the bytes of a frame decode to what the decoded fields say", arguments: SensorModel.allCases)
  func bothForms(model: SensorModel) throws {
    for temperature in [-25.37, -0.04, 0, 2.78, 41.99] {
      let measurement = Measurement(temperature: temperature, ambient: 19.53, humidity: 61.5, battery: 3.05)
      let payload = model.payload(of: measurement)
      let decoded = try #require(
        try PayloadDecoder.decode(payload, port: model.port, model: model.modelId, receivedAt: morning).first)
      var text = Array("{".utf8)
      model.appendDecoded(measurement, to: &text)
      let fields = try object(text + Array("}".utf8))
      let said = try #require(fields[model == .lht65n ? "TempC_DS" : "temperature"] as? Double)
      let humidity = try #require(fields[model == .lht65n ? "Hum_SHT" : "humidity"] as? Double)
      #expect(decoded.unitTemperature()?.hundredths == Int32((said * 100).rounded()))
      #expect(abs(said - temperature) <= 0.051)
      #expect(abs(humidity - 61.5) <= 1)
      #expect(decoded.humidity != nil)
    }
  }

  @Test("an uplink is JSON with the fields that The Things Stack sends, and no zeros")
  func envelope() throws {
    var sensor = sensor(.lht65n)
    for counter in 0..<3 {
      var body: [UInt8] = []
      UplinkEnvelope().write(sensor.frame(at: morning), of: sensor, to: &body)
      let root = try object(body)
      let uplink = try #require(root["uplink_message"] as? [String: Any])
      #expect(uplink["f_cnt"] as? Int == (counter == 0 ? nil : counter))
      #expect(uplink["f_port"] as? Int == 2)
      #expect((uplink["received_at"] as? String)?.hasPrefix("2026-01-05T07:30:12.3456") == true)
      let ids = try #require(root["end_device_ids"] as? [String: Any])
      #expect(ids["dev_eui"] as? String == "A84041000D000001")
      #expect((1400...2200).contains(body.count))
    }
  }

  @Test("two frames of one sensor never have the same instant")
  func instants() {
    var sensor = sensor(.ers)
    let times = (0..<100).map { _ in sensor.frame(at: morning).time }
    #expect(Set(times).count == 100)
    #expect(times == times.sorted())
  }

  @Test("the same seed measures the same; another session has another key")
  func seeds() {
    var first = sensor(.lht65n)
    var second = sensor(.lht65n)
    var third = SimulatedSensor(devEUI: "A84041000D000001", model: .lht65n, setpoint: 3, seed: 1, session: 3)
    for minute in 0..<50 {
      let instant = morning + .minutes(minute)
      let expected = first.measure(at: instant).temperature
      #expect(second.measure(at: instant).temperature == expected)
      #expect(third.measure(at: instant).temperature == expected)
    }
    #expect(first.sessionKeyId == second.sessionKeyId)
    #expect(first.sessionKeyId != third.sessionKeyId)
  }

  @Test("a healthy unit stays near its setpoint")
  func steady() {
    var sensor = sensor(.lht65n, setpoint: 2.8)
    for minute in 0..<2880 {
      let temperature = sensor.measure(at: morning + .minutes(minute)).temperature
      #expect((0.5...5).contains(temperature), "minute \(minute)")
    }
  }
}

@Suite("Scenarios")
struct ScenarioTests {
  private func uplinks(
    _ scenario: Scenario, seconds: Int, sensors: Int = 4
  ) -> [(sent: Instant, uplink: UplinkSource.Uplink)] {
    let all = (0..<sensors).map {
      SimulatedSensor(devEUI: "A84041000D00000\($0)", model: .lht65n, setpoint: 3, seed: UInt64($0), session: 1)
    }
    var source = UplinkSource(sensors: all, scenario: scenario, started: morning, seed: 1)
    return (0..<seconds * 4).compactMap { quarter in
      let now = morning + .milliseconds(quarter * 250)
      return source.next(at: now).map { (now, $0) }
    }
  }

  @Test("normally every uplink is new and in order")
  func normal() {
    let all = uplinks(.normal, seconds: 60)
    #expect(all.count == 240)
    #expect(Set(all.map { "\($0.uplink.devEUI) \($0.uplink.counter)" }).count == 240)
    #expect(all.map(\.uplink.recordedAt) == all.map(\.uplink.recordedAt).sorted())
  }

  @Test("duplicates are the same bytes again")
  func duplicates() {
    let all = uplinks(.duplicates, seconds: 60).map(\.uplink)
    let repeated = zip(all, all.dropFirst()).filter { $0.body == $1.body }
    #expect(repeated.count >= 50)
    #expect(Set(all.map(\.recordedAt)).count == all.count - repeated.count)
  }

  @Test("late data comes up to half a minute after it was measured, out of order, and none is lost")
  func late() {
    let all = uplinks(.lateData, seconds: 300)
    let delays = all.map { ($0.sent - $0.uplink.recordedAt).microseconds }
    #expect(delays.contains { $0 > 3_000_000 })
    #expect(delays.allSatisfy { $0 < 31_000_000 })
    let mine = all.filter { $0.uplink.devEUI.hasSuffix("0") }.map(\.uplink.counter)
    #expect(mine != mine.sorted())
    #expect(Set(mine).count == mine.count)
  }

  @Test("during an outage nothing arrives, and the frame counters go on")
  func outage() {
    let all = uplinks(.gatewayOutage, seconds: 240)
    #expect(!all.contains { (120..<180).contains(($0.sent - morning).microseconds / 1_000_000) })
    let mine = all.filter { $0.uplink.devEUI.hasSuffix("0") }.map(\.uplink.counter)
    #expect(zip(mine, mine.dropFirst()).map { $1 - $0 }.max() == 61)
  }

  @Test("only the first unit warms, from the first minute on", arguments: [Scenario.doorLeftOpen, .compressorFailure])
  func warming(scenario: Scenario) {
    #expect(scenario.warming(after: 59, gap: 17) == 0)
    #expect(scenario.warming(after: 3600, gap: 17) > 11)
    #expect(scenario.warming(after: 1e9, gap: 17) <= 17)
  }
}
