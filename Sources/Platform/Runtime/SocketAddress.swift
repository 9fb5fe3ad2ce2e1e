import Glibc

/// An address that a socket can have: IPv4, IPv6 or a path of the file system.
public enum SocketAddress: Hashable, Sendable {
  /// Four bytes.
  case v4([UInt8], port: UInt16)
  /// Sixteen bytes.
  case v6([UInt8], port: UInt16)
  case unix(path: String)

  /// Reads an IP address without a name look-up. Nil when `host` is none.
  public init?(host: String, port: UInt16) {
    var v4 = in_addr()
    var v6 = in6_addr()
    if inet_pton(AF_INET, host, &v4) == 1 {
      self = .v4(withUnsafeBytes(of: v4) { Array($0) }, port: port)
    } else if inet_pton(AF_INET6, host, &v6) == 1 {
      self = .v6(withUnsafeBytes(of: v6) { Array($0) }, port: port)
    } else {
      return nil
    }
  }

  /// The bytes of the IP address: 4, 16, or none for a path. An IPv4 address mapped into IPv6 is given as IPv4.
  public var ipBytes: [UInt8] {
    switch self {
    case .v4(let bytes, _): bytes
    case .v6(let bytes, _): bytes.starts(with: Self.mappedPrefix) ? Array(bytes.suffix(4)) : bytes
    case .unix: []
    }
  }

  public var port: UInt16 {
    switch self {
    case .v4(_, let port), .v6(_, let port): port
    case .unix: 0
    }
  }

  /// `127.0.0.1`, `::1`, or the path.
  public var host: String {
    if case .unix(let path) = self { return path }
    let bytes = ipBytes
    var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    _ = bytes.withUnsafeBytes {
      inet_ntop(bytes.count == 4 ? AF_INET : AF_INET6, $0.baseAddress, &text, socklen_t(text.count))
    }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static let mappedPrefix: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
}

extension SocketAddress: CustomStringConvertible {
  /// `127.0.0.1:3000`, `[::1]:3000`, or the path.
  public var description: String {
    switch self {
    case .unix(let path): path
    default: ipBytes.count == 4 ? "\(host):\(port)" : "[\(host)]:\(port)"
    }
  }
}

extension SocketAddress {
  var family: CInt {
    switch self {
    case .v4: AF_INET
    case .v6: AF_INET6
    case .unix: AF_UNIX
    }
  }

  /// Calls `body` with the address as the socket calls want it.
  func withSockaddr<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
    var storage = sockaddr_storage()
    let length = withUnsafeMutableBytes(of: &storage) { raw -> Int in
      switch self {
      case .v4(let bytes, let port):
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin_addr) { $0.copyBytes(from: bytes) }
        withUnsafeBytes(of: address) { raw.copyMemory(from: $0) }
        return MemoryLayout<sockaddr_in>.size
      case .v6(let bytes, let port):
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        withUnsafeMutableBytes(of: &address.sin6_addr) { $0.copyBytes(from: bytes) }
        withUnsafeBytes(of: address) { raw.copyMemory(from: $0) }
        return MemoryLayout<sockaddr_in6>.size
      case .unix(let path):
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        withUnsafeBytes(of: address) { raw.copyMemory(from: $0) }
        return MemoryLayout<sockaddr_un>.size
      }
    }
    return withUnsafePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(length)) }
    }
  }

  init?(_ storage: sockaddr_storage) {
    switch CInt(storage.ss_family) {
    case AF_INET:
      self = withUnsafeBytes(of: storage) { raw in
        let address = raw.loadUnaligned(as: sockaddr_in.self)
        return .v4(withUnsafeBytes(of: address.sin_addr) { Array($0) }, port: UInt16(bigEndian: address.sin_port))
      }
    case AF_INET6:
      self = withUnsafeBytes(of: storage) { raw in
        let address = raw.loadUnaligned(as: sockaddr_in6.self)
        return .v6(withUnsafeBytes(of: address.sin6_addr) { Array($0) }, port: UInt16(bigEndian: address.sin6_port))
      }
    case AF_UNIX: self = .unix(path: "")
    default: return nil
    }
  }
}
