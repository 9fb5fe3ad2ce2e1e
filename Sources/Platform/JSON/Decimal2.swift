/// A decimal number with two digits after the point, exact: temperatures in degrees, relative humidity in percent, money.
public struct Decimal2: Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
  public var hundredths: Int64

  @inlinable public init(hundredths: Int64) { self.hundredths = hundredths }
  @inlinable public init(integerLiteral value: Int32) { hundredths = Int64(value) * 100 }

  /// To the nearest hundredth, a half away from zero. Nil when not finite or past ±10^15.
  public init?(_ value: Double) {
    guard value.magnitude <= 1e15 else { return nil }
    hundredths = Int64((value * 100).rounded(.toNearestOrAwayFromZero))
  }

  @inlinable public static func < (a: Decimal2, b: Decimal2) -> Bool { a.hundredths < b.hundredths }

  public var double: Double { Double(hundredths) / 100 }

  /// `-0.05`, `4.2`, `4`: no zeros at the end.
  public var description: String {
    var bytes: [UInt8] = []
    append(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  public func append(to bytes: inout [UInt8]) {
    if hundredths < 0 { bytes.append(UInt8(ascii: "-")) }
    let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
    bytes.appendDecimal(whole)
    guard rest > 0 else { return }
    bytes.append(UInt8(ascii: "."))
    bytes.append(0x30 + UInt8(rest / 10))
    if rest % 10 > 0 { bytes.append(0x30 + UInt8(rest % 10)) }
  }
}

extension [UInt8] {
  mutating func appendDecimal(_ value: UInt64) {
    if value < 10 { return append(0x30 + UInt8(value)) }
    let start = count
    var rest = value
    while rest > 0 {
      append(0x30 + UInt8(rest % 10))
      rest /= 10
    }
    self[start...].reverse()
  }
}
