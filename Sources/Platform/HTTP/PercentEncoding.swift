import Basics

/// Percent-encoding (RFC 3986 section 2.1), strict: a bad escape, NUL or invalid UTF-8 is an error, never repaired.
public enum PercentEncoding {
  /// `plusIsSpace` reads `+` as a space, as forms and query strings write it.
  public static func decode(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> String? {
    guard let decoded = decodedBytes(bytes, plusIsSpace: plusIsSpace) else { return nil }
    return String(validating: decoded, as: UTF8.self)
  }

  /// Nil for a bad escape or NUL. UTF-8 is not looked at.
  static func decodedBytes(_ bytes: ArraySlice<UInt8>, plusIsSpace: Bool = false) -> ArraySlice<UInt8>? {
    guard bytes.contains(where: { $0 == 0x25 || $0 == 0 || plusIsSpace && $0 == 0x2B }) else { return bytes }
    var decoded: [UInt8] = []
    decoded.reserveCapacity(bytes.count)
    var at = bytes.startIndex
    while at < bytes.endIndex {
      var byte = bytes[at]
      if byte == 0x25 {
        guard at + 2 < bytes.endIndex, let high = Hex.value(of: bytes[at + 1]), let low = Hex.value(of: bytes[at + 2])
        else { return nil }
        byte = high << 4 | low
        at += 2
      } else if byte == 0x2B, plusIsSpace {
        byte = 0x20
      }
      guard byte != 0 else { return nil }
      decoded.append(byte)
      at += 1
    }
    return decoded[...]
  }

  /// Escapes everything but the unreserved characters of RFC 3986 section 2.3.
  public static func encode(_ text: String) -> String {
    var encoded: [UInt8] = []
    for byte in text.utf8 {
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x7E: encoded.append(byte)
      default:
        encoded.append(0x25)
        encoded.append(upper(byte >> 4))
        encoded.append(upper(byte & 0xF))
      }
    }
    return String(decoding: encoded, as: UTF8.self)
  }

  private static func upper(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x37 + value }
}
