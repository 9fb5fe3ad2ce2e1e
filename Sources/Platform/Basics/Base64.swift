/// Base64 and base64url (RFC 4648 sections 4 and 5), strict: no white space, no stray bits, padding as the alphabet asks.
public enum Base64 {
  public enum Alphabet: Sendable {
    /// `+` and `/`, padded to a multiple of four.
    case standard
    /// `-` and `_`, without padding, as JOSE writes it (RFC 7515 section 2).
    case url
  }

  @inlinable
  public static func encode(_ bytes: some Collection<UInt8>, as alphabet: Alphabet = .standard) -> String {
    var text: [UInt8] = []
    text.reserveCapacity((bytes.count + 2) / 3 * 4)
    encode(bytes, as: alphabet) { text.append($0) }
    return String(decoding: text, as: UTF8.self)
  }

  /// Hands over one symbol after the other.
  @inlinable
  public static func encode(
    _ bytes: some Collection<UInt8>, as alphabet: Alphabet = .standard, to take: (UInt8) -> Void
  ) {
    var count = 0
    var bits: UInt32 = 0
    var held = 0
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      held += 8
      while held >= 6 {
        held -= 6
        take(symbol(UInt8(bits >> UInt32(held) & 63), alphabet))
        count += 1
      }
    }
    if held > 0 {
      take(symbol(UInt8(bits << UInt32(6 - held) & 63), alphabet))
      count += 1
    }
    if alphabet == .standard, !count.isMultiple(of: 4) { for _ in 0..<4 - count % 4 { take(0x3D) } }
  }

  /// Nil for a foreign character, wrong padding, or bits that the encoder would not have set.
  @inlinable public static func decode(_ text: some Collection<UInt8>, as alphabet: Alphabet = .standard) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count / 4 * 3 + 2)
    var bits: UInt32 = 0
    var held = 0
    var symbols = 0
    var padding = 0
    for byte in text {
      if byte == 0x3D, alphabet == .standard {
        padding += 1
        continue
      }
      guard padding == 0, let value = value(of: byte, alphabet) else { return nil }
      symbols += 1
      bits = bits << 6 | UInt32(value)
      held += 6
      if held >= 8 {
        held -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
      }
    }
    let left = symbols % 4
    guard left != 1, bits & (1 << UInt32(held) - 1) == 0 else { return nil }
    if alphabet == .standard, padding != (4 - left) % 4 { return nil }
    return bytes
  }

  public static func decode(_ text: String, as alphabet: Alphabet = .standard) -> [UInt8]? {
    decode(text.utf8, as: alphabet)
  }

  @usableFromInline static func symbol(_ value: UInt8, _ alphabet: Alphabet) -> UInt8 {
    switch value {
    case 0..<26: 0x41 + value
    case 26..<52: 0x61 + value - 26
    case 52..<62: 0x30 + value - 52
    case 62: alphabet == .url ? 0x2D : 0x2B
    default: alphabet == .url ? 0x5F : 0x2F
    }
  }

  @usableFromInline static func value(of byte: UInt8, _ alphabet: Alphabet) -> UInt8? {
    switch byte {
    case 0x41...0x5A: byte - 0x41
    case 0x61...0x7A: byte - 0x61 + 26
    case 0x30...0x39: byte - 0x30 + 52
    case alphabet == .url ? 0x2D : 0x2B: 62
    case alphabet == .url ? 0x5F : 0x2F: 63
    default: nil
    }
  }
}
