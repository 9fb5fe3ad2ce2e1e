import Dispatch
import Glibc

/// A client that sends exactly the bytes it is told to. It waits at most ten seconds for an answer.
// @unchecked: each test uses its clients one step after the other.
final class RawClient: @unchecked Sendable {
  let descriptor: CInt
  private let server: TestServer?
  private var received: [UInt8] = []

  /// - Parameter server: kept for as long as the client.
  init(port: UInt16, of server: TestServer? = nil) {
    self.server = server
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    withUnsafePointer(to: &address) {
      _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  deinit { close(descriptor) }

  /// False when the server has closed.
  @discardableResult
  func send(_ text: String) -> Bool { send(Array(text.utf8)) }

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool {
    var sent = 0
    while sent < bytes.count {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
      }
      if count <= 0 { return false }
      sent += count
    }
    return true
  }

  func shutWriting() { shutdown(descriptor, CInt(SHUT_WR)) }

  /// Closes with a reset.
  func reset() {
    var option: (CInt, CInt) = (1, 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, 8)
    shutdown(descriptor, CInt(SHUT_RDWR))
  }

  /// False at the end of the connection.
  private func receive() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 65_536)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    if count > 0 { received += buffer[..<count] }
    return count > 0
  }

  /// Everything until the server closes.
  func rest() -> String {
    while receive() {}
    defer { received = [] }
    return String(decoding: received, as: UTF8.self)
  }

  /// The next answer: its head, and its body by Content-Length or chunks. Nil when the connection ends first.
  func answer(hasBody: Bool = true) -> Answer? {
    var end: Int?
    while end == nil {
      end = received.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound
      if end == nil, !receive() { return nil }
    }
    guard let headEnd = end else { return nil }
    var answer = Answer(head: String(decoding: received[..<headEnd], as: UTF8.self))
    received.removeFirst(headEnd)
    if !hasBody || answer.status == 204 || answer.status == 304 || answer.status == 100 { return answer }
    if answer["Transfer-Encoding"] == "chunked" {
      while true {
        guard let size = line().flatMap({ Int($0, radix: 16) }), let piece = take(size + 2) else { return nil }
        answer.body += piece.dropLast(2)
        if size == 0 { return answer }
      }
    }
    guard let body = take(Int(answer["Content-Length"] ?? "") ?? 0) else { return nil }
    answer.body = body
    return answer
  }

  private func line() -> String? {
    while true {
      if let end = received.firstIndex(of: 0x0A) {
        let line = String(decoding: received[..<(end - 1)], as: UTF8.self)
        received.removeFirst(end + 1)
        return line
      }
      if !receive() { return nil }
    }
  }

  private func take(_ count: Int) -> [UInt8]? {
    while received.count < count { if !receive() { return nil } }
    defer { received.removeFirst(count) }
    return Array(received[..<count])
  }
}

struct Answer {
  let head: String
  var body: [UInt8] = []

  var status: Int { Int(head.split(separator: " ")[1]) ?? 0 }
  var text: String { String(decoding: body, as: UTF8.self) }

  subscript(_ name: String) -> String? {
    for line in head.split(separator: "\r\n") where line.lowercased().hasPrefix(name.lowercased() + ": ") {
      return String(line.dropFirst(name.count + 2))
    }
    return nil
  }
}

/// Runs what waits for sockets where it may wait: the threads of the test runner are few.
func offPool(_ body: @escaping @Sendable () throws -> Void) async throws {
  try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
    DispatchQueue(label: "client").async { continuation.resume(with: Result { try body() }) }
  }
}
