import Basics
import ColdChain
import JSON

/// How far a change of a device's settings has come. Each state is only followed by a later one.
enum SettingsState: String, Sendable, CaseIterable { case requested, queued, sent, failed, acked }

/// A change of settings that we know how to tell a device.
struct WantedSettings: Sendable {
  let intervalSeconds: Int
  let confirmed: Bool

  init(_ fields: inout Fields) {
    intervalSeconds = fields.int("intervalSeconds", in: 60...86_400)
    confirmed = fields.bool("confirmed", default: true)
  }

  /// The downlink for a device of that model. Nil when nobody knows how the model is told.
  func downlink(model: String?) -> WantedDownlink? {
    let seconds = intervalSeconds
    switch model.flatMap({ PayloadDecoder.named($0)?.brand }) {
    // "LHT65N LoRaWAN Temperature & Humidity Sensor Manual", section "Set Transmit Interval Time": 0x01 and three bytes.
    case "dragino":
      return WantedDownlink(
        port: 2, payload: [0x01, UInt8(seconds >> 16 & 0xFF), UInt8(seconds >> 8 & 0xFF), UInt8(seconds & 0xFF)],
        confirmed: confirmed, settings: json)
    // "EM300 Series User Guide", section "Downlink Commands": channel 0xFF, type 0x03, two bytes, the low one first.
    case "milesight-iot" where seconds <= 0xFFFF:
      return WantedDownlink(
        port: 85, payload: [0xFF, 0x03, UInt8(seconds & 0xFF), UInt8(seconds >> 8)], confirmed: confirmed,
        settings: json)
    default: return nil
    }
  }

  private var json: [UInt8] {
    JSONWriter.bytes { json in json.object { $0.field("intervalSeconds", intervalSeconds) } }
  }
}

/// Bytes for a device, with the settings that they stand for when we have made them.
struct WantedDownlink: Sendable {
  let port: Int
  let payload: [UInt8]
  let confirmed: Bool
  let settings: [UInt8]

  init(port: Int, payload: [UInt8], confirmed: Bool, settings: [UInt8]) {
    self.port = port
    self.payload = payload
    self.confirmed = confirmed
    self.settings = settings
  }

  /// `payload` is hexadecimal digits.
  init(_ fields: inout Fields) {
    port = fields.int("fPort", in: 1...223)
    let bytes = Hex.decode(fields.string("payload", 2...484))
    if bytes == nil { fields.problem("payload", "must be bytes as hexadecimal digits") }
    payload = bytes ?? []
    confirmed = fields.bool("confirmed", default: true)
    settings = Array("{}".utf8)
  }
}
