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

/// What a mail server can be given. Whether somebody reads it, only a message tells.
enum EmailAddress {
  static func isValid(_ text: String) -> Bool {
    let bytes = text.utf8
    guard (3...254).contains(bytes.count), bytes.allSatisfy({ $0 > 0x20 && $0 != 0x7F }),
      !bytes.contains(where: { "<>()[]\\,;:\"".utf8.contains($0) })
    else { return false }
    let parts = text.split(separator: "@", omittingEmptySubsequences: false)
    guard parts.count == 2, (1...64).contains(parts[0].utf8.count) else { return false }
    let labels = parts[1].split(separator: ".", omittingEmptySubsequences: false)
    return labels.count > 1 && labels.allSatisfy { !$0.isEmpty && $0.first != "-" && $0.last != "-" }
  }

  /// To follow "must be".
  static let rule = "an e-mail address"
}
