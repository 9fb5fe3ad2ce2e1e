import Basics

/// The sensors that the simulator can be. Each writes the bytes and the decoded fields that the real one does.
enum SensorModel: String, Sendable, CaseIterable {
  /// Dragino LHT65N with an external DS18B20 probe.
  case lht65n
  /// Milesight EM300-TH.
  case em300th = "em300-th"
  /// Elsys ERS.
  case ers

  var brand: String {
    switch self {
    case .lht65n: "dragino"
    case .em300th: "milesight-iot"
    case .ers: "elsys"
    }
  }

  /// `model_id` of the device repository of The Things Network.
  var modelId: String { rawValue }

  var port: UInt8 {
    switch self {
    case .lht65n: 2
    case .em300th: 85
    case .ers: 5
    }
  }

  /// The name by which people register it.
  var displayName: String {
    switch self {
    case .lht65n: "LHT65N"
    case .em300th: "EM300-TH"
    case .ers: "ERS"
    }
  }

  /// Reads what a device list or a command line calls the model.
  init?(named name: String) {
    let plain = name.lowercased().filter { $0.isLetter || $0.isNumber }
    guard
      let model = SensorModel.allCases.first(where: { model in
        plain.contains(model.rawValue.filter { $0 != "-" })
      })
    else { return nil }
    self = model
  }
}

/// What a sensor measures at one moment.
struct Measurement {
  /// °C at the probe.
  var temperature: Double
  /// °C at the housing: an LHT65N hangs outside of the cold, with only its probe inside.
  var ambient: Double
  /// Percent.
  var humidity: Double
  /// Volts.
  var battery: Double
}

extension SensorModel {
  /// The frame as the vendor lays it out: LHT65N user manual 2.4, EM300 user guide 5.2, Elsys payload document.
  func payload(of measurement: Measurement) -> [UInt8] {
    let values = Rounded(measurement)
    switch self {
    case .lht65n:
      // The two highest bits say that the battery is good; the seventh byte, that a DS18B20 is there.
      return big(UInt16(values.millivolts) | 0xC000) + big(values.ambientHundredths)
        + big(UInt16(values.humidityTenths)) + [0x01] + big(values.hundredths) + [0x7F, 0xFF]
    case .em300th:
      let tenths = UInt16(bitPattern: values.tenths)
      return [0x01, 0x75, UInt8(values.percent), 0x03, 0x67, UInt8(tenths & 0xFF), UInt8(tenths >> 8)]
        + [0x04, 0x68, UInt8(values.humidityTenths / 5)]
    case .ers:
      return [0x01] + big(values.tenths) + [0x02, UInt8(values.humidityTenths / 10)]
        + [0x04, 0x00, 0x03, 0x05, 0x00, 0x07] + big(UInt16(values.millivolts + 500))
    }
  }

  /// `decoded_payload` as the vendor's script makes it of the same frame, without the braces.
  func appendDecoded(_ measurement: Measurement, to bytes: inout [UInt8]) {
    let values = Rounded(measurement)
    func field(_ name: String, _ value: Int, places: Int) {
      bytes.append(contentsOf: "\"\(name)\":".utf8)
      bytes.append(decimal: value, places: places)
      bytes.append(UInt8(ascii: ","))
    }
    switch self {
    case .lht65n:
      field("BatV", values.millivolts, places: 3)
      field("Bat_status", 3, places: 0)
      bytes.append(contentsOf: "\"Ext_sensor\":\"Temperature Sensor\",".utf8)
      field("Hum_SHT", values.humidityTenths, places: 1)
      field("TempC_DS", Int(values.hundredths), places: 2)
      field("TempC_SHT", Int(values.ambientHundredths), places: 2)
      bytes.removeLast()
    case .em300th:
      field("battery", values.percent, places: 0)
      field("humidity", values.humidityTenths / 5 * 5, places: 1)
      field("temperature", Int(values.tenths), places: 1)
      bytes.removeLast()
    case .ers:
      field("humidity", values.humidityTenths / 10, places: 0)
      field("light", 3, places: 0)
      field("motion", 0, places: 0)
      field("temperature", Int(values.tenths), places: 1)
      field("vdd", values.millivolts + 500, places: 0)
      bytes.removeLast()
    }
  }

  /// Both forms of a frame are made from the same whole numbers, so that they agree to the last digit.
  private struct Rounded {
    let hundredths: Int16
    let tenths: Int16
    let ambientHundredths: Int16
    let humidityTenths: Int
    let millivolts: Int

    init(_ measurement: Measurement) {
      hundredths = Int16(max(-55, min(125, measurement.temperature)) * 100)
      tenths = Int16((max(-55, min(125, measurement.temperature)) * 10).rounded())
      ambientHundredths = Int16(max(-40, min(85, measurement.ambient)) * 100)
      humidityTenths = Int(max(0, min(100, measurement.humidity)) * 10)
      millivolts = Int(max(2, min(3.6, measurement.battery)) * 1000)
    }

    var percent: Int { max(0, min(100, (millivolts - 2500) / 11 * 2)) }
  }

  private func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }
  private func big(_ value: Int16) -> [UInt8] { big(UInt16(bitPattern: value)) }
}

extension [UInt8] {
  /// A whole number with its point moved: 312 with two places is `3.12`, 300 is `3`.
  mutating func append(decimal value: Int, places: Int) {
    if value < 0 { append(UInt8(ascii: "-")) }
    var scale = 1
    for _ in 0..<places { scale *= 10 }
    append(contentsOf: String(value.magnitude / UInt(scale)).utf8)
    var fraction = Int(value.magnitude % UInt(scale))
    guard fraction > 0 else { return }
    append(UInt8(ascii: "."))
    while fraction > 0 {
      scale /= 10
      append(0x30 + UInt8(fraction / scale))
      fraction %= scale
    }
  }
}
