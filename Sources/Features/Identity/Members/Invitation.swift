import Basics
import Crypto

/// What lets one person in, once: 256 random bits, of which only the SHA-256 is kept.
struct InvitationToken {
  /// `fti_` and base64url.
  let text: String
  let hash: [UInt8]

  static func make() -> InvitationToken {
    let text = "fti_" + Base64.encode(SecureRandom.bytes(32), as: .url)
    return InvitationToken(text: text, hash: SHA256.hash(text.utf8))
  }

  /// The hash of what somebody brings. It is looked up whatever it is.
  static func hash(of text: String) -> [UInt8] { SHA256.hash(text.utf8) }
}

/// An address that mail can be sent to: one `@`, something before it, a domain with a dot behind it, no blanks or
/// control characters. What else it takes only a mail that arrives can tell.
struct EmailAddress: Sendable, Equatable {
  /// As it was given, without blanks around it.
  let text: String

  init?(_ given: String) {
    let bytes = Array(given.utf8)
    guard let start = bytes.firstIndex(where: { $0 != 0x20 }), let end = bytes.lastIndex(where: { $0 != 0x20 }) else {
      return nil
    }
    let address = bytes[start...end]
    let parts = address.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
    guard (3...254).contains(address.count), parts.count == 2, (1...64).contains(parts[0].count),
      address.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !Array(#"<>()[],;:\""#.utf8).contains($0) })
    else { return nil }
    let labels = parts[1].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard labels.count > 1, labels.allSatisfy({ (1...63).contains($0.count) }) else { return nil }
    text = String(decoding: address, as: UTF8.self)
  }
}
