import Basics

/// One event, as the bytes of one line.
struct LogLine {
  let time: Instant
  let level: Log.Level
  let message: String
  let fields: [LogField]

  /// Longer texts are cut here, so that one hostile header cannot fill a disk.
  static let longestText = 8192

  var json: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(160 + fields.count * 32)
    bytes.append(text: "{\"time\":\"")
    time.appendRFC3339(to: &bytes)
    bytes.append(text: "\",\"level\":\"")
    bytes.append(text: level.name)
    bytes.append(text: "\",\"msg\":")
    bytes.append(quoted: message)
    for field in fields {
      bytes.append(UInt8(ascii: ","))
      bytes.append(quoted: field.name)
      bytes.append(UInt8(ascii: ":"))
      append(field.value, to: &bytes) { $0.append(quoted: $1) }
    }
    bytes.append(text: "}\n")
    return bytes
  }

  /// `2026-01-05T07:30:12.612Z INFO  listening address=127.0.0.1 port=3000`
  var text: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(128 + fields.count * 32)
    time.appendRFC3339(to: &bytes)
    bytes.append(UInt8(ascii: " "))
    let name = level.name.uppercased()
    bytes.append(text: name)
    bytes.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 6 - name.utf8.count))
    bytes.append(escaped: message, quotes: false)
    for field in fields {
      bytes.append(UInt8(ascii: " "))
      bytes.append(escaped: field.name, quotes: false)
      bytes.append(UInt8(ascii: "="))
      append(field.value, to: &bytes) { bytes, text in
        let bare = !text.isEmpty && text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\"") }
        if bare { bytes.append(escaped: text, quotes: true) } else { bytes.append(quoted: text) }
      }
    }
    bytes.append(UInt8(ascii: "\n"))
    return bytes
  }

  private func append(_ value: LogValue, to bytes: inout [UInt8], string: (inout [UInt8], String) -> Void) {
    switch value {
    case .string(let text): string(&bytes, text)
    case .int(let number): bytes.append(text: String(number))
    case .double(let number) where number.isFinite: bytes.append(text: String(number))
    case .double(let number): string(&bytes, String(number))
    case .bool(let flag): bytes.append(text: flag ? "true" : "false")
    case .null: bytes.append(text: "null")
    }
  }
}

extension [UInt8] {
  mutating func append(text: String) { append(contentsOf: text.utf8) }

  /// A JSON string.
  mutating func append(quoted text: String) {
    append(UInt8(ascii: "\""))
    append(escaped: text, quotes: true)
    append(UInt8(ascii: "\""))
  }

  /// Control characters become escapes, also those that only a terminal obeys (DEL and C1).
  mutating func append(escaped text: String, quotes: Bool) {
    var left = LogLine.longestText
    for scalar in text.unicodeScalars {
      left -= 1
      if left < 0 {
        append(text: "…")
        return
      }
      switch scalar.value {
      case 0x0A: append(text: "\\n")
      case 0x0D: append(text: "\\r")
      case 0x09: append(text: "\\t")
      case 0x5C: append(text: "\\\\")
      case 0x22 where quotes: append(text: "\\\"")
      case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069:
        append(text: "\\u")
        for shift in stride(from: 12, through: 0, by: -4) {
          append(Hex.digit(UInt8(truncatingIfNeeded: scalar.value >> UInt32(shift)) & 0xF))
        }
      case 0x20..<0x7F: append(UInt8(truncatingIfNeeded: scalar.value))
      default: append(contentsOf: scalar.utf8)
      }
    }
  }
}
