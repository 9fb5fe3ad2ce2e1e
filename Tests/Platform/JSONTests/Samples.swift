import Basics
import JSON
import Testing

extension SplitMix {
  /// Its seed is printed, and taken from the environment variable SEED to repeat a run.
  static func next(_ function: StaticString = #function) -> SplitMix {
    let seed = Environment.seed ?? UInt64.random(in: 0...UInt64.max)
    print("\(function): SEED=\(seed)")
    return SplitMix(seed: seed)
  }
}

enum Samples {
  /// An uplink as The Things Stack posts it; the values are invented.
  static let uplink = """
    {"end_device_ids":{"device_id":"wic-01","application_ids":{"application_id":"acme-cold"},\
    "dev_eui":"A840411234567890","join_eui":"A000000000000101","dev_addr":"260CAB12"},\
    "correlation_ids":["as:up:01J0","gs:uplink:01J1","caf\\u00e9 \\ud83d\\ude39 é"],\
    "received_at":"2026-01-05T07:30:12.612345678Z","uplink_message":{"session_key_id":"AYx==","f_port":2,\
    "f_cnt":1834,"frm_payload":"zBkBFgGYAQE4f/8=","decoded_payload":{"BatV":3.097,"TempC_SHT":-2.78,\
    "Hum_SHT":40.8,"TempC_DS":3.12e0},"normalized_payload":[{"air":{"temperature":2.78},"battery":3.1}],\
    "normalized_payload_warnings":[],"rx_metadata":[{"gateway_ids":{"gateway_id":"store-12-gw"},\
    "time":"2026-01-05T07:30:12.401Z","timestamp":2463457000,"rssi":-97,"snr":7.5,"packet_broker":{}}],\
    "settings":{"data_rate":{"lora":{"bandwidth":125000,"spreading_factor":8,"coding_rate":"4/5"}}},\
    "confirmed":true,"simulated":false,"locations":null}}
    """

  /// Writes what the accessors say, not what the text says.
  static func write(_ value: JSONValue, to writer: inout JSONWriter) {
    switch value.kind {
    case .null: writer.null()
    case .bool: writer.bool(value.bool ?? false)
    case .string: writer.string(value.string ?? "")
    case .number: if let number = value.double { writer.number(number) } else { writer.value(value) }
    case .array: writer.array { writer in for element in value.elements { write(element, to: &writer) } }
    case .object:
      writer.object { writer in
        for (key, member) in value.members {
          writer.key(key)
          write(member, to: &writer)
        }
      }
    }
  }

  static func equal(_ a: JSONValue, _ b: JSONValue) -> Bool {
    guard a.kind == b.kind, a.count == b.count else { return false }
    switch a.kind {
    case .null: return true
    case .bool: return a.bool == b.bool
    case .string: return a.string?.unicodeScalars.elementsEqual((b.string ?? "").unicodeScalars) ?? false
    case .number: return a.double == b.double
    case .array: return zip(a.elements, b.elements).allSatisfy(equal)
    case .object:
      return zip(a.members, b.members).allSatisfy {
        $0.key.unicodeScalars.elementsEqual($1.key.unicodeScalars) && equal($0.value, $1.value)
      }
    }
  }
}

extension JSONValue {
  static func parse(_ text: String) throws -> JSONValue { try JSONDocument(Array(text.utf8)).root }
}
