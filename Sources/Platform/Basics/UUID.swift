/// A universally unique identifier (RFC 9562), compared and stored as 128 bits.
public struct UUID: Hashable, Comparable, Sendable {
  public let high: UInt64
  public let low: UInt64

  @inlinable public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  @inlinable public static func < (a: UUID, b: UUID) -> Bool { (a.high, a.low) < (b.high, b.low) }

  /// Version 7: the milliseconds of `instant`, then 74 random bits. Rows made one after another lie side by side in an index.
  public static func v7(at instant: Instant) -> UUID {
    let milliseconds = UInt64(bitPattern: instant.microseconds / 1000) & 0xFFFF_FFFF_FFFF
    return UUID(
      high: milliseconds << 16 | 0x7000 | SecureRandom.uint64() & 0x0FFF,
      low: 0x8000_0000_0000_0000 | SecureRandom.uint64() >> 2)
  }

  /// Version 4: 122 random bits.
  public static func v4() -> UUID {
    UUID(
      high: SecureRandom.uint64() & 0xFFFF_FFFF_FFFF_0FFF | 0x4000,
      low: 0x8000_0000_0000_0000 | SecureRandom.uint64() >> 2)
  }

  /// 16 bytes, most significant first. Nil for any other count.
  @inlinable public init?(bytes: some Collection<UInt8>) {
    guard bytes.count == 16 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for (place, byte) in bytes.enumerated() {
      if place < 8 { high = high << 8 | UInt64(byte) } else { low = low << 8 | UInt64(byte) }
    }
    self.init(high: high, low: low)
  }

  /// Reads `8-4-4-4-12` hexadecimal digits in either case. Nil for anything else, also braces and missing dashes.
  @inlinable public init?(_ text: some Collection<UInt8>) {
    guard text.count == 36 else { return nil }
    var high: UInt64 = 0
    var low: UInt64 = 0
    for (place, byte) in text.enumerated() {
      switch place {
      case 8, 13, 18, 23: guard byte == 0x2D else { return nil }
      default:
        guard let digit = Hex.value(of: byte) else { return nil }
        if place < 19 { high = high << 4 | UInt64(digit) } else { low = low << 4 | UInt64(digit) }
      }
    }
    self.init(high: high, low: low)
  }

  public init?(_ text: String) { self.init(text.utf8) }

  /// Lower case, with dashes: 36 bytes.
  public func append(to bytes: inout [UInt8]) {
    let digits = digits
    for place in 0..<32 {
      if place == 8 || place == 12 || place == 16 || place == 20 { bytes.append(0x2D) }
      bytes.append(UInt8(truncatingIfNeeded: digits[place / 8] >> UInt64(56 - place % 8 * 8)))
    }
  }

  /// The 32 digits without dashes, eight in a word, the first in its most significant byte.
  @inlinable public var digits: [4 of UInt64] {
    [
      Hex.digits(UInt32(truncatingIfNeeded: high >> 32)), Hex.digits(UInt32(truncatingIfNeeded: high)),
      Hex.digits(UInt32(truncatingIfNeeded: low >> 32)), Hex.digits(UInt32(truncatingIfNeeded: low)),
    ]
  }

  /// The 16 bytes, most significant first.
  public var bytes: [UInt8] {
    (0..<16).map { UInt8(truncatingIfNeeded: ($0 < 8 ? high : low) >> (56 - UInt64($0 % 8) * 8)) }
  }
}

extension UUID: CustomStringConvertible {
  public var description: String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(36)
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }
}
