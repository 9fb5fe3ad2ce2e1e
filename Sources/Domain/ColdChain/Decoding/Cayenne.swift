extension PayloadDecoder {
  /// Channel, type, value, big-endian: Cayenne Low Power Payload. The first temperature is the sensor's, the next its
  /// probes'.
  static let cayenne = PayloadDecoder(
    brand: "mydevices", models: ["cayenne", "cayenne-lpp", "lpp"], chemistry: nil, reportingInterval: .minutes(10)
  ) { payload throws(DecodeFailure) in
    var sample = Measurements()
    var channels: [TemperatureChannel] = TemperatureChannel.allCases.reversed()
    var index = 0
    while index < payload.count {
      try payload.need(index + 2)
      guard let length = lengths[payload.bytes[index + 1]] else {
        throw .malformed("type \(payload.bytes[index + 1])")
      }
      let value = index + 2
      try payload.need(value + length)
      switch payload.bytes[index + 1] {
      case 0x67: if let channel = channels.popLast() { sample.take(payload.i16(value) * 10, for: channel) }
      case 0x68: sample.take(humidity: payload.u8(value) * 50)
      default: break
      }
      index = value + length
    }
    return sample.isEmpty ? [] : [sample]
  }

  private static let lengths: [UInt8: Int] = [
    0x00: 1, 0x01: 1, 0x02: 2, 0x03: 2, 0x65: 2, 0x66: 1, 0x67: 2, 0x68: 1, 0x71: 6, 0x73: 2, 0x86: 6, 0x88: 9,
  ]
}
