import Basics
import ColdChain
import Testing

/// The layouts of the vendors' manuals, one payload for each.
struct DecoderTests {
  /// 15 seconds after the time that the vectors carry, 2026-01-05T07:30:00Z.
  static let received = Instant(seconds: 1_767_598_215)
  static let sampled = Instant(seconds: 1_767_598_200)

  func decode(_ hex: String, port: UInt8, _ model: String?) throws -> [Measurements] {
    try PayloadDecoder.decode(
      try #require(Hex.decode(hex)), port: port, model: model, receivedAt: Self.received)
  }

  func one(_ hex: String, port: UInt8, _ model: String?) throws -> Measurements {
    let all = try decode(hex, port: port, model)
    #expect(all.count == 1)
    return try #require(all.first)
  }

  func t(_ celsius: Double) -> Temperature? { Temperature(celsius: celsius) }

  // MARK: - Dragino

  @Test("LHT65N with a probe", arguments: ["lht65n", "lht65", "LHT65N", "dragino-lht65n", "lht65n-e3"])
  func lht65n(model: String) throws {
    let sample = try one("CC19011601980101387FFF", port: 2, model)
    #expect(sample.kind == .live && sample.sampledAt == nil)
    #expect(sample.batteryVoltage?.millivolts == 3097 && sample.batteryState == .good)
    #expect(sample.ambient == t(2.78) && sample.humidity?.percent == 40.8 && sample.probe == t(3.12))
    #expect(sample.unitTemperature() == t(3.12))
    #expect(sample.unitTemperature(.ambient) == t(2.78))
    #expect(sample.unitTemperature(.probe2) == nil)
  }

  @Test("LHT65N below zero")
  func lht65nCold() throws {
    let sample = try one("CBF6F8F8031201F8307FFF", port: 2, "lht65n")
    #expect(sample.batteryVoltage?.millivolts == 3062)
    #expect(sample.ambient == t(-18) && sample.humidity?.percent == 78.6 && sample.probe == t(-20))
  }

  @Test("a missing probe is never replaced by the sensor's own case", arguments: ["81", "01"])
  func lht65nUnplugged(flags: String) throws {
    let sample = try one("CC1901160198\(flags)7FFF7FFF", port: 2, "lht65n")
    #expect(sample.kind == .live && sample.probe == nil && sample.ambient == t(2.78))
    #expect(sample.flags.contains([.hasProbe, .probeDisconnected]))
    #expect(sample.unitTemperature() == nil)
  }

  @Test("a sensor without a probe measures by its case")
  func lht65nBare() throws {
    let sample = try one("CC19011601980000007FFF", port: 2, "lht65n")
    #expect(sample.unitTemperature() == t(2.78) && sample.flags == [])
  }

  @Test("LHT65N with the time of the sample")
  func lht65nTimed() throws {
    let sample = try one("F8300116C19809695B6878", port: 2, "lht65n")
    #expect(sample.probe == t(-20) && sample.ambient == t(2.78) && sample.humidity?.percent == 40.8)
    #expect(sample.batteryState == .good && sample.batteryVoltage == nil)
    #expect(sample.sampledAt == Self.sampled && sample.kind == .live)
  }

  @Test("a polled record of the LHT65N is backfill with its own time")
  func lht65nRecord() throws {
    let sample = try one("F8300116019841695B6878", port: 2, "lht65n")
    #expect(sample.kind == .datalog && sample.sampledAt == Self.sampled)
    #expect(sample.probe == t(-20) && sample.ambient == t(2.78) && sample.humidity?.percent == 40.8)
    let two = try decode("F8300116019841695B6878F8300116019881695B6864", port: 2, "lht65n")
    #expect(two.map(\.kind) == [.datalog, .retransmission])
    #expect(two.last?.sampledAt == Self.sampled - .seconds(20))
    #expect(try decode("0000000000000000000000", port: 2, "lht65n") == [])
  }

  @Test("a record whose clock was never set has no time")
  func lht65nUnsetClock() throws {
    let sample = try one("F83001160198410000003C", port: 2, "lht65n")
    #expect(sample.sampledAt == nil && sample.flags.contains(.clockDrift) && sample.kind == .datalog)
  }

  @Test("LHT65N with other external sensors")
  func lht65nExternal() throws {
    #expect(try one("CC19011601980201387FFF", port: 2, "lht65n").probe == t(3.12))
    let humid = try one("CC19011601980B01380198", port: 2, "lht65n")
    #expect(humid.probe == t(3.12) && humid.probeHumidity?.percent == 40.8)
    let light = try one("CC19011601980501387FFF", port: 2, "lht65n")
    #expect(light.probe == nil && light.unitTemperature() == t(2.78))
    // Mode 15 sends the probe's serial number where the temperature is.
    let serial = try one("CC19011601980F01387FFF", port: 2, "lht65n")
    #expect(serial.ambient == nil && serial.humidity == nil && serial.probe == nil)
  }

  @Test("LHT65N batch and status frames")
  func lht65nPorts() throws {
    let batch = try one("CC1901F8F8F830", port: 3, "lht65n")
    #expect(batch.probe == t(-20) && batch.batteryVoltage?.millivolts == 3097)
    #expect(try one("0B0100010BCC19", port: 5, "lht65n").batteryVoltage?.millivolts == 0xCC19)
    #expect(throws: DecodeFailure.unknownPort(9)) { try decode("00", port: 9, "lht65n") }
    #expect(throws: DecodeFailure.wrongLength(3)) { try decode("000000", port: 2, "lht65n") }
  }

  @Test("LHT52")
  func lht52() throws {
    let sample = try one("01160198F83001695B6878", port: 2, "lht52")
    #expect(sample.ambient == t(2.78) && sample.humidity?.percent == 40.8 && sample.probe == t(-20))
    #expect(sample.sampledAt == Self.sampled)
    #expect(try one("01160198F83001695B6878", port: 3, "lht52").kind == .datalog)
    #expect(try one("0900010B000BB8", port: 5, "lht52").batteryVoltage?.millivolts == 3000)
  }

  @Test("LDS02 open and closed, with minutes as seconds", arguments: [("8BB8", true), ("0BB8", false)])
  func lds02(head: String, open: Bool) throws {
    for model in ["lds02", nil] {
      let sample = try one("\(head)0100000C00000300", port: 10, model)
      #expect(sample.doorOpen == open && sample.batteryVoltage?.millivolts == 3000 && sample.leak == nil)
      #expect(sample.doorOpenCount == 12 && sample.lastOpenSeconds == 180)
    }
    let leak = try one("4BB80200000C00000300", port: 10, "lwl02")
    #expect(leak.leak == true && leak.doorOpen == nil && leak.doorOpenCount == nil)
  }

  @Test("LDS03A")
  func lds03a() throws {
    let sample = try one("0100000C000003695B6878", port: 2, "lds03a")
    #expect(sample.doorOpen == true && sample.doorOpenCount == 12 && sample.lastOpenSeconds == 180)
    #expect(sample.sampledAt == Self.sampled)
  }

  @Test("LSN50v2 with one to three probes, and with an SHT31 on a cable")
  func lsn50() throws {
    // 3.6 V, DS18B20 at -18.5 °C; ADC; mode 0 with an SHT at 21.3 °C and 40.5 %.
    let one = try one("0E10FF4700008000D50195", port: 2, "lsn50v2-d20")
    #expect(one.batteryVoltage?.millivolts == 3600 && one.probe == t(-18.5) && one.unitTemperature() == t(-18.5))
    #expect(one.ambient == t(21.3) && one.humidity?.percent == 40.5)
    let three = try self.one("0E10FF4700000CFF510028", port: 2, "LSN50v2-D23")
    #expect(three.probe == t(-18.5) && three.probe2 == t(-17.5) && three.probe3 == t(4))
    let two = try self.one("0E10FF4700000CFF517FFF", port: 2, "lsn50v2-d22")
    #expect(two.probe2 == t(-17.5) && two.probe3 == nil && !two.flags.contains(.probeDisconnected))
    let cabled = try self.one("0E107FFF00000000D50195", port: 2, "lsn50v2-s31")
    #expect(cabled.unitTemperature() == t(21.3) && cabled.humidity?.percent == 40.5)
    for lost in ["0E107FFF0000007FFFFFFF", "0E107FFF000000FFFFFFFF"] {
      let sample = try self.one(lost, port: 2, "lsn50v2-s31")
      #expect(sample.unitTemperature() == nil && sample.flags.contains(.probeDisconnected))
    }
    let torn = try self.one("0E107FFF00000C7FFF7FFF", port: 2, "lsn50v2-d20")
    #expect(torn.unitTemperature() == nil && torn.flags.contains(.probeDisconnected))
    #expect(try self.one("0C1C0C1C0C1C0800D5019524", port: 2, "lsn50v2").batteryVoltage?.millivolts == 3600)
    #expect(try decode("01FF0117000384", port: 5, "lsn50v2") == [])
    #expect(throws: DecodeFailure.wrongLength(4)) { try decode("0E10FF47", port: 2, "lsn50v2") }
  }

  // MARK: - Others

  @Test("Milesight EM300", arguments: ["em300-th", nil, "em300-th-868m"])
  func em300(model: String?) throws {
    let sample = try one("017564036702FF04684B", port: 85, model)
    #expect(sample.batteryPercent?.value == 100 && sample.ambient == t(-25.4) && sample.humidity?.percent == 37.5)
    #expect(sample.unitTemperature() == t(-25.4))
  }

  @Test("Milesight EM300-MCS")
  func em300Contact() throws {
    let sample = try one("01755F0367C8FF04686E060001", port: 85, "em300-mcs")
    #expect(sample.batteryPercent?.value == 95 && sample.ambient == t(-5.6) && sample.humidity?.percent == 55)
    #expect(sample.doorOpen == true)
  }

  @Test("Milesight history beside an answer to the query")
  func em300History() throws {
    for hex in ["20CE78685B6902FF4B", "FC6B0020CE78685B6902FF4B"] {
      let sample = try one(hex, port: 85, "em300-th")
      #expect(sample.kind == .datalog && sample.sampledAt == Self.sampled)
      #expect(sample.ambient == t(-25.4) && sample.humidity?.percent == 37.5)
    }
    let contact = try one("20CE78685B6902FF4B01", port: 85, "em300-mcs")
    #expect(contact.doorOpen == true)
    #expect(try decode("FFFF0100FF0BFF", port: 85, "em300-th") == [])
  }

  @Test("what a place means is the model's: motion on an AM is no leak, and a WS303 has no door")
  func milesightModels() throws {
    #expect(try one("0175640500010367E100", port: 85, "am307").leak == nil)
    #expect(try one("0175640500010367E100", port: 85, "am307").ambient == t(22.5))
    #expect(try one("017564050001", port: 85, "em300-zld").leak == true)
    let water = try one("017564030001", port: 85, "ws303")
    #expect(water.leak == true && water.doorOpen == nil)
    let door = try one("017564030001040000", port: 85, "ws301")
    #expect(door.doorOpen == true && door.leak == nil)
    let cable = try one("0175640367A5FF", port: 85, "em500-pt100")
    #expect(cable.probe == t(-9.1) && cable.ambient == nil && cable.unitTemperature() == t(-9.1))
    let air = try one("0175640367E1000468640573E803", port: 85, "em500-co2")
    #expect(air.ambient == t(22.5) && air.humidity?.percent == 50)
    #expect(try one("8367370101", port: 85, "em300-th").ambient == t(31.1))
  }

  @Test("records of Milesight's other models are as long as the model makes them")
  func milesightRecords() throws {
    let pt100 = try decode("20CE78685B69A5FF20CE8C685B69A6FF", port: 85, "em500-pt100")
    #expect(pt100.map(\.probe) == [t(-9.1), t(-9)] && pt100.allSatisfy { $0.kind == .datalog })
    #expect(pt100.last?.sampledAt == Self.sampled + .seconds(20))
    let co2 = try one("20CE78685B69E8031027E1004B", port: 85, "em500-co2")
    #expect(co2.ambient == t(22.5) && co2.humidity?.percent == 37.5 && co2.sampledAt == Self.sampled)
    let am307 = try one("20CE78685B69E1004B00000AE80300001027", port: 85, "am307")
    #expect(am307.ambient == t(22.5) && am307.humidity?.percent == 37.5)
  }

  @Test("Elsys ERS CO2", arguments: ["ers", "ers-co2", "elsys-ers-co2"])
  func elsys(model: String) throws {
    let sample = try one("0100E202290400270506060308070DA2", port: 5, model)
    #expect(sample.ambient == t(22.6) && sample.humidity?.percent == 41 && sample.batteryVoltage?.millivolts == 3490)
    let probes = try one("0100E20CFF3819FF3919FF3A", port: 5, model)
    #expect(probes.probe == t(-20) && probes.probe2 == t(-19.9) && probes.probe3 == t(-19.8))
    #expect(try one("0100E20C7FFF", port: 5, model).unitTemperature() == nil)
  }

  @Test("Netvox R718A and R311A")
  func netvox() throws {
    for model in ["r718a", nil] {
      let sample = try one("010B0124F8300D48000000", port: 6, model)
      #expect(sample.batteryVoltage?.millivolts == 3600 && sample.ambient == t(-20) && sample.humidity?.percent == 34)
    }
    for model in ["r311a", nil] {
      let sample = try one("0102012301000000000000", port: 6, model)
      #expect(sample.batteryVoltage?.millivolts == 3500 && sample.doorOpen == true)
    }
    #expect(try one("010B01A4F8300D48000000", port: 6, "r718a").flags.contains(.lowBattery))
    #expect(try decode("010B000A1A202001010000", port: 6, "r718a") == [])
  }

  @Test("Cayenne LPP")
  func cayenne() throws {
    let sample = try one("0167FF38016850026700E2", port: 1, "cayenne")
    #expect(sample.ambient == t(-20) && sample.humidity?.percent == 40 && sample.probe == t(22.6))
  }

  // MARK: - What must not become a temperature

  @Test("sentinels are no temperatures", arguments: ["7FFF", "8000", "2134", "CE64"])
  func sentinels(raw: String) throws {
    let sample = try one("CC190116019801\(raw)7FFF", port: 2, "lht65n")
    #expect(sample.probe == nil && sample.flags.contains(.probeDisconnected) && sample.unitTemperature() == nil)
  }

  @Test("an SHT at exactly 0 °C and 0 % has failed, and humidity above 100 % is none")
  func failedSensor() throws {
    let failed = try one("CC19000000000001387FFF", port: 2, "lht65n")
    #expect(failed.ambient == nil && failed.humidity == nil && failed.flags.contains(.sensorFault))
    let wet = try one("CC19011607D00001387FFF", port: 2, "lht65n")
    #expect(wet.humidity == nil && wet.ambient == t(2.78) && wet.flags.contains(.sensorFault))
    let frost = try one("CC19000001980001387FFF", port: 2, "lht65n")
    #expect(frost.ambient == t(0))
  }

  @Test("a model that is unknown is not guessed where two layouts would fit")
  func unknown() {
    #expect(throws: DecodeFailure.unknownModel) { try decode("CC19011601980101387FFF", port: 2, nil) }
    #expect(throws: DecodeFailure.unknownModel) { try decode("CC19011601980101387FFF", port: 2, "toaster") }
    #expect(throws: DecodeFailure.unknownModel) { try decode("CC19", port: 2, "-") }
  }

  @Test("random bytes never crash a decoder")
  func randomBytes() {
    var random = SplitMix(seed: 0x5EED)
    let models = PayloadDecoder.all.flatMap(\.models)
    for _ in 0..<30_000 {
      let bytes = (0..<Int.random(in: 0...64, using: &random)).map { _ in
        Bool.random(using: &random)
          ? UInt8.random(in: 0...255, using: &random) : UInt8.random(in: 0...8, using: &random)
      }
      let port = [1, 2, 3, 4, 5, 6, 10, 85].randomElement(using: &random) ?? 2
      let model = Int.random(in: 0..<8, using: &random) == 0 ? nil : models.randomElement(using: &random)
      let samples = try? PayloadDecoder.decode(bytes, port: UInt8(port), model: model, receivedAt: Self.received)
      for sample in samples ?? [] {
        for channel in TemperatureChannel.allCases {
          if let value = sample[channel], value.hundredths == 32_767 || value.hundredths == -32_768 {
            Issue.record("seed 0x5EED: \(Hex.encode(bytes)) on port \(port) of \(model ?? "-") is \(value)")
          }
        }
      }
    }
  }
}
