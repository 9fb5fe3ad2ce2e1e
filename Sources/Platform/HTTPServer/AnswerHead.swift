import HTTP

/// Header bytes that do not change while the server runs.
struct AnswerHead: Sendable {
  private static let security: [(name: HeaderName, line: [UInt8])] = [
    ("X-Content-Type-Options", line("X-Content-Type-Options: nosniff")),
    ("X-Frame-Options", line("X-Frame-Options: DENY")),
    ("Referrer-Policy", line("Referrer-Policy: no-referrer")),
    (.contentSecurityPolicy, line("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'")),
    (.cacheControl, line("Cache-Control: no-store")),
  ]
  private let securityBlock = Self.security.flatMap(\.line)
  private let okLine = Self.line("HTTP/1.1 200 OK")
  /// For each allowed origin.
  private let crossOrigin: [[UInt8]]
  private let origins: [[UInt8]]

  init(origins: [String]) {
    self.origins = origins.map { Array($0.utf8) }
    crossOrigin = origins.map { origin in
      Self.line("Access-Control-Allow-Origin: \(origin)") + Self.line("Access-Control-Allow-Credentials: true")
        + Self.line("Access-Control-Expose-Headers: \(Self.exposed)")
    }
  }

  /// What scripts of an allowed origin may read of an answer besides the headers that they always may.
  private static let exposed =
    "X-Request-Id, X-Total-Count, Link, Retry-After, ETag, Content-Disposition, "
    + "x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset"

  private static func line(_ text: String) -> [UInt8] { Array("\(text)\r\n".utf8) }

  /// Exactly as the browser sends it.
  func origin(_ value: ArraySlice<UInt8>) -> Int? { origins.firstIndex { $0.elementsEqual(value) } }

  /// Of a preflight from an allowed origin.
  static let preflight: [(HeaderName, String)] = [
    ("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
    (
      "Access-Control-Allow-Headers",
      "Content-Type, Authorization, x-stack-access-token, x-stack-refresh-token, X-API-Key, X-Request-Id, "
        + "If-None-Match, Last-Event-ID"
    ),
    ("Access-Control-Max-Age", "7200"),
  ]

  enum Length {
    case bytes(Int)
    case chunked
    /// The end of the connection is the end of the body.
    case untilClose
    /// 204 and 304.
    case none
  }

  /// Writes status line and headers with the empty line that ends them.
  func write(
    _ response: Response, _ exchange: Exchange, _ length: Length, isGzipped: Bool, variesByEncoding: Bool,
    date: [UInt8], to output: inout [UInt8]
  ) {
    if response.status == .ok {
      output.append(contentsOf: okLine)
    } else {
      output.append("HTTP/1.1 ")
      output.appendDecimal(Int(response.status.code))
      output.append(0x20)
      output.append(contentsOf: response.status.reason.utf8)
      output.append("\r\n")
    }
    output.append(contentsOf: date)
    if response.headers.isEmpty {
      output.append(contentsOf: securityBlock)
    } else {
      for (name, line) in Self.security where !response.headers.contains(where: { $0.0 == name }) {
        output.append(contentsOf: line)
      }
    }
    if let origin = exchange.origin { output.append(contentsOf: crossOrigin[origin]) }
    if !origins.isEmpty { output.append("Vary: Origin\r\n") }
    if variesByEncoding { output.append("Vary: Accept-Encoding\r\n") }
    output.append("X-Request-Id: ")
    exchange.id.append(to: &output)
    output.append("\r\n")
    for (name, value) in response.headers { Self.write(name.text, value, to: &output) }
    if let contentType = response.contentType { Self.write("Content-Type", contentType, to: &output) }
    if isGzipped { output.append("Content-Encoding: gzip\r\n") }
    if !exchange.keepAlive {
      output.append("Connection: close\r\n")
    } else if exchange.isVersion10 {
      output.append("Connection: keep-alive\r\n")
    }
    switch length {
    case .bytes(let count):
      output.append("Content-Length: ")
      output.appendDecimal(count)
      output.append("\r\n\r\n")
    case .chunked: output.append("Transfer-Encoding: chunked\r\n\r\n")
    case .untilClose, .none: output.append("\r\n")
    }
  }

  /// A value never ends its line: control characters become spaces.
  private static func write(_ name: String, _ value: String, to output: inout [UInt8]) {
    output.append(contentsOf: name.utf8)
    output.append(": ")
    let start = output.count
    output.append(contentsOf: value.utf8)
    for place in start..<output.count where output[place] < 0x20 || output[place] == 0x7F { output[place] = 0x20 }
    output.append("\r\n")
  }
}

extension [UInt8] {
  mutating func append(_ text: StaticString) {
    append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// `value` is not negative.
  mutating func appendDecimal(_ value: Int) {
    if value >= 10 { appendDecimal(value / 10) }
    append(0x30 + UInt8(value % 10))
  }

  mutating func appendHexadecimal(_ value: Int) {
    if value >= 16 { appendHexadecimal(value >> 4) }
    let digit = UInt8(value & 15)
    append(digit < 10 ? 0x30 + digit : 0x57 + digit)
  }
}
