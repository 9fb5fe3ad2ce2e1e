/// The two ways to write a P-256 signature: OpenSSL wants DER (RFC 3279 section 2.2.3), JOSE two numbers of 32 bytes.
enum ECDSASignature {
  /// Nil unless `raw` has exactly 64 bytes.
  static func der(fromRaw raw: [UInt8]) -> [UInt8]? {
    guard raw.count == 64 else { return nil }
    return DER.sequence(DER.integer(raw[..<32]), DER.integer(raw[32...]))
  }

  static func raw(fromDER der: [UInt8]) -> [UInt8]? {
    guard der.count >= 2, der[0] == 0x30, Int(der[1]) == der.count - 2 else { return nil }
    var rest = der[2...]
    guard let r = takeInteger(&rest), let s = takeInteger(&rest), rest.isEmpty else { return nil }
    return r + s
  }

  private static func takeInteger(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
    guard rest.popFirst() == 0x02, let length = rest.popFirst(), length > 0, length <= rest.count else { return nil }
    let digits = rest.prefix(Int(length)).drop { $0 == 0 }
    rest = rest.dropFirst(Int(length))
    guard digits.count <= 32 else { return nil }
    return [UInt8](repeating: 0, count: 32 - digits.count) + digits
  }
}
