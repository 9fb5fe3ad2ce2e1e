import Basics
import ColdChain
import JSON
import Testing

struct FieldTableTests {
  func read(_ text: String, model: String? = nil) throws -> Measurements? {
    try FieldTable.measurements(
      from: JSONDocument(Array(text.utf8)).root, model: model, receivedAt: DecoderTests.received)
  }

  func t(_ celsius: Double) -> Temperature? { Temperature(celsius: celsius) }

  @Test("Dragino's own names")
  func dragino() throws {
    let sample = try #require(
      try read(#"{"BatV":3.097,"Bat_status":3,"TempC_SHT":2.78,"Hum_SHT":"40.8","TempC_DS":-20.005,"Ext_sensor":"x"}"#))
    #expect(sample.batteryVoltage?.millivolts == 3097 && sample.batteryState == .good && sample.batteryPercent == nil)
    #expect(sample.ambient == t(2.78) && sample.humidity?.percent == 40.8 && sample.probe?.hundredths == -2001)
    #expect(sample.unitTemperature()?.hundredths == -2001)
    #expect(try read(#"{"Bat_status":"Ultra Low","TempC_SHT":1}"#)?.batteryState == .ultraLow)
  }

  @Test(
    "a probe that is null or a sentinel is disconnected, not replaced",
    arguments: ["null", "327.67", "85", "-127", "\"327.67\""])
  func disconnected(value: String) throws {
    let sample = try #require(try read(#"{"TempC_SHT":22.5,"TempC_DS":\#(value)}"#))
    #expect(sample.unitTemperature() == nil && sample.ambient == t(22.5))
    #expect(sample.flags.contains([.hasProbe, .probeDisconnected]))
  }

  @Test("°F only by the name")
  func fahrenheit() throws {
    #expect(try read(#"{"temperature_f":41}"#)?.ambient == t(5))
    #expect(try read(#"{"tempF":41}"#)?.ambient == t(5))
    #expect(try read(#"{"temperature":41}"#)?.ambient == t(41))
    #expect(try read(#"{"temperature":5,"temperature_f":99}"#)?.ambient == t(5))
    #expect(try read(#"{"temperature_f":1e300}"#) == nil)
  }

  @Test("exact names win over those of another case")
  func letterCase() throws {
    #expect(try read(#"{"TEMPERATURE":7,"temperature":5}"#)?.ambient == t(5))
    #expect(try read(#"{"TEMPERATURE":7}"#)?.ambient == t(7))
  }

  @Test("zero is a value")
  func zero() throws {
    #expect(try read(#"{"temperature":0}"#)?.ambient == t(0))
    #expect(try read(#"{"battery_level":0}"#)?.batteryPercent?.value == 0)
  }

  @Test("battery in volts, millivolts, and text; percent only where it is known to be")
  func battery() throws {
    #expect(try read(#"{"vdd":3490}"#)?.batteryVoltage?.millivolts == 3490)
    #expect(try read(#"{"Volt":3.1}"#)?.batteryVoltage?.millivolts == 3100)
    let low = try #require(try read(#"{"Volt":"2.9(low battery)"}"#))
    #expect(low.batteryVoltage?.millivolts == 2900 && low.flags.contains(.lowBattery))
    #expect(try read(#"{"battery":87}"#, model: "em300-th")?.batteryPercent?.value == 87)
    #expect(try read(#"{"battery":87}"#) == nil)
  }

  @Test("doors by every name, with the polarity of the model")
  func doors() throws {
    #expect(
      try read(#"{"DOOR_OPEN_STATUS":1,"LAST_DOOR_OPEN_DURATION":3,"DOOR_OPEN_TIMES":12}"#)?.lastOpenSeconds == 180)
    #expect(try read(#"{"Door_status":"CLOSE"}"#)?.doorOpen == false)
    #expect(try read(#"{"magnet":"open"}"#)?.doorOpen == true)
    #expect(try read(#"{"door":false}"#)?.doorOpen == false)
    #expect(try read(#"{"OnOff":1}"#, model: "r311a")?.doorOpen == true)
    #expect(try read(#"{"OnOff":1}"#) == nil)
    #expect(try read(#"{"contact":true}"#) == nil)
    #expect(try read(#"{"door":1,"open_duration_s":90}"#)?.lastOpenSeconds == 90)
    #expect(try read(#"{"door":1,"open_duration":90}"#)?.lastOpenSeconds == nil)
    #expect(try read(#"{"water_leak":1}"#)?.leak == true)
  }

  @Test("the sensor's time is taken within 45 days before and 5 minutes after the receipt")
  func time() throws {
    #expect(try read(#"{"TempC_SHT":1,"Systimestamp":1767598200}"#)?.sampledAt == DecoderTests.sampled)
    for wrong in [1_767_598_200 + 400, 0, 1_767_598_200 - 46 * 86_400] {
      let sample = try #require(try read(#"{"TempC_SHT":1,"Systimestamp":\#(wrong)}"#))
      #expect(sample.sampledAt == nil && sample.flags.contains(.clockDrift))
    }
  }

  @Test("normalized payloads")
  func normalized() throws {
    let json =
      #"[{"air":{"temperature":2.78,"relativeHumidity":40.8},"battery":3.1},{"action":{"contactState":"open"}}]"#
    let samples = FieldTable.measurements(
      fromNormalized: try JSONDocument(Array(json.utf8)).root, receivedAt: DecoderTests.received)
    #expect(samples.count == 1)
    #expect(samples.first?.ambient == t(2.78) && samples.first?.batteryVoltage?.millivolts == 3100)
    #expect(samples.first?.doorOpen == true)
    let timed =
      #"[{"air":{"temperature":2.7},"time":"2026-01-05T07:30:00Z"},{"air":{"temperature":2.8}}]"#
    let two = FieldTable.measurements(
      fromNormalized: try JSONDocument(Array(timed.utf8)).root, receivedAt: DecoderTests.received)
    #expect(two.map(\.sampledAt) == [DecoderTests.sampled, nil] && two.map(\.ambient) == [t(2.7), t(2.8)])
  }

  @Test("what the scripts of the LSN50 write for probes that are not there")
  func absentProbes() throws {
    let two = try #require(try read(#"{"Temp_Red":-18.5,"Temp_White":4,"Temp_Black":"NULL"}"#))
    #expect(two.probe == t(-18.5) && two.probe2 == t(4) && two.probe3 == nil && two.flags == .hasProbe)
    let torn = try #require(try read(#"{"TempC1":"NULL","BatV":3.6}"#))
    #expect(torn.unitTemperature() == nil && torn.flags.contains(.probeDisconnected))
    let cabled = try #require(try read(#"{"TempC1":3276.7,"TempC_SHT":3.1,"Hum_SHT":60}"#, model: "lsn50v2-s31"))
    #expect(cabled.unitTemperature() == t(3.1) && cabled.flags == .hasProbe)
  }

  @Test(
    "what is unknown, or no object, holds nothing",
    arguments: [
      "{}", "[]", "7", #"{"foo":1}"#, #"{"temperature":{}}"#, #"{"temperature":"warm"}"#, #"{"temperature":"+5"}"#,
      #"{"temperature":"1e2"}"#,
    ])
  func nothing(json: String) throws {
    #expect(try read(json) == nil)
  }
}

/// Which witness of an uplink is believed.
struct WitnessTests {
  static let bytes: [UInt8] = [0xCC, 0x19, 0x01, 0x16, 0x01, 0x98, 0x01, 0x01, 0x38, 0x7F, 0xFF]

  func t(_ celsius: Double) -> Temperature? { Temperature(celsius: celsius) }

  func temperature(_ model: String?, bytes: [UInt8] = bytes, decoded: String?) throws -> Temperature? {
    let document = try decoded.map { try JSONDocument(Array($0.utf8)) }
    let samples = try Measurements.of(
      bytes, port: 2, model: model, decoded: document?.root, receivedAt: DecoderTests.received)
    return samples.first?.unitTemperature()
  }

  @Test("the network's decoding before the bytes, and the bytes where it says nothing that is known")
  func order() throws {
    let script = #"{"TempC_DS":9,"TempC_SHT":2.78}"#
    #expect(try temperature("lht65n", decoded: script) == Temperature(celsius: 9))
    #expect(try temperature(nil, decoded: script) == Temperature(celsius: 9))
    #expect(try temperature("lht65n", decoded: #"{"Node_type":"LHT65N"}"#) == Temperature(celsius: 3.12))
    #expect(try temperature("lht65n", decoded: nil) == Temperature(celsius: 3.12))
    #expect(try temperature("lht65n", bytes: [], decoded: script) == Temperature(celsius: 9))
    #expect(try temperature("lht65n", bytes: [], decoded: nil) == nil)
  }

  @Test("samples of the sensor's memory are read from the bytes, whatever the network's script makes of them")
  func memory() throws {
    // What Dragino's script says of the first of two polled records.
    let script = try JSONDocument(Array(#"{"BatV":14.384,"TempC_SHT":2.78,"Hum_SHT":40.8,"TempC_DS":269.71}"#.utf8))
    let bytes = try #require(Hex.decode("F8300116019841695B6878F83101160198416959B060"))
    let samples = try Measurements.of(
      bytes, port: 2, model: "lht65n", decoded: script.root, receivedAt: DecoderTests.received)
    #expect(samples.map(\.kind) == [.datalog, .datalog] && samples.map(\.probe) == [t(-20), t(-19.99)])
    let history = try #require(Hex.decode("0175640367E10020CE78685B6902FF4B"))
    let decoded = try JSONDocument(Array(#"{"battery":100,"temperature":22.5}"#.utf8))
    let both = try Measurements.of(
      history, port: 85, model: "em300-th", decoded: decoded.root, receivedAt: DecoderTests.received)
    #expect(both.map(\.kind) == [.live, .datalog] && both.map(\.ambient) == [t(22.5), t(-25.4)])
  }

  @Test("a normalized part of a frame gives way to the bytes of the whole")
  func part() throws {
    let part = try JSONDocument(Array(#"{"air":{"temperature":2.78}}"#.utf8)).root
    func read(_ model: String?) throws -> Temperature? {
      try Measurements.of(
        Self.bytes, port: 2, model: model, normalized: part, receivedAt: DecoderTests.received
      ).first?.unitTemperature()
    }
    #expect(try read("lht65n") == Temperature(celsius: 3.12))
    #expect(try read(nil) == Temperature(celsius: 2.78))
  }

  @Test("without a witness the failure of the bytes is told")
  func failures() {
    #expect(throws: DecodeFailure.wrongLength(1)) { try temperature("lht65n", bytes: [1], decoded: "{}") }
    #expect(throws: DecodeFailure.unknownModel) { try temperature(nil, decoded: #"{"foo":1}"#) }
  }
}
