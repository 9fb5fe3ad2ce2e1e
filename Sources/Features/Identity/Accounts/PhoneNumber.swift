/// A telephone number as people write it, kept as its digits with the `+` of an international one.
struct PhoneNumber: Sendable, Equatable {
  /// 7 to 15 digits (E.164), perhaps behind a `+`.
  let text: String

  /// Blanks, hyphens, dots and parentheses are taken out. Nil for anything else that is no digit.
  init?(_ given: String) {
    var digits: [UInt8] = []
    var isInternational = false
    for byte in given.utf8 {
      switch byte {
      case 0x30...0x39: digits.append(byte)
      case UInt8(ascii: "+") where digits.isEmpty && !isInternational: isInternational = true
      case 0x20, UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "("), UInt8(ascii: ")"): continue
      default: return nil
      }
    }
    guard (7...15).contains(digits.count) else { return nil }
    text = (isInternational ? "+" : "") + String(decoding: digits, as: UTF8.self)
  }
}
