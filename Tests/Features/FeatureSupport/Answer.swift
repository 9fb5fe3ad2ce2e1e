import Basics
import Glibc
import JSON

/// What the server answered.
public struct Answer: Sendable, CustomStringConvertible {
  public let status: Int
  public let headers: [String: String]
  public let body: [UInt8]

  init(_ bytes: [UInt8]) throws {
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { throw NoAnswer() }
    let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
    guard let first = lines.first, let code = Int(first.dropFirst(9).prefix(3)) else { throw NoAnswer() }
    status = code
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: ":") else { continue }
      headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
    }
    self.headers = headers
    body = Array(bytes[end.upperBound...])
  }

  struct NoAnswer: Error {}

  /// An empty object when the body is none.
  public var json: JSONValue {
    if let document = try? JSONDocument(body) { return document.root }
    guard let empty = try? JSONDocument(Array("{}".utf8)) else { preconditionFailure("{} is JSON") }
    return empty.root
  }

  public var errorCode: String? { json["error"]?["code"]?.string }

  /// The fields that an error names, in their order.
  public var badFields: [String] { json["error"]?["details"]?.elements.compactMap { $0["path"]?.string } ?? [] }

  public var description: String { "\(status) \(String(decoding: body, as: UTF8.self))" }
}

/// Sends and reads to the end, blocking the test's own thread.
func exchange(_ port: UInt16, _ request: [UInt8]) throws -> [UInt8] {
  let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in()
  address.sin_family = sa_family_t(AF_INET)
  address.sin_port = port.bigEndian
  address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
  let connected = withUnsafePointer(to: &address) {
    $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
    }
  }
  guard connected == 0 else { throw Answer.NoAnswer() }
  var sent = 0
  while sent < request.count {
    let count = request.withUnsafeBytes { send(descriptor, $0.baseAddress! + sent, $0.count - sent, 0) }
    guard count > 0 else { throw Answer.NoAnswer() }
    sent += count
  }
  var limit = timeval(tv_sec: 40, tv_usec: 0)
  setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  var answer: [UInt8] = []
  var chunk = [UInt8](repeating: 0, count: 65_536)
  while true {
    let count = recv(descriptor, &chunk, chunk.count, 0)
    guard count > 0 else { break }
    answer += chunk[..<count]
  }
  return answer
}
