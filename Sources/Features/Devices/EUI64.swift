import Basics

/// The name that a LoRaWAN device has for life: eight bytes, kept as 16 upper-case hexadecimal digits.
public struct EUI64: Hashable, Sendable, CustomStringConvertible {
  public let description: String

  /// 16 digits in either case. The colons or hyphens between bytes that labels are printed with are dropped.
  public init?(_ text: String) {
    var bytes = Array(text.utf8)
    if bytes.count == 23, let mark = [0x3A, 0x2D].first(where: { $0 == bytes[2] }) {
      for place in stride(from: 20, through: 2, by: -3) {
        guard bytes[place] == mark else { return nil }
        bytes.remove(at: place)
      }
    }
    guard bytes.count == 16, let value = Hex.decode(bytes) else { return nil }
    description = Hex.encode(value).uppercased()
  }
}
