import Basics

/// A request with its whole body, bounded by the limit of its route.
public struct Request: Sendable {
  public let method: Method
  /// After the trusted proxies.
  public let peer: PeerAddress
  /// When its head was complete.
  public let received: Instant
  public var parameters: PathParameters
  /// Decoded when it came compressed.
  public var body: ArraySlice<UInt8>
  public let requestID: RequestID

  private let bytes: [UInt8]
  /// Where the head starts in `bytes`.
  private let start: Int
  private let head: RequestHead

  /// `head` is what the parser found in `bytes` from `start` on.
  public init(
    head: RequestHead, bytes: [UInt8], start: Int, body: ArraySlice<UInt8> = [], parameters: PathParameters = .none,
    peer: PeerAddress, id: RequestID, received: Instant
  ) {
    method = head.method
    self.peer = peer
    self.received = received
    self.parameters = parameters
    self.body = body
    requestID = id
    self.bytes = bytes
    self.start = start
    self.head = head
  }

  /// The caller's `X-Request-Id` or the server's own.
  public var id: String { requestID.text }

  /// As it stands in the target, percent-encoded.
  public var path: String { String(decoding: slice(head.path), as: UTF8.self) }

  func slice(_ range: Range<Int>) -> ArraySlice<UInt8> { bytes[start + range.lowerBound..<start + range.upperBound] }
}

// MARK: - Parameters

extension Request {
  /// The decoded value of `:name` of the route. Asking for a name that the route does not have is a fault of the program.
  public func parameter(_ name: String) -> String {
    guard let value = parameters[name] else { preconditionFailure("the route has no parameter \(name)") }
    return value
  }

  /// The value of `:name` as a UUID. Throws 400 that names it when it is none.
  public func uuid(_ name: String) throws(HTTPError) -> UUID {
    guard let raw = parameters.raw(name) else { preconditionFailure("the route has no parameter \(name)") }
    guard let uuid = UUID(raw) else {
      throw .validation([HTTPError.Detail(path: name, message: "must be a UUID")])
    }
    return uuid
  }
}

// MARK: - Query

extension Request {
  /// What follows `?`, undecoded.
  public var rawQuery: ArraySlice<UInt8> { slice(head.query) }

  /// The first value of that name, decoded; an empty string for `?name` and `?name=`.
  public func query(_ name: String) -> String? { values(name, limit: 1).first }

  /// Every value of that name, in their order. Commas are not split.
  public func queries(_ name: String) -> [String] { values(name, limit: .max) }

  private func values(_ name: String, limit: Int) -> [String] {
    var found: [String] = []
    guard !head.query.isEmpty else { return found }
    for pair in slice(head.query).split(separator: 0x26) {
      let mark = pair.firstIndex(of: 0x3D) ?? pair.endIndex
      guard let key = PercentEncoding.decodedBytes(pair[..<mark], plusIsSpace: true), key.elementsEqual(name.utf8),
        let value = PercentEncoding.decode(pair[min(mark + 1, pair.endIndex)...], plusIsSpace: true)
      else { continue }
      found.append(value)
      if found.count == limit { break }
    }
    return found
  }
}

// MARK: - Headers

extension Request {
  /// The value of the first header of that name, without case. Bytes that are no UTF-8 are replaced.
  public func header(_ name: StaticString) -> String? {
    rawHeader(name).map { String(decoding: $0, as: UTF8.self) }
  }

  public func rawHeader(_ name: StaticString) -> ArraySlice<UInt8>? {
    let length = name.utf8CodeUnitCount
    return name.withUTF8Buffer { wanted in
      for field in head.fields where Int(field.nameEnd - field.nameStart) == length {
        if equalIgnoringCase(slice(Int(field.nameStart)..<Int(field.nameEnd)), wanted) {
          return slice(Int(field.valueStart)..<Int(field.valueEnd))
        }
      }
      return nil
    }
  }

  public func header(_ known: KnownHeader) -> ArraySlice<UInt8>? { head.value(of: known).map(slice) }

  /// The names and values of all headers in their order.
  public var headers: [(name: String, value: String)] {
    head.fields.map { field in
      (
        String(decoding: slice(Int(field.nameStart)..<Int(field.nameEnd)), as: UTF8.self),
        String(decoding: slice(Int(field.valueStart)..<Int(field.valueEnd)), as: UTF8.self)
      )
    }
  }
}

// MARK: - Tests of handlers

extension Request {
  /// A request as the parser would have made it, for tests of handlers. Nil when it is none.
  public init?(
    _ method: Method, _ target: String, headers: KeyValuePairs<String, String> = [:], body: [UInt8] = [],
    parameters: PathParameters = .none, peer: PeerAddress = .ipv4(0x7F00_0001), id: RequestID = RequestID(number: 1),
    received: Instant = Instant(seconds: 0)
  ) {
    var text = "\(method.name) \(target) HTTP/1.1\r\nHost: localhost\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    let bytes = Array((text + "\r\n").utf8)
    var parser = RequestParser()
    guard (try? parser.parse(bytes.span)) == true else { return nil }
    self.init(
      head: parser.head, bytes: bytes, start: 0, body: body[...], parameters: parameters, peer: peer, id: id,
      received: received)
  }
}
