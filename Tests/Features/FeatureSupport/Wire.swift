import Basics
import Glibc
import Synchronization

/// A connection to a house of which the test sends and reads the bytes itself, blocking its own thread.
public final class Wire: Sendable {
  private let descriptor: CInt
  private let bytes = Mutex<[UInt8]>([])

  struct Lost: Error {}

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let connected = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard connected == 0 else { throw Lost() }
    var limit = timeval(tv_sec: 20, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  deinit { close(descriptor) }

  /// All that came.
  public var text: String { bytes.withLock { String(decoding: $0, as: UTF8.self) } }

  public func send(_ text: String) throws { try send(Array(text.utf8)) }

  public func send(_ bytes: [UInt8]) throws {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      guard count > 0 else { throw Lost() }
      sent += count
    }
  }

  /// A piece of a chunked body; an empty one ends it.
  public func send(chunk text: String) throws {
    try send("\(String(text.utf8.count, radix: 16))\r\n\(text)\r\n")
  }

  /// Reads until the last 100,000 bytes of what came satisfy `isEnough`, or the server has closed.
  public func receive(until isEnough: (String) -> Bool = { _ in false }) {
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while !isEnough(bytes.withLock { String(decoding: $0.suffix(100_000), as: UTF8.self) }) {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      guard count > 0 else { return }
      bytes.withLock { $0 += chunk[..<count] }
    }
  }

  /// Ends it as a process that dies does.
  public func reset() {
    var option = linger()
    option.l_onoff = 1
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
    shutdown(descriptor, CInt(SHUT_RDWR))
  }
}

extension House {
  public func wire() throws -> Wire { try Wire(port: port) }
}
