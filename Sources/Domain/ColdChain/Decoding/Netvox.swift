extension PayloadDecoder {
  static let netvoxTemperature = PayloadDecoder(
    brand: "netvox", models: ["r711", "r712", "r718a", "r718ab", "r720a"], chemistry: .lithiumThionylChloride,
    reportingInterval: .minutes(15)
  ) { payload throws(DecodeFailure) in
    guard var sample = try Netvox.report(payload) else { return [] }
    sample.take(payload.i16(4), for: .ambient)
    sample.take(humidity: payload.u16(6))
    sample.dropFailedAmbient()
    return [sample]
  }

  static let netvoxContact = PayloadDecoder(
    brand: "netvox", models: ["r311a", "r718f"], chemistry: .coinCell, reportingInterval: .hours(24)
  ) { payload throws(DecodeFailure) in
    guard var sample = try Netvox.report(payload) else { return [] }
    sample.doorOpen = payload.u8(4) != 0
    return [sample]
  }
}

private enum Netvox {
  /// The head of a report: version, device type, report type, battery in tenths of a volt with bit 7 for "low"
  /// (Netvox LoRaWAN application command). Nil for a version packet.
  static func report(_ payload: Payload) throws(DecodeFailure) -> Measurements? {
    guard payload.port == 6 else { throw .unknownPort(payload.port) }
    try payload.need(8)
    guard payload.u8(2) != 0 else { return nil }
    var sample = Measurements()
    sample.batteryVoltage = Voltage((payload.u8(3) & 0x7F) * 100)
    if payload.u8(3) & 0x80 != 0 { sample.flags.insert(.lowBattery) }
    return sample
  }
}
