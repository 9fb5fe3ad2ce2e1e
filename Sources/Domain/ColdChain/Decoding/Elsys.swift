extension PayloadDecoder {
  /// Type and value, big-endian; the type alone gives the length ("Elsys Payload", revision 13).
  static let elsys = PayloadDecoder(
    brand: "elsys",
    models: [
      "ers", "ers-co2", "ers-co2-lite", "ers-lite", "ers-eye", "ers-sound", "ers2-co2", "elt-2", "elt-lite", "ems",
      "ems-door",
    ],
    chemistry: .lithiumThionylChloride, reportingInterval: .minutes(10)
  ) { payload throws(DecodeFailure) in
    guard payload.port == 5 else { throw .unknownPort(payload.port) }
    var sample = Measurements()
    var index = 0
    while index < payload.count {
      let type = payload.bytes[index]
      guard let length = Elsys.lengths[type] else {
        // Settings (0x3E), like a type of a later revision, end what can be read.
        if index == 0, type != 0x3E { throw .malformed("type \(type)") }
        break
      }
      try payload.need(index + 1 + length)
      Elsys.take(payload, type, at: index + 1, into: &sample)
      index += 1 + length
    }
    sample.dropFailedAmbient()
    return sample.isEmpty ? [] : [sample]
  }
}

private enum Elsys {
  static let lengths: [UInt8: Int] = [
    0x01: 2, 0x02: 1, 0x03: 3, 0x04: 2, 0x05: 1, 0x06: 2, 0x07: 2, 0x08: 2, 0x09: 6, 0x0A: 2, 0x0B: 4, 0x0C: 2,
    0x0D: 1, 0x0E: 2, 0x0F: 1, 0x10: 4, 0x11: 1, 0x12: 1, 0x13: 65, 0x14: 4, 0x15: 2, 0x16: 2, 0x17: 4, 0x18: 2,
    0x19: 2, 0x1A: 1, 0x1B: 4, 0x1C: 2, 0x3D: 4,
  ]

  static func take(_ payload: Payload, _ type: UInt8, at index: Int, into sample: inout Measurements) {
    switch type {
    case 0x01: sample.take(payload.i16(index) * 10, for: .ambient)
    case 0x02: sample.take(humidity: payload.u8(index) * 100)
    case 0x07: sample.batteryVoltage = Voltage(payload.u16(index))
    case 0x0C: sample.take(payload.i16(index) * 10, for: .probe)
    // Only the EMS has a reed contact on its digital input.
    case 0x0D where payload.model.contains("ems"): sample.doorOpen = payload.u8(index) != 0
    case 0x12: sample.leak = payload.u8(index) != 0
    // It may come more than once.
    case 0x19: sample.take(payload.i16(index) * 10, for: sample.probe2 == nil ? .probe2 : .probe3)
    default: break
    }
  }
}
