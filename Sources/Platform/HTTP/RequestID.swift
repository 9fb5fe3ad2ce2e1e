/// The name of one request in logs, headers and error bodies.
public struct RequestID: Sendable {
  enum Kind: Sendable {
    /// Made here.
    case number(UInt64)
    /// The caller's, checked: 1 to 128 of `A-Za-z0-9._-`.
    case text(String)
  }

  let kind: Kind

  public init(number: UInt64) { kind = .number(number) }

  /// Nil when the text is not what a request id may be.
  public init?(_ text: ArraySlice<UInt8>) {
    guard (1...128).contains(text.count), text.allSatisfy(Self.isAllowed) else { return nil }
    kind = .text(String(decoding: text, as: UTF8.self))
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F: true
    default: false
    }
  }

  public func append(to bytes: inout [UInt8]) {
    switch kind {
    case .text(let text): bytes.append(contentsOf: text.utf8)
    case .number(let number): for place in 0..<13 { bytes.append(Self.digit(number, place)) }
    }
  }

  /// 13 characters of base 32 (RFC 4648 section 7, lower case): short enough that Swift keeps them without allocating.
  public var text: String {
    switch kind {
    case .text(let text): text
    case .number(let number):
      String(unsafeUninitializedCapacity: 13) { bytes in
        for place in 0..<13 { bytes[place] = Self.digit(number, place) }
        return 13
      }
    }
  }

  private static func digit(_ number: UInt64, _ place: Int) -> UInt8 {
    let value = UInt8(truncatingIfNeeded: number >> UInt64(60 - place * 5)) & 31
    return value < 10 ? 0x30 + value : 0x57 + value
  }
}
