/// A telephone number as people write it, kept as its digits with the `+` of an international one.
public struct PhoneNumber: Sendable, Equatable {
  /// 7 to 15 digits (E.164), perhaps behind a `+`.
  public let text: String

  /// Blanks, hyphens, dots and parentheses are taken out. Nil for anything else that is no digit.
  public init?(_ given: String) {
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

  /// Nil for anything but E.164, which a message can be sent to: `+`, the country code, at most 15 digits, nothing between
  /// them.
  public init?(e164 given: String) {
    let bytes = given.utf8
    guard (3...16).contains(bytes.count), bytes.first == UInt8(ascii: "+") else { return nil }
    let digits = bytes.dropFirst()
    guard digits.first != UInt8(ascii: "0"), digits.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
    text = given
  }

  /// To follow "must be".
  public static let rule = "a phone number such as +12025550143 (E.164)"
}
