import Basics

/// An address that mail can be sent to: one `@`, something before it, a domain with a dot behind it, no blanks or
/// control characters. What else it takes only a mail that arrives can tell.
public struct EmailAddress: Sendable, Equatable {
  /// As it was given, without blanks around it.
  public let text: String

  public init?(_ given: String) {
    let bytes = Array(given.utf8)
    guard let start = bytes.firstIndex(where: { $0 != 0x20 }), let end = bytes.lastIndex(where: { $0 != 0x20 }) else {
      return nil
    }
    let address = bytes[start...end]
    let parts = address.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
    guard (3...254).contains(address.count), parts.count == 2, (1...64).contains(parts[0].count),
      address.allSatisfy({ $0 > 0x20 && $0 != 0x7F && !Array(#"<>()[],;:\""#.utf8).contains($0) })
    else { return nil }
    let hyphen = UInt8(ascii: "-")
    let labels = parts[1].split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard labels.count > 1,
      labels.allSatisfy({ (1...63).contains($0.count) && $0.first != hyphen && $0.last != hyphen })
    else { return nil }
    text = String(decoding: address, as: UTF8.self)
  }

  /// To follow "must be".
  public static let rule = "an e-mail address"
}
