import Basics
import ColdChain

/// What a column of an imported file holds.
enum ImportColumn: Int, CaseIterable, Sendable {
  case devEUI, deviceId, unitId, recordedAt, celsius, fahrenheit, humidity, battery, batteryVoltage, signalStrength, snr
  case doorOpen, port, frameCounter, payload

  /// Without case, blanks, `_` and `-`.
  private static let names: [String: ImportColumn] = [
    "deveui": .devEUI, "eui": .devEUI, "deviceid": .deviceId, "unitid": .unitId, "recordedat": .recordedAt,
    "time": .recordedAt, "timestamp": .recordedAt, "temperature": .celsius, "temperaturec": .celsius,
    "temperaturef": .fahrenheit, "humidity": .humidity, "battery": .battery, "batteryvoltage": .batteryVoltage,
    "signalstrength": .signalStrength, "rssi": .signalStrength, "snr": .snr, "dooropen": .doorOpen, "door": .doorOpen,
    "fport": .port, "fcnt": .frameCounter, "rawpayload": .payload, "payload": .payload,
  ]

  init?(named name: some Sequence<UInt8>) {
    let bytes = name.filter { $0 != 0x5F && $0 != 0x2D && $0 != 0x20 }.map { ASCII.lowercased($0) }
    guard let column = Self.names[String(decoding: bytes, as: UTF8.self)] else { return nil }
    self = column
  }

  /// As an error names it.
  var name: String {
    switch self {
    case .devEUI: "dev_eui"
    case .deviceId: "device_id"
    case .unitId: "unit_id"
    case .recordedAt: "recorded_at"
    case .celsius: "temperature"
    case .fahrenheit: "temperature_f"
    case .humidity: "humidity"
    case .battery: "battery"
    case .batteryVoltage: "battery_voltage"
    case .signalStrength: "signal_strength"
    case .snr: "snr"
    case .doorOpen: "door_open"
    case .port: "f_port"
    case .frameCounter: "f_cnt"
    case .payload: "raw_payload"
    }
  }
}

/// The text of one cell, and what it can be read as. It is read where it lies: only while its row is.
struct ImportCell {
  let bytes: UnsafeBufferPointer<UInt8>

  /// A decimal number times a power of ten, rounded to the nearest, halves away from zero. At most 12 digits before the point.
  func scaled(_ places: Int) -> Int64? {
    var at = 0
    let isNegative = bytes.first == 0x2D
    if isNegative { at = 1 }
    var value: Int64 = 0
    var digits = 0
    while at < bytes.count, case let digit = bytes[at] &- 0x30, digit < 10 {
      value = value * 10 + Int64(digit)
      digits += 1
      at += 1
      if digits > 12 { return nil }
    }
    guard digits > 0 else { return nil }
    var left = places
    if at < bytes.count {
      guard bytes[at] == 0x2E, at + 1 < bytes.count else { return nil }
      at += 1
      var roundsUp = false
      var isFirstCut = true
      while at < bytes.count {
        guard case let digit = bytes[at] &- 0x30, digit < 10 else { return nil }
        if left > 0 {
          value = value * 10 + Int64(digit)
          left -= 1
        } else if isFirstCut {
          roundsUp = digit >= 5
          isFirstCut = false
        }
        at += 1
      }
      for _ in 0..<left { value *= 10 }
      left = 0
      if roundsUp { value += 1 }
    }
    for _ in 0..<left { value *= 10 }
    return isNegative ? -value : value
  }

  func whole(in range: ClosedRange<Int64>) -> Int64? {
    guard let value = scaled(0), !bytes.contains(0x2E), range.contains(value) else { return nil }
    return value
  }

  var truth: Bool? {
    switch bytes.count {
    case 1 where bytes[0] == 0x31: true
    case 1 where bytes[0] == 0x30: false
    case 1 where bytes[0] | 0x20 == 0x74: true
    case 1 where bytes[0] | 0x20 == 0x66: false
    default:
      ["true", "open", "yes"].contains(lowercased)
        ? true : ["false", "closed", "no"].contains(lowercased) ? false : nil
    }
  }

  private var lowercased: String { String(decoding: bytes.map { ASCII.lowercased($0) }, as: UTF8.self) }

  var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Reads the times of rows. Most of them share the date with the row before.
struct ImportClock {
  private var date: (UInt64, UInt16) = (0, 0)
  private var days = 0

  /// RFC 3339, with a blank for the `T` too; or Unix time in seconds or milliseconds.
  mutating func instant(_ cell: ImportCell) -> Instant? {
    let bytes = cell.bytes
    guard let raw = UnsafeRawPointer(bytes.baseAddress), bytes.count == 20, bytes[4] == 0x2D, bytes[13] == 0x3A,
      bytes[19] == 0x5A
    else {
      if let number = ASCII.unsigned(bytes) {
        return number > 100_000_000_000 ? Instant(microseconds: Int64(number) * 1000) : Instant(seconds: Int64(number))
      }
      return Instant(rfc3339: bytes)
    }
    let key = (raw.loadUnaligned(as: UInt64.self), raw.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
    if key != date || days == 0 {
      guard let whole = Instant(rfc3339: bytes) else { return nil }
      days = Int(whole.microseconds / 86_400_000_000)
      date = key
      return whole.microseconds >= 0 ? whole : nil
    }
    func two(_ at: Int) -> Int64? {
      guard case let tens = bytes[at] &- 0x30, tens < 10, case let ones = bytes[at + 1] &- 0x30, ones < 10 else {
        return nil
      }
      return Int64(tens) * 10 + Int64(ones)
    }
    guard let hour = two(11), let minute = two(14), let second = two(17), bytes[16] == 0x3A, hour < 24, minute < 60,
      second < 60, bytes[10] == 0x54 || bytes[10] == 0x20
    else { return Instant(rfc3339: bytes) }
    return Instant(seconds: Int64(days) * 86_400 + hour * 3600 + minute * 60 + second)
  }
}
