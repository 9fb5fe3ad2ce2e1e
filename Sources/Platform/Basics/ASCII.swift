/// Reading wire bytes. The standard library's initialisers are too kind for that: `Int("+5")` is 5.
public enum ASCII {
  /// Decimal digits only, no sign, no leading `+`, at most 19 of them. Nil on anything else and on overflow.
  @inlinable public static func unsigned(_ text: some Collection<UInt8>) -> Int? {
    guard !text.isEmpty, text.count <= 19 else { return nil }
    var value = 0
    for byte in text {
      guard case let digit = byte &- 0x30, digit < 10 else { return nil }
      let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carried) = tens.addingReportingOverflow(Int(digit))
      guard !overflow, !carried else { return nil }
      value = sum
    }
    return value
  }

  @inlinable public static func lowercased(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte + 32 : byte }

  /// Equal but for the case of A to Z.
  @inlinable public static func equalIgnoringCase(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Bool {
    a.count == b.count && zip(a, b).allSatisfy { lowercased($0) == lowercased($1) }
  }
}
