import Basics

// Layouts: Dragino user manuals of the LHT65N, LHT52, LDS02 and LDS03A, section "Uplink payload".

extension PayloadDecoder {
  static let draginoLHT65 = PayloadDecoder(
    brand: "dragino", models: ["lht65", "lht65n", "lht65n-e31f"], chemistry: .lithiumManganeseDioxide,
    reportingInterval: .minutes(20), holdsRecords: { $0.port == 2 && LHT65.holdsRecords($0) }
  ) { payload throws(DecodeFailure) in
    switch payload.port {
    case 2: try LHT65.sample(payload)
    case 3: try LHT65.batch(payload)
    case 5: try Dragino.status(payload)
    default: throw .unknownPort(payload.port)
    }
  }

  static let draginoLHT52 = PayloadDecoder(
    brand: "dragino", models: ["lht52"], chemistry: .alkaline, reportingInterval: .minutes(20),
    holdsRecords: { $0.port == 3 }
  ) { payload throws(DecodeFailure) in
    switch payload.port {
    case 2:
      // Other lengths are a notice of a reset.
      guard payload.count == 11 else { return [] }
      return [lht52(payload, at: 0, kind: .live)]
    case 3:
      return try Dragino.records(payload) { lht52(payload, at: $0, kind: .datalog) }
    case 4: return []
    case 5: return try Dragino.status(payload)
    default: throw .unknownPort(payload.port)
    }
  }

  private static func lht52(_ payload: Payload, at index: Int, kind: Measurements.Kind) -> Measurements {
    var sample = Measurements(kind: kind)
    sample.take(payload.i16(index), for: .ambient)
    sample.take(humidity: payload.i16(index + 2) * 10)
    sample.dropFailedAmbient()
    // 1: the external probe is attached.
    if payload.u8(index + 6) & 0x0F == 1 { sample.take(payload.i16(index + 4), for: .probe) }
    sample.take(time: payload.time(index + 7), receivedAt: payload.receivedAt)
    return sample
  }

  static let draginoLDS02 = PayloadDecoder(
    brand: "dragino", models: ["lds02", "lwl02"], chemistry: .alkaline, reportingInterval: .hours(24)
  ) { payload throws(DecodeFailure) in
    guard payload.port == 10 else { throw .unknownPort(payload.port) }
    guard payload.count == 10 else { throw .wrongLength(payload.count) }
    let mode = payload.u8(2)
    guard (1...3).contains(mode) else { throw .malformed("mode \(mode)") }
    var sample = Measurements()
    sample.batteryVoltage = Voltage(payload.u16(0) & 0x3FFF)
    if mode != 2 { sample.doorOpen = payload.u8(0) & 0x80 != 0 }
    if mode != 1 { sample.leak = payload.u8(0) & 0x40 != 0 }
    if mode == 1 {
      sample.doorOpenCount = payload.u24(3)
      sample.lastOpenSeconds = payload.u24(6) * 60
    }
    return [sample]
  }

  static let draginoLDS03 = PayloadDecoder(
    brand: "dragino", models: ["lds03a", "lwl03a", "ds03a-lb"], chemistry: .lithiumManganeseDioxide,
    reportingInterval: .hours(24), holdsRecords: { $0.port == 3 }
  ) { payload throws(DecodeFailure) in
    switch payload.port {
    case 2, 3:
      return try Dragino.records(payload) { index in
        var sample = Measurements(kind: payload.port == 2 ? .live : .datalog)
        // A water leak sensor of the same family has the wet contact where the door is.
        let active = payload.u8(index) & 1 != 0
        if payload.model.contains("lwl") {
          sample.leak = active
        } else {
          sample.doorOpen = active
          sample.doorOpenCount = payload.u24(index + 1)
          sample.lastOpenSeconds = payload.u24(index + 4) * 60
        }
        sample.take(time: payload.time(index + 7), receivedAt: payload.receivedAt)
        return sample
      }
    case 5: return try Dragino.status(payload)
    default: throw .unknownPort(payload.port)
    }
  }
}

private enum Dragino {
  /// Port 5: model, firmware (2 bytes), band, sub-band, battery in mV.
  static func status(_ payload: Payload) throws(DecodeFailure) -> [Measurements] {
    try payload.need(7)
    var sample = Measurements()
    sample.batteryVoltage = Voltage(payload.u16(5))
    return [sample]
  }

