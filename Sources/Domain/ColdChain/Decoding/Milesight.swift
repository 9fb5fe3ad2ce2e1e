import Basics

extension PayloadDecoder {
  static let milesight = PayloadDecoder(
    brand: "milesight-iot",
    models: [
      "em300-th", "em300-mcs", "em300-sld", "em300-zld", "em300-mld", "em320-th", "em500-co2", "em500-pt100", "am102",
      "am307", "am319", "ws301", "ws303",
    ],
    chemistry: nil, reportingInterval: .minutes(10), holdsRecords: Milesight.holdsRecords
  ) { payload throws(DecodeFailure) in
    guard payload.port == 85 else { throw .unknownPort(payload.port) }
    return try Milesight.read(payload)
  }
}

/// Channel, type, value; little-endian (Milesight's user guides of the EM300, EM500, AM300 and WS series, "Uplink Packet").
enum Milesight {
  private static let familiar: Set<Int64> = [0x0175, 0x0367, 0x0468, 0x0600, 0x0500, 0x20CE]

  static func looksFamiliar(_ bytes: [UInt8]) -> Bool {
    bytes.count >= 3 && familiar.contains(Int64(bytes[0]) << 8 | Int64(bytes[1]))
  }

  /// Bytes of the value by channel and type, for what is skipped or read here. An unknown one ends the reading: its
  /// length is unknown.
  private static func length(_ channel: Int64, _ type: Int64, _ model: String) -> Int? {
    switch (channel, type) {
    case (0x01, 0x75), (0x04, 0x68), (0x05, 0x00), (0x06, 0x00), (0x03, 0x00), (0x04, 0x00), (0x06, 0xCB), (0x0E, 0x01):
      1
    case (0x03, 0x67), (0x05, 0x7D), (0x05, 0x6A), (0x06, 0x73), (0x07...0x0D, 0x7D), (0x09, 0x73): 2
    case (0x83, 0x67): 3
    case (0x93, 0xD7): 5
    case (0x20, 0xCE): 4 + historyLength(model)
    case (0xFC, 0x6B), (0xFC, 0x6C): 1
    case (0xFF, 0x01), (0xFF, 0x0B), (0xFF, 0x0F), (0xFF, 0xFE): 1
    case (0xFF, 0x09), (0xFF, 0x0A), (0xFF, 0x18), (0xFF, 0xFF): 2
    case (0xFF, 0x08): 6
    case (0xFF, 0x16): 8
    default: nil
    }
  }

  /// Bytes of a record behind its time.
  private static func historyLength(_ model: String) -> Int {
    if model.contains("pt100") { return 2 }
    if model.contains("co2") { return 7 }
    if model.contains("am307") { return 12 }
    if model.contains("am319") { return 18 }
    return ["mcs", "sld", "zld", "mld"].contains { model.contains($0) } ? 4 : 3
  }

  /// A record, alone or behind other channels.
  static func holdsRecords(_ payload: Payload) -> Bool {
    var index = 0
    while index + 2 <= payload.count, let length = length(payload.u8(index), payload.u8(index + 1), payload.model) {
      if payload.u8(index) == 0x20, payload.u8(index + 1) == 0xCE { return true }
      index += 2 + length
    }
    return false
  }

  static func read(_ payload: Payload) throws(DecodeFailure) -> [Measurements] {
    var live = Measurements()
    var history: [Measurements] = []
    var index = 0
    while index + 2 <= payload.count {
      let (channel, type, value) = (payload.u8(index), payload.u8(index + 1), index + 2)
      guard let length = length(channel, type, payload.model) else {
        if index == 0 { throw .malformed("channel \(channel) type \(type)") }
        break
      }
      try payload.need(value + length)
      if (channel, type) == (0x20, 0xCE) {
        history.append(record(payload, at: value))
      } else {
        take(payload, channel, type, at: value, into: &live)
      }
      index = value + length
    }
    live.dropFailedAmbient()
    return live.isEmpty ? history : [live] + history
  }

  private static func take(
    _ payload: Payload, _ channel: Int64, _ type: Int64, at index: Int, into sample: inout Measurements
  ) {
    let active = payload.u8(index) == 1
    switch (channel, type) {
    case (0x01, 0x75): sample.batteryPercent = Percent(Int32(payload.u8(index)))
    case (0x03, 0x67), (0x83, 0x67), (0x93, 0xD7):
      sample.take(temperature(payload.i16le(index)), for: temperatureChannel(payload.model))
    case (0x04, 0x68): sample.take(humidity: payload.u8(index) * 50)
    case (0x06, 0x00): sample.doorOpen = active
    // The one contact of a WS: of a door, or of water.
    case (0x03, 0x00): if payload.model.contains("ws303") { sample.leak = active } else { sample.doorOpen = active }
    // The same place is motion on an AM.
    case (0x05, 0x00) where payload.model.contains("ld"): sample.leak = active
    default: break
    }
  }

  /// A PT100 hangs on a cable.
  private static func temperatureChannel(_ model: String) -> TemperatureChannel {
    model.contains("pt100") ? .probe : .ambient
  }

  private static func record(_ payload: Payload, at index: Int) -> Measurements {
    var sample = Measurements(kind: .datalog)
    // An EM500-CO2 has carbon dioxide and pressure first.
    let start = index + (payload.model.contains("co2") ? 8 : 4)
    sample.take(temperature(payload.i16le(start)), for: temperatureChannel(payload.model))
    if payload.model.contains("am3") {
      sample.take(humidity: payload.u16le(start + 2) * 50)
    } else if !payload.model.contains("pt100") {
      sample.take(humidity: payload.u8(start + 2) * 50)
    }
    if payload.model.contains("mcs") { sample.doorOpen = payload.u8(start + 3) == 1 }
    if payload.model.contains("ld") { sample.leak = payload.u8(start + 3) == 1 }
    sample.dropFailedAmbient()
    sample.take(time: Instant(seconds: payload.u32le(index)), receivedAt: payload.receivedAt)
    return sample
  }

  /// Tenths to hundredths.
  private static func temperature(_ tenths: Int64) -> Int64 { tenths * 10 }
}
