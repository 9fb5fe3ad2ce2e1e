import Basics

/// The name that a LoRaWAN device has for life: eight bytes, written as 16 upper-case hexadecimal digits.
public struct EUI64: Hashable, Sendable, CustomStringConvertible {
  @usableFromInline let value: UInt64

  /// 16 digits in either case. The colons or hyphens between bytes that labels are printed with are dropped.
  @inlinable
  public init?(_ text: some Collection<UInt8>) {
    let isMarked = text.count == 23
    guard isMarked || text.count == 16 else { return nil }
    var value: UInt64 = 0
    var mark: UInt8?
    for (place, byte) in text.enumerated() {
      if isMarked, place % 3 == 2 {
        guard byte == 0x3A || byte == 0x2D, byte == mark ?? byte else { return nil }
        mark = byte
      } else {
        guard let digit = Hex.value(of: byte) else { return nil }
        value = value << 4 | UInt64(digit)
      }
    }
    self.value = value
  }

  public init?(_ text: String) { self.init(text.utf8) }

  public var description: String {
    Hex.encode(withUnsafeBytes(of: value.bigEndian) { Array($0) }).uppercased()
  }
}
