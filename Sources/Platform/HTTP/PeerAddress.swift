import Glibc

/// Where a request came from.
public enum PeerAddress: Hashable, Sendable {
  case ipv4(UInt32)
  case ipv6(high: UInt64, low: UInt64)
  /// A Unix socket: the peer is on this machine and has no address.
  case local

  /// An IPv6 address that maps an IPv4 one (`::ffff:a.b.c.d`) is that IPv4 address.
  public init(ipv6High high: UInt64, low: UInt64) {
    if high == 0, low >> 32 == 0xFFFF {
      self = .ipv4(UInt32(truncatingIfNeeded: low))
    } else {
      self = .ipv6(high: high, low: low)
    }
  }

  /// Reads an address without port or brackets. Nil for anything else.
  public init?(_ text: some StringProtocol) {
    var four = in_addr()
    var six = in6_addr()
    if text.withCString({ inet_pton(AF_INET, $0, &four) }) == 1 {
      self = .ipv4(UInt32(bigEndian: four.s_addr))
    } else if text.withCString({ inet_pton(AF_INET6, $0, &six) }) == 1 {
      self.init(six)
    } else {
      return nil
    }
  }

  public init(_ address: in6_addr) {
    let (high, low) = withUnsafeBytes(of: address) {
      ($0.loadUnaligned(as: UInt64.self), $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }
    self.init(ipv6High: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
  }
}

extension PeerAddress: CustomStringConvertible {
  public var description: String {
    switch self {
    case .local: return "local"
    case .ipv4(let bits): return "\(bits >> 24).\(bits >> 16 & 255).\(bits >> 8 & 255).\(bits & 255)"
    case .ipv6(let high, let low):
      var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
      guard inet_ntop(AF_INET6, [high.bigEndian, low.bigEndian], &text, socklen_t(text.count)) != nil else { return "" }
      return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
  }
}

/// A block of addresses in CIDR form: `10.0.0.0/8`, `::1/128`, or one address.
public struct AddressBlock: Sendable, Hashable {
  private let base: PeerAddress
  private let prefix: Int

  /// Nil for a bad address, a prefix that is too long or bits set behind the prefix.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count <= 2, let base = PeerAddress(parts[0]) else { return nil }
    let width = if case .ipv4 = base { 32 } else { 128 }
    var prefix = width
    if parts.count == 2 {
      guard let length = UInt8(parts[1]), Int(length) <= width, parts[1].utf8.first != 0x2B else { return nil }
      prefix = Int(length)
    }
    self.base = base
    self.prefix = prefix
    guard Self.masked(base, prefix) == base else { return nil }
  }

  public func contains(_ address: PeerAddress) -> Bool {
    switch (base, address) {
    case (.ipv4, .ipv4), (.ipv6, .ipv6): Self.masked(address, prefix) == base
    default: false
    }
  }

  private static func masked(_ address: PeerAddress, _ prefix: Int) -> PeerAddress {
    switch address {
    case .local: .local
    case .ipv4(let bits): .ipv4(prefix == 0 ? 0 : bits & ~UInt32(0) << UInt32(32 - prefix))
    case .ipv6(let high, let low):
      .ipv6(
        high: prefix >= 64 ? high : prefix == 0 ? 0 : high & ~UInt64(0) << UInt64(64 - prefix),
        low: prefix <= 64 ? 0 : prefix == 128 ? low : low & ~UInt64(0) << UInt64(128 - prefix))
    }
  }
}
