import CLinux
import Glibc

/// The socket calls that rooms above need, non-blocking, with errors as values.
public enum Socket {
  /// A socket that listens. Several may share a port: the kernel spreads new connections over them.
  ///
  /// Throws ``SystemError``: `EADDRINUSE` for a taken port, `EACCES` for one that needs more rights.
  public static func listen(on address: SocketAddress, backlog: CInt = 4096, sharingPort: Bool) throws(SystemError)
    -> CInt
  {
    let descriptor = socket(address.family, CInt(SOCK_STREAM.rawValue) | closeOnExec | nonBlocking, 0)
    guard descriptor >= 0 else { throw SystemError("open a socket") }
    set(descriptor, SOL_SOCKET, SO_REUSEADDR)
    if sharingPort { set(descriptor, SOL_SOCKET, SO_REUSEPORT) }
    if address.family == AF_INET6 { set(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY, 0) }
    guard address.withSockaddr({ bind(descriptor, $0, $1) }) == 0, Glibc.listen(descriptor, backlog) == 0 else {
      let error = SystemError("listen on \(address)")
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// The next connection of a listener, non-blocking, with `TCP_NODELAY`. Nil when none waits (`EAGAIN`).
  public static func accept(_ listener: CInt) throws(SystemError) -> (descriptor: CInt, peer: SocketAddress)? {
    while true {
      var storage = sockaddr_storage()
      var length = UInt32(MemoryLayout<sockaddr_storage>.size)
      let descriptor = clinux_accept(listener, &storage, &length)
      if descriptor >= 0 {
        set(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY)
        return (descriptor, SocketAddress(storage) ?? .unix(path: ""))
      }
      switch errno {
      case EAGAIN: return nil
      case EINTR, ECONNABORTED, EPROTO: continue
      default: throw SystemError("accept a connection")
      }
    }
  }

  /// Starts a connection; the socket is writable once it stands, and ``pendingError(_:)`` then tells how it went.
  public static func connect(to address: SocketAddress) throws(SystemError) -> CInt {
    let descriptor = socket(address.family, CInt(SOCK_STREAM.rawValue) | closeOnExec | nonBlocking, 0)
    guard descriptor >= 0 else { throw SystemError("open a socket") }
    if address.family != AF_UNIX { set(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY) }
    let result = address.withSockaddr { Glibc.connect(descriptor, $0, $1) }
    guard result == 0 || errno == EINPROGRESS else {
      let error = SystemError("connect to \(address)")
      close(descriptor)
      throw error
    }
    return descriptor
  }

  /// `SO_ERROR`: 0 when a connection stands.
  public static func pendingError(_ descriptor: CInt) -> CInt {
    var code: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
    return code
  }

  /// The address that the kernel gave a bound socket: tells the port when it was asked for port 0.
  public static func localAddress(_ descriptor: CInt) -> SocketAddress? {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    return result == 0 ? SocketAddress(storage) : nil
  }

  public static func close(_ descriptor: CInt) { _ = Glibc.close(descriptor) }

  private static let closeOnExec = CInt(SOCK_CLOEXEC.rawValue)
  private static let nonBlocking = CInt(SOCK_NONBLOCK.rawValue)

  private static func set(_ descriptor: CInt, _ level: CInt, _ option: CInt, _ value: CInt = 1) {
    var value = value
    setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<CInt>.size))
  }
}
