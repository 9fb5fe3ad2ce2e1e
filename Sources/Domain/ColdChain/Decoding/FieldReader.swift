import Basics
import JSON

/// Turns the value of one field into a measurement. What does not fit is left out: one odd field never costs the
/// others.
struct FieldReader {
  var sample = Measurements()
  let model: String
  let receivedAt: Instant

  /// Dragino's models around the SHT31 on a cable.
  private var isCabled: Bool { model.utf8.hold("s31") }

  init(model: String, receivedAt: Instant) {
    self.model = model
    self.receivedAt = receivedAt
  }

  mutating func take(_ field: FieldTable.Field, _ value: JSONValue, key: String, fahrenheit: Bool) {
    switch field {
    // The SHT of an S31 is on a cable, and its place for a DS18B20 is empty.
    case .ambient where key == "TempC_SHT" && isCabled: take(value, for: .probe, fahrenheit: fahrenheit)
    case .probe where key == "TempC1" && isCabled: break
    case .ambient: take(value, for: .ambient, fahrenheit: fahrenheit)
    case .probe: take(value, for: .probe, fahrenheit: fahrenheit)
    case .probe2: take(value, for: .probe2, fahrenheit: fahrenheit)
    case .probe3: take(value, for: .probe3, fahrenheit: fahrenheit)
    case .humidity: if let hundredths = decimal(value, 2) { sample.take(humidity: hundredths) }
    case .probeHumidity:
      sample.probeHumidity = decimal(value, 2).flatMap(Int32.init(exactly:)).flatMap { Humidity(hundredths: $0) }
    case .batteryVoltage: takeVoltage(value)
    case .batteryPercent:
      // Only Milesight's `battery` is known to be a percentage; elsewhere it may be volts.
      if key.lowercased() == "battery", PayloadDecoder.named(model)?.brand != "milesight-iot" { return }
      sample.batteryPercent = decimal(value, 0).flatMap(Int32.init(exactly:)).flatMap { Percent($0) }
    case .batteryState: sample.batteryState = batteryState(value)
    case .door: sample.doorOpen = doorOpen(value, key: key)
    case .doorCount: sample.doorOpenCount = decimal(value, 0).flatMap { $0 >= 0 ? $0 : nil }
    case .openSeconds: sample.lastOpenSeconds = seconds(value, each: 1)
    case .openMinutes:
      // Minutes by Dragino's own name, or from a Dragino; from others the unit is unknown.
      guard key == "LAST_DOOR_OPEN_DURATION" || PayloadDecoder.named(model)?.brand == "dragino" else { return }
      sample.lastOpenSeconds = seconds(value, each: 60) ?? sample.lastOpenSeconds
    case .leak:
      sample.leak = truth(value, yes: ["true", "leak", "wet", "1"], no: ["false", "no leak", "normal", "dry", "0"])
    case .time: if let time = time(value) { sample.take(time: time, receivedAt: receivedAt) }
    }
  }

  private mutating func take(_ value: JSONValue, for channel: TemperatureChannel, fahrenheit: Bool) {
    // Dragino's scripts write the text for a probe that is missing; only the first place is always fitted.
    if value.string == "NULL", channel != .probe { return }
    if value.isNull || value.string == "NULL" {
      if channel != .ambient { sample.flags.formUnion([.hasProbe, .probeDisconnected]) }
      return
    }
    // Elsys sends several external temperatures under one name.
    if value.kind == .array {
      let channels: [TemperatureChannel] = channel == .probe2 ? [.probe2, .probe3] : [channel]
      for (element, channel) in zip(value.elements, channels) where element.kind != .array {
        take(element, for: channel, fahrenheit: fahrenheit)
      }
      return
    }
    guard let hundredths = decimal(value, 2) else { return }
    guard fahrenheit else { return sample.take(hundredths, for: channel) }
    guard let exact = Int32(exactly: hundredths), abs(Int64(exact)) < 1_000_000 else { return }
    sample.take(Int64(Temperature(fahrenheitHundredths: exact).hundredths), for: channel)
  }