  /// Records of 11 bytes one after another; all zero means that there is no data.
  static func records(
    _ payload: Payload, _ read: (Int) -> Measurements
  ) throws(DecodeFailure) -> [Measurements] {
    guard payload.count >= 11, payload.count % 11 == 0 else { throw .wrongLength(payload.count) }
    return stride(from: 0, to: payload.count, by: 11).filter { start in
      payload.bytes[start..<start + 11].contains { $0 != 0 }
    }.map(read)
  }
}

private enum LHT65 {
  /// The external sensors that measure temperature, by the low nibble of byte 6.
  private static let probes: Set<Int64> = [1, 2, 9, 10, 11]

  static func sample(_ payload: Payload) throws(DecodeFailure) -> [Measurements] {
    try payload.need(11)
    if holdsRecords(payload) { return try Dragino.records(payload) { record(payload, at: $0) } }
    return [live(payload, external: payload.u8(6) & 0x0F, unplugged: isUnplugged(payload))]
  }

  static func holdsRecords(_ payload: Payload) -> Bool {
    payload.u8(6) & 0xC0 != 0 && !isUnplugged(payload) || payload.bytes.allSatisfy { $0 == 0 }
  }

  /// Bit 7 of older firmware is "external sensor not connected", beside an external value of 0x7FFF; of newer firmware
  /// it marks a record that is sent again. A record has its time there, and 0x7FFF is past the year 2037.
  private static func isUnplugged(_ payload: Payload) -> Bool {
    payload.u8(6) & 0x80 != 0 && payload.u16(7) == 0x7FFF
  }

  private static func live(_ payload: Payload, external: Int64, unplugged: Bool) -> Measurements {
    var sample = Measurements()
    let status: Int64
    if external == 9 || external == 10 {
      status = payload.u8(4) >> 6
      sample.take(payload.i16(0), for: .probe)
      sample.take(time: payload.time(7), receivedAt: payload.receivedAt)
    } else {
      status = payload.u8(0) >> 6
      sample.batteryVoltage = Voltage(payload.u16(0) & 0x3FFF)
    }
    sample.batteryState = [.ultraLow, .low, .ok, .good][Int(status & 3)]
    if status < 2 { sample.flags.insert(.lowBattery) }
    // Mode 15 carries the probe's serial number in place of every value.
    guard external != 15 else { return sample }
    sample.take(payload.i16(2), for: .ambient)
    sample.take(humidity: (payload.u16(4) & 0x0FFF) * 10)
    sample.dropFailedAmbient()
    if [1, 2, 11].contains(external) { sample.take(payload.i16(7), for: .probe) }
    if external == 11, sample.probe != nil {
      sample.probeHumidity = Humidity(hundredths: Int32((payload.u16(9) & 0x0FFF) * 10))
    }
    if unplugged, probes.contains(external) { sample.flags.formUnion([.hasProbe, .probeDisconnected]) }
    return sample
  }

  private static func record(_ payload: Payload, at index: Int) -> Measurements {
    let flags = payload.u8(index + 6)
    var sample = Measurements(kind: flags & 0x80 != 0 ? .retransmission : .datalog)
    if probes.contains(flags & 0x0F) { sample.take(payload.i16(index), for: .probe) }
    sample.take(payload.i16(index + 2), for: .ambient)
    sample.take(humidity: (payload.u16(index + 4) & 0x0FFF) * 10)
    sample.dropFailedAmbient()
    sample.take(time: payload.time(index + 7), receivedAt: payload.receivedAt)
    return sample
  }

  /// Port 3: battery, probe type, then samples of the probe, oldest first. Only the last has a known time: the receipt.
  static func batch(_ payload: Payload) throws(DecodeFailure) -> [Measurements] {
    guard payload.count >= 5, payload.count % 2 == 1 else { throw .wrongLength(payload.count) }
    var sample = Measurements()
    sample.batteryVoltage = Voltage(payload.u16(0) & 0x3FFF)
    sample.take(payload.i16(payload.count - 2), for: .probe)
    return [sample]
  }
}
