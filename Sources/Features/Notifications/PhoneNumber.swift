/// E.164: `+`, the country code, at most 15 digits.
enum PhoneNumber {
  static func isValid(_ text: String) -> Bool {
    let bytes = text.utf8
    guard (3...16).contains(bytes.count), bytes.first == UInt8(ascii: "+") else { return false }
    let digits = bytes.dropFirst()
    return digits.first != UInt8(ascii: "0") && digits.allSatisfy { (0x30...0x39).contains($0) }
  }

  /// To follow "must be".
  static let rule = "a phone number such as +12025550143 (E.164)"
}