  /// Volts, or millivolts when above 20. Netvox appends a note to the number when the battery is low.
  private mutating func takeVoltage(_ value: JSONValue) {
    guard let thousandths = decimal(value, 3, withNote: true) else { return }
    sample.batteryVoltage = Voltage(thousandths > 20_000 ? thousandths / 1000 : thousandths)
    if let text = value.string?.lowercased(), text.contains("low") { sample.flags.insert(.lowBattery) }
  }

  private func batteryState(_ value: JSONValue) -> BatteryState? {
    switch value.string?.lowercased() {
    case "ultra low": return .ultraLow
    case "low": return .low
    case "ok": return .ok
    case "good": return .good
    default: break
    }
    let states: [BatteryState] = [.ultraLow, .low, .ok, .good]
    guard let code = decimal(value, 0), (0...3).contains(code) else { return nil }
    return states[Int(code)]
  }

  /// Names that say nothing of which way round they are count as text, or for the models they are known of.
  private func doorOpen(_ value: JSONValue, key: String) -> Bool? {
    let words = truth(value, yes: ["open", "opened"], no: ["close", "closed"], numeric: false)
    if let words { return words }
    let known =
      switch key.lowercased() {
      case "onoff": PayloadDecoder.named(model)?.models.contains("r311a") ?? false
      case "digital": model.contains("ems")
      case "contact", "contactstate", "contactstatus": false
      default: true
      }
    return known ? truth(value, yes: ["true", "1"], no: ["false", "0"]) : nil
  }

  private func truth(_ value: JSONValue, yes: [String], no: [String], numeric: Bool = true) -> Bool? {
    if let text = value.string?.lowercased() { return yes.contains(text) ? true : no.contains(text) ? false : nil }
    guard numeric else { return nil }
    if let bool = value.bool { return bool }
    return switch value.int {
    case 0: false
    case 1: true
    default: nil
    }
  }

  private func seconds(_ value: JSONValue, each: Int64) -> Int64? {
    guard let count = decimal(value, 0), (0...100_000_000).contains(count) else { return nil }
    return count * each
  }

  /// Unix time in seconds or, when too large for that, milliseconds; or RFC 3339.
  private func time(_ value: JSONValue) -> Instant? {
    if let text = value.string { return Instant(rfc3339: text) }
    guard let number = decimal(value, 0), (0...100_000_000_000_000).contains(number) else { return nil }
    return number > 100_000_000_000 ? Instant(microseconds: number * 1000) : Instant(seconds: number)
  }

  /// A number, or a text that is one, with `scale` digits after the point, rounded. `withNote`: text may follow it.
  private func decimal(_ value: JSONValue, _ scale: Int, withNote: Bool = false) -> Int64? {
    if value.kind == .number { return value.decimal(scale: scale, rounding: .halfAwayFromZero) }
    guard let text = value.string, text.utf8.count <= 40 else { return nil }
    return scaled(text.utf8, scale, withNote: withNote)
  }

  private func scaled(_ text: String.UTF8View, _ scale: Int, withNote: Bool) -> Int64? {
    var rest = text[...]
    let negative = rest.first == UInt8(ascii: "-")
    if negative { rest.removeFirst() }
    var value: Int64 = 0
    var digits = 0
    var places: Int?
    var roundUp = false
    while let byte = rest.first {
      if byte == UInt8(ascii: "."), places == nil, digits > 0 {
        places = 0
      } else if case let digit = byte &- 0x30, digit < 10 {
        digits += 1
        guard digits <= 15 else { return nil }
        if let count = places, count >= scale {
          if count == scale { roundUp = digit >= 5 }
        } else {
          value = value * 10 + Int64(digit)
        }
        if let count = places { places = count + 1 }
      } else {
        break
      }
      rest.removeFirst()
    }
    guard digits > 0, places != 0, withNote || rest.isEmpty else { return nil }
    for _ in 0..<max(0, scale - (places ?? 0)) { value *= 10 }
    if roundUp { value += 1 }
    return negative ? -value : value
  }
}

extension String.UTF8View {
  /// Whether these bytes stand somewhere in it. `String.contains` takes a third of a decoding.
  fileprivate func hold(_ part: String) -> Bool {
    var rest = self[...]
    while !rest.isEmpty {
      if rest.starts(with: part.utf8) { return true }
      rest = rest.dropFirst()
    }
    return part.isEmpty
  }
}
