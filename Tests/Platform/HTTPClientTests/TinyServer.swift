import Dispatch
import Glibc
import Synchronization

/// Answers one connection after another on a port of 127.0.0.1, with bytes that no decent server would send if need be.
final class TinyServer: Sendable {
  enum Answer: Sendable {
    /// These bytes, then the end.
    case bytes(String)
    /// Nothing, as long as the server lives.
    case silence
  }

  let port: UInt16
  private let listener: CInt
  private let held = Mutex<[CInt]>([])
  private let seen = Mutex<[String]>([])

  /// Without `reads`, it answers before it was asked.
  init(reads: Bool = true, _ answer: @escaping @Sendable (_ request: String) -> Answer) throws {
    let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutableBytes(of: &address) { bytes -> Bool in
      guard let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self) else { return false }
      return bind(descriptor, pointer, length) == 0 && listen(descriptor, 16) == 0
        && getsockname(descriptor, pointer, &length) == 0
    }
    guard bound else { throw POSIXFailure(code: errno) }
    listener = descriptor
    port = UInt16(bigEndian: address.sin_port)
    let queue = DispatchQueue(label: "tiny-server")
    queue.async { [self] in serve(reads, answer) }
  }

  /// Every request so far, head and body.
  var requests: [String] { seen.withLock { $0 } }

  func url(_ path: String = "/") -> String { "http://127.0.0.1:\(port)\(path)" }

  func stop() {
    shutdown(listener, CInt(SHUT_RDWR))
    held.withLock { held in
      for descriptor in held { close(descriptor) }
      held.removeAll()
    }
  }

  private func serve(_ reads: Bool, _ answer: (String) -> Answer) {
    while true {
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else { break }
      let request = reads ? TinyServer.read(connection) : ""
      seen.withLock { $0.append(request) }
      switch answer(request) {
      case .silence: held.withLock { $0.append(connection) }
      case .bytes(let text):
        let bytes = Array(text.utf8)
        var sent = 0
        while sent < bytes.count {
          let count = bytes[sent...].withUnsafeBytes {
            send(connection, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
          }
          guard count > 0 else { break }
          sent += count
        }
        shutdown(connection, CInt(SHUT_WR))
        close(connection)
      }
    }
    close(listener)
  }

  private static func read(_ connection: CInt) -> String {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let text = String(decoding: bytes, as: UTF8.self)
      if let head = text.range(of: "\r\n\r\n") {
        let length = text.firstMatch(of: /(?i)content-length: (\d+)/).flatMap { Int($0.1) } ?? 0
        if text[head.upperBound...].utf8.count >= length { return text }
      }
      let count = recv(connection, &buffer, buffer.count, 0)
      guard count > 0 else { return text }
      bytes += buffer[..<count]
    }
  }
}

struct POSIXFailure: Error { let code: CInt }

extension String {
  fileprivate func range(of part: String) -> Range<Index>? { firstRange(of: part) }
}
