/// One header field of a request: where its name and its trimmed value stand, counted from the start of the head.
struct HeaderField: Sendable {
  var nameStart: UInt16
  var nameEnd: UInt16
  var valueStart: UInt16
  var valueEnd: UInt16
  var known: KnownHeader
}

/// The names the server itself asks for, told apart once, by the parser.
public enum KnownHeader: UInt8, Sendable {
  case other
  case host, contentLength, transferEncoding, connection, expect
  case contentType, contentEncoding, acceptEncoding, origin, ifNoneMatch
  case forwardedFor, requestID, accessControlRequestMethod
}

/// How the end of a request body is found (RFC 9112 section 6).
public enum BodyFraming: Sendable, Equatable {
  case none
  case length(Int)
  case chunked
}

/// What ``RequestParser`` found: positions only, counted from the first byte it was given.
public struct RequestHead: Sendable {
  public internal(set) var method: Method = .get
  /// HTTP/1.0 or HTTP/1.1.
  public internal(set) var minorVersion: UInt8 = 1
  public internal(set) var framing: BodyFraming = .none
  public internal(set) var keepAlive = true
  /// The client waits for `100 Continue` before it sends the body.
  public internal(set) var expectsContinue = false
  /// The path of the target, without the query. `*` for `OPTIONS *`.
  public internal(set) var path: Range<Int> = 0..<0
  /// What follows `?`; empty when there is none.
  public internal(set) var query: Range<Int> = 0..<0
  /// Bytes of the head with its last line.
  public internal(set) var length = 0
  var fields: [HeaderField] = []

  public init() {}

  /// Where the value of the first field of that name stands.
  public func value(of known: KnownHeader) -> Range<Int>? {
    for field in fields where field.known == known { return Int(field.valueStart)..<Int(field.valueEnd) }
    return nil
  }

  /// Where the values of all fields of that name stand, in their order.
  public func values(of known: KnownHeader) -> [Range<Int>] {
    fields.filter { $0.known == known }.map { Int($0.valueStart)..<Int($0.valueEnd) }
  }

  /// Empties it for the next request and keeps its memory.
  mutating func reset() {
    fields.removeAll(keepingCapacity: true)
    framing = .none
    keepAlive = true
    expectsContinue = false
    path = 0..<0
    query = 0..<0
    length = 0
  }
}
