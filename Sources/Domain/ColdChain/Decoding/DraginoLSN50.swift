import Basics

extension PayloadDecoder {
  /// LSN50v2 and what is sold of it with sensors: D20, D22 and D23 with one to three DS18B20, S31 with an SHT31 on a cable
  /// (Dragino LSN50v2 user manual, "Uplink payload").
  static let draginoLSN50 = PayloadDecoder(
    brand: "dragino",
    models: [
      "lsn50v2", "lsn50-v2", "lsn50v2-d20", "lsn50v2-d22", "lsn50v2-d23", "lsn50v2-d20-d22-d23", "lsn50v2-s31",
      "lsn50v2-s31b",
    ],
    chemistry: .lithiumThionylChloride, reportingInterval: .minutes(20)
  ) { payload throws(DecodeFailure) in
    switch payload.port {
    case 2: return try LSN50.sample(payload)
    // The configuration of the sensor.
    case 5: return []
    default: throw .unknownPort(payload.port)
    }
  }
}

/// Tenths of °C and of a percent. The layout follows the working mode, bits 2 to 6 of byte 6.
private enum LSN50 {
  static func sample(_ payload: Payload) throws(DecodeFailure) -> [Measurements] {
    guard payload.count >= 11 else {
      // A single byte is the answer to a downlink.
      if payload.count == 1 { return [] }
      throw .wrongLength(payload.count)
    }
    let mode = payload.u8(6) >> 2 & 0x1F
    var sample = Measurements()
    switch mode {
    case 2:
      // Three analog inputs take the places of battery and first probe.
      sample.batteryVoltage = payload.count > 11 ? Voltage(payload.u8(11) * 100) : nil
      takeHumidSensor(payload, into: &sample)
    case 0, 1, 3...8, 31:
      sample.batteryVoltage = Voltage(payload.u16(0))
      if !payload.model.contains("s31") { takeProbe(payload, at: 2, .probe, into: &sample) }
    default: throw .malformed("mode \(mode)")
    }
    switch mode {
    case 0: takeHumidSensor(payload, into: &sample)
    case 3:
      takeProbe(payload, at: 7, .probe2, into: &sample)
      takeProbe(payload, at: 9, .probe3, into: &sample)
    case 8:
      takeProbe(payload, at: 4, .probe2, into: &sample)
      takeProbe(payload, at: 7, .probe3, into: &sample)
    default: break
    }
    return [sample]
  }

  /// A place without a probe sends 0x7FFF, or 0xFFFF on the D2x.
  private static func takeProbe(
    _ payload: Payload, at index: Int, _ channel: TemperatureChannel, into sample: inout Measurements
  ) {
    let isMissing = payload.u16(index) == 0x7FFF || payload.u16(index) == 0xFFFF
    // Only the first place is always fitted.
    if isMissing, channel != .probe { return }
    sample.take(isMissing ? 32_767 : payload.i16(index) * 10, for: channel)
  }

  /// The SHT, or nothing: with humidity 0 the place holds brightness.
  private static func takeHumidSensor(_ payload: Payload, into sample: inout Measurements) {
    let isCabled = payload.model.contains("s31")
    guard payload.u16(9) != 0 else { return }
    let isMissing = payload.u16(7) == 0x7FFF || payload.u16(7) == 0xFFFF
    if isMissing, !isCabled { return }
    sample.take(isMissing ? 32_767 : payload.i16(7) * 10, for: isCabled ? .probe : .ambient)
    if !isMissing, payload.u16(9) != 0xFFFF { sample.take(humidity: payload.u16(9) * 10) }
  }
}
