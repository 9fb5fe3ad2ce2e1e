import Glibc

/// One request after the other on one connection, for the program's own commands. Blocks.
struct PlainHTTP: ~Copyable {
  private let target: HTTPTarget
  private let headers: [(String, String)]
  private var socket: CInt?
  private var reader = ResponseReader()

  init(_ target: HTTPTarget, headers: [(String, String)] = []) {
    self.target = target
    self.headers = headers
  }

  deinit { if let socket { close(socket) } }

  /// The status and the body. Throws when there is no server or no answer within half a minute.
  mutating func send(
    _ method: String, _ path: String, body: [UInt8]? = nil, as mediaType: String = "application/json"
  ) throws(Failure) -> (Int, [UInt8]) {
    var head = "\(method) \(target.prefix)\(path) HTTP/1.1\r\nHost: \(target.host)\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    if let body { head += "Content-Type: \(mediaType)\r\nContent-Length: \(body.count)\r\n" }
    head += "\r\n"
    guard let socket = socket ?? target.connect(blocking: true) else {
      throw Failure(.unavailable, "no server answers at http://\(target.host): \(systemError())")
    }
    self.socket = socket
    try write(Array(head.utf8) + (body ?? []), to: socket)
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      if let answer = try answer() { return answer }
      let count = read(socket, &chunk, chunk.count)
      guard count > 0 else {
        disconnect()
        throw Failure(.unavailable, "http://\(target.host)\(path) did not answer: \(systemError())")
      }
      reader.append(chunk[..<count])
    }
  }

  private mutating func answer() throws(Failure) -> (Int, [UInt8])? {
    do {
      guard let answer = try reader.next() else { return nil }
      let body = Array(answer.body)
      reader.compact()
      if answer.closes { disconnect() }
      return (answer.status, body)
    } catch {
      disconnect()
      throw Failure(.unavailable, "http://\(target.host) does not answer as this server does")
    }
  }

  private mutating func write(_ bytes: [UInt8], to socket: CInt) throws(Failure) {
    var sent = 0
    while sent < bytes.count {
      let count = bytes.withUnsafeBytes { Glibc.send(socket, $0.baseAddress.map { $0 + sent }, $0.count - sent, 0) }
      guard count > 0 else {
        disconnect()
        throw Failure(.unavailable, "http://\(target.host) took no request: \(systemError())")
      }
      sent += count
    }
  }

  private mutating func disconnect() {
    if let socket { close(socket) }
    socket = nil
    reader = ResponseReader()
  }
}
