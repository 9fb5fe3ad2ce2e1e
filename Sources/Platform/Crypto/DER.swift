/// The few shapes of ASN.1 (ITU-T X.690, distinguished encoding) that keys and signatures are made of.
enum DER {
  static func sequence(_ parts: [UInt8]...) -> [UInt8] { element(0x30, parts.flatMap(\.self)) }

  /// A number that is not negative, from its bytes, most significant first.
  static func integer(_ magnitude: some Collection<UInt8>) -> [UInt8] {
    var digits = Array(magnitude.drop { $0 == 0 })
    if digits.isEmpty || digits[0] >= 0x80 { digits.insert(0, at: 0) }
    return element(0x02, digits)
  }

  static func bits(_ bytes: [UInt8]) -> [UInt8] { element(0x03, [0] + bytes) }

  static func element(_ tag: UInt8, _ content: [UInt8]) -> [UInt8] {
    var length: [UInt8] = []
    if content.count < 0x80 {
      length = [UInt8(content.count)]
    } else {
      var rest = content.count
      while rest > 0 {
        length.insert(UInt8(rest & 0xFF), at: 0)
        rest >>= 8
      }
      length.insert(0x80 | UInt8(length.count), at: 0)
    }
    return [tag] + length + content
  }

  /// rsaEncryption with its NULL (RFC 3279 section 2.3.1).
  static let rsa: [UInt8] = [
    0x30, 0x0D, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01, 0x05, 0x00,
  ]
  /// id-ecPublicKey on prime256v1 (RFC 5480 section 2.1.1).
  static let p256: [UInt8] = [
    0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03,
    0x01,
    0x07,
  ]
}
