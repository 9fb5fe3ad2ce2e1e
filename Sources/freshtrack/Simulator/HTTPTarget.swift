import Basics
import Glibc

/// An `http://host:port/prefix` address, resolved. TLS is not spoken: these tools stand beside the server.
struct HTTPTarget: Sendable {
  let host: String
  let port: UInt16
  /// Without a slash at its end; often empty.
  let prefix: String
  private let address: [UInt8]
  private let family: CInt

  init(_ url: String) throws(Failure) {
    guard url.hasPrefix("http://") else {
      throw .usage("'\(url)' is not an http:// address (TLS is not spoken here: use the server's own port)")
    }
    let rest = url.dropFirst("http://".count)
    let authority = rest.prefix { $0 != "/" }
    var path = rest.dropFirst(authority.count)
    while path.hasSuffix("/") { path = path.dropLast() }
    prefix = String(path)
    let name: Substring
    var port: Int? = 80
    if let mark = authority.lastIndex(of: ":"), !authority.hasSuffix("]") {
      name = authority[..<mark]
      port = ASCII.unsigned(Array(authority[authority.index(after: mark)...].utf8))
    } else {
      name = authority
    }
    guard let port, (1...65535).contains(port), !name.isEmpty else {
      throw .usage("'\(url)' has no valid host and port")
    }
    self.port = UInt16(port)
    host = String(authority)
    let plain = name.hasPrefix("[") && name.hasSuffix("]") ? String(name.dropFirst().dropLast()) : String(name)
    (address, family) = try Self.resolve(plain, self.port)
  }

  private static func resolve(_ name: String, _ port: UInt16) throws(Failure) -> ([UInt8], CInt) {
    var hints = addrinfo()
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_NUMERICSERV
    var found: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(name, String(port), &hints, &found)
    defer { if let found { freeaddrinfo(found) } }
    guard status == 0, let first = found?.pointee, let address = first.ai_addr else {
      throw Failure(.unavailable, "the host \(name) is not known: \(String(cString: gai_strerror(status)))")
    }
    return ([UInt8](UnsafeRawBufferPointer(start: address, count: Int(first.ai_addrlen))), first.ai_family)
  }

  /// A connecting socket. `blocking` ones wait at most five seconds for the connection and for each read and write.
  /// Nil when the system refuses; see `errno`.
  func connect(blocking: Bool) -> CInt? {
    let flags = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    let socket = Glibc.socket(family, blocking ? flags : flags | CInt(SOCK_NONBLOCK.rawValue), 0)
    guard socket >= 0 else { return nil }
    var one: CInt = 1
    setsockopt(socket, CInt(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<CInt>.size))
    if blocking {
      var limit = timeval(tv_sec: 30, tv_usec: 0)
      for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
        setsockopt(socket, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
      }
    }
    let status = address.withUnsafeBytes { bytes in
      bytes.baseAddress.map {
        Glibc.connect(socket, $0.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
      } ?? -1
    }
    guard status == 0 || (!blocking && errno == EINPROGRESS) else {
      let reason = errno
      close(socket)
      errno = reason
      return nil
    }
    return socket
  }
}
