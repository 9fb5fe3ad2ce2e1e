import Glibc

/// Which addresses a user's URL may lead to.
enum NetworkAddress {
  /// `bytes` is a `sockaddr_in` or `sockaddr_in6`. False for loopback, private, link-local, shared, multicast and reserved
  /// addresses (RFC 6890 and the registries it made), also when IPv6 wraps an IPv4 address.
  static func isPublic(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard bytes.count >= MemoryLayout<sockaddr_in>.size else { return false }
    switch CInt(bytes.loadUnaligned(as: sa_family_t.self)) {
    case AF_INET: return isPublic(v4: Array(bytes[4..<8]))
    case AF_INET6:
      guard bytes.count >= MemoryLayout<sockaddr_in6>.size else { return false }
      return isPublic(v6: Array(bytes[8..<24]))
    default: return false
    }
  }

  static func isPublic(v4 address: [UInt8]) -> Bool {
    switch (address[0], address[1]) {
    case (0, _), (10, _), (127, _), (224...255, _): false
    case (100, 64...127), (169, 254), (172, 16...31), (192, 168), (198, 18...19): false
    case (192, 0): address[2] != 0 && address[2] != 2
    case (198, 51): address[2] != 100
    case (203, 0): address[2] != 113
    default: true
    }
  }

  static func isPublic(v6 address: [UInt8]) -> Bool {
    // Mapped (::ffff:0:0/96) and translated (64:ff9b::/96) IPv4.
    if address[..<12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] { return isPublic(v4: Array(address[12...])) }
    if address[..<12] == [0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0] { return isPublic(v4: Array(address[12...])) }
    // 6to4 carries one too.
    if address[..<2] == [0x20, 0x02] { return isPublic(v4: Array(address[2..<6])) }
    // Documentation and Teredo.
    if address[..<4] == [0x20, 0x01, 0x0D, 0xB8] || address[..<4] == [0x20, 0x01, 0, 0] { return false }
    // Global unicast is 2000::/3; everything else is local, multicast or reserved.
    return address[0] & 0xE0 == 0x20
  }
}
