/// Reads the head of an HTTP/1 request, as strictly as RFC 9112 allows a server to be.
///
/// It looks at every byte once. When the bytes end before the head does, ``parse(_:)`` returns false and goes on where it
/// stopped when it is called again with more bytes behind the same ones: any split of a request gives the same result.
public struct RequestParser: Sendable {
  /// Bytes of a head with its request line, of a request target, and the number of fields.
  public static let headMax = 16 << 10
  public static let targetMax = 8 << 10
  public static let fieldsMax = 64
  private static let methodMax = 16

  private enum Phase: UInt8 {
    case start, startLineFeed, method, target, version, requestLineFeed
    case fieldStart, name, beforeValue, value, valueLineFeed, endLineFeed
    case finished
  }

  public private(set) var head = RequestHead()
  private var phase = Phase.start
  /// The next byte to look at.
  private var position = 0
  /// Where the token that is being read starts.
  private var mark = 0
  private var nameEnd = 0
  private var target = 0..<0
  private var host: Range<Int>?
  private var contentLength: Int?
  private var isChunked = false
  private var saysClose = false
  private var saysKeepAlive = false
  private var expects: Range<Int>?

  public init() { head.fields.reserveCapacity(16) }

  /// Ready for the next request. Keeps its memory.
  public mutating func reset() {
    head.reset()
    phase = .start
    position = 0
    mark = 0
    host = nil
    contentLength = nil
    isChunked = false
    saysClose = false
    saysKeepAlive = false
    expects = nil
  }

  /// True when nothing but an empty line has been read.
  public var isAtStart: Bool { phase == .start }

  /// True when the head is complete; it then stands in ``head``. `bytes` starts with the first byte of the head on every call.
  public mutating func parse(_ bytes: Span<UInt8>) throws(ParseError) -> Bool {
    let end = min(bytes.count, Self.headMax)
    while position < end {
      switch phase {
      case .start, .startLineFeed, .method: try readMethod(bytes, end)
      case .target: try readTarget(bytes, end)
      case .version: try readVersion(bytes, end)
      case .requestLineFeed, .valueLineFeed: try expectLineFeed(bytes, then: .fieldStart)
      case .fieldStart: try startField(bytes)
      case .name: try readName(bytes, end)
      case .beforeValue, .value: try readValue(bytes, end)
      case .endLineFeed:
        try expectLineFeed(bytes, then: .finished)
        head.length = position
        try finish(bytes)
        return true
      case .finished: return true
      }
    }
    if position >= Self.headMax, phase != .finished { throw .headTooLarge }
    return phase == .finished
  }
}

// MARK: - Request line

extension RequestParser {
  private mutating func readMethod(_ bytes: Span<UInt8>, _ end: Int) throws(ParseError) {
    if phase == .start {
      // One empty line before a request is forgiven (RFC 9112 section 2.2).
      if bytes[position] == 0x0D, position == 0 {
        phase = .startLineFeed
        position += 1
        return
      }
      mark = position
      phase = .method
    } else if phase == .startLineFeed {
      return try expectLineFeed(bytes, then: .start)
    }
    let bound = min(end, mark + Self.methodMax + 1)
    while position < bound, isTokenByte(bytes[position]) { position += 1 }
    if position == bound {
      if position - mark > Self.methodMax { throw .unknownMethod }
      return
    }
    guard bytes[position] == 0x20, position > mark else { throw .malformed("method") }
    head.method = try method(bytes)
    position += 1
    mark = position
    phase = .target
  }

  private func method(_ bytes: Span<UInt8>) throws(ParseError) -> Method {
    let range = mark..<position
    switch (range.count, bytes[mark]) {
    case (3, 0x47) where same(bytes, range, "GET"): return .get
    case (3, 0x50) where same(bytes, range, "PUT"): return .put
    case (4, 0x50) where same(bytes, range, "POST"): return .post
    case (4, 0x48) where same(bytes, range, "HEAD"): return .head
    case (5, 0x50) where same(bytes, range, "PATCH"): return .patch
    case (6, 0x44) where same(bytes, range, "DELETE"): return .delete
    case (7, 0x4F) where same(bytes, range, "OPTIONS"): return .options
    default: throw .unknownMethod
    }
  }

  private mutating func readTarget(_ bytes: Span<UInt8>, _ end: Int) throws(ParseError) {
    let bound = min(end, mark + Self.targetMax + 1)
    while position < bound, isTargetByte(bytes[position]) { position += 1 }
    if position == bound {
      if position - mark > Self.targetMax { throw .targetTooLong }
      return
    }
    guard bytes[position] == 0x20, position > mark else { throw .malformed("request target") }
    target = mark..<position
    position += 1
    mark = position
    phase = .version
  }

  private mutating func readVersion(_ bytes: Span<UInt8>, _ end: Int) throws(ParseError) {
    let form: StaticString = "HTTP/1.1\r"
    while position < end {
      let byte = bytes[position]
      let place = position - mark
      switch place {
      case 5, 7: guard byte &- 0x30 < 10 else { throw .malformed("HTTP version") }
      default: guard byte == form.utf8Start[place] else { throw .malformed("HTTP version") }
      }
      position += 1
      if place == 8 {
        guard bytes[mark + 5] == 0x31, bytes[mark + 7] < 0x32 else { throw .unknownVersion }
        head.minorVersion = bytes[mark + 7] - 0x30
        phase = .requestLineFeed
        return
      }
    }
  }

  private mutating func expectLineFeed(_ bytes: Span<UInt8>, then next: Phase) throws(ParseError) {
    guard bytes[position] == 0x0A else { throw .malformed("carriage return without line feed") }
    position += 1
    phase = next
  }
}

// MARK: - Fields

extension RequestParser {
  private mutating func startField(_ bytes: Span<UInt8>) throws(ParseError) {
    let byte = bytes[position]
    if byte == 0x0D {
      position += 1
      phase = .endLineFeed
    } else if isTokenByte(byte) {
      if head.fields.count == Self.fieldsMax { throw .headTooLarge }
      mark = position
      phase = .name
    } else {
      throw .malformed(byte == 0x20 || byte == 0x09 ? "folded header" : "header name")
    }
  }

  private mutating func readName(_ bytes: Span<UInt8>, _ end: Int) throws(ParseError) {
    var at = position
    while at < end, isTokenByte(bytes[at]) { at += 1 }
    position = at
    if at == end { return }
    guard bytes[at] == 0x3A else { throw .malformed("header name") }
    nameEnd = at
    position = at + 1
    phase = .beforeValue
  }

  private mutating func readValue(_ bytes: Span<UInt8>, _ end: Int) throws(ParseError) {
    var at = position
    if phase == .beforeValue {
      while at < end, bytes[at] == 0x20 || bytes[at] == 0x09 { at += 1 }
      position = at
      if at == end { return }
      let name = mark..<nameEnd
      head.fields.append(
        HeaderField(
          nameStart: UInt16(name.lowerBound), nameEnd: UInt16(name.upperBound), valueStart: UInt16(at), valueEnd: 0,
          known: KnownHeader(bytes, name)))
      mark = at
      phase = .value
    }
    while at < end, isFieldValueByte(bytes[at]) { at += 1 }
    position = at
    if at == end { return }
    guard bytes[at] == 0x0D else { throw .malformed("control character in a header") }
    position = at + 1
    while at > mark, bytes[at - 1] == 0x20 || bytes[at - 1] == 0x09 { at -= 1 }
    let last = head.fields.count - 1
    head.fields[last].valueEnd = UInt16(at)
    phase = .valueLineFeed
    if head.fields[last].known != .other { try take(head.fields[last].known, mark..<at, bytes) }
  }

  /// What the fields that frame the message mean (RFC 9112 sections 3.2, 6 and 9.3).
  private mutating func take(_ known: KnownHeader, _ value: Range<Int>, _ bytes: Span<UInt8>) throws(ParseError) {
    switch known {
    case .host:
      guard host == nil else { throw .malformed("more than one Host") }
      guard isAuthority(bytes, value) else { throw .malformed("Host") }
      host = value
    case .contentLength:
      guard contentLength == nil else { throw .malformed("more than one Content-Length") }
      contentLength = try decimal(bytes, value)
    case .transferEncoding:
      guard !isChunked, same(bytes, value, "chunked", ignoringCase: true) else { throw .malformed("Transfer-Encoding") }
      isChunked = true
    case .connection: readConnection(bytes, value)
    case .expect: expects = value
    default: break
    }
  }

  private mutating func readConnection(_ bytes: Span<UInt8>, _ value: Range<Int>) {
    var start = value.lowerBound
    while start < value.upperBound {
      var end = start
      while end < value.upperBound, bytes[end] != 0x2C { end += 1 }
      let next = end + 1
      while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
      while end > start, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
      if same(bytes, start..<end, "close", ignoringCase: true) { saysClose = true }
      if same(bytes, start..<end, "keep-alive", ignoringCase: true) { saysKeepAlive = true }
      start = next
    }
  }

  /// Digits only: no sign, no list, no white space (RFC 9110 section 8.6).
  private func decimal(_ bytes: Span<UInt8>, _ range: Range<Int>) throws(ParseError) -> Int {
    guard (1...15).contains(range.count) else { throw .malformed("Content-Length") }
    var value = 0
    for at in range {
      guard case let digit = bytes[at] &- 0x30, digit < 10 else { throw .malformed("Content-Length") }
      value = value * 10 + Int(digit)
    }
    return value
  }

  private func isAuthority(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard !range.isEmpty else { return false }
    for at in range {
      switch bytes[at] {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x3A, 0x5B, 0x5D, 0x5F, 0x25, 0x7E: continue
      default: return false
      }
    }
    return true
  }
}

// MARK: - The whole head

extension RequestParser {
  private mutating func finish(_ bytes: Span<UInt8>) throws(ParseError) {
    guard host != nil || head.minorVersion == 0 else { throw .malformed("no Host") }
    head.keepAlive = !saysClose && (head.minorVersion == 1 || saysKeepAlive)
    if isChunked {
      guard contentLength == nil else { throw .malformed("Content-Length with Transfer-Encoding") }
      guard head.minorVersion == 1 else { throw .malformed("Transfer-Encoding in HTTP/1.0") }
      head.framing = .chunked
    } else if let contentLength, contentLength > 0 {
      head.framing = .length(contentLength)
    }
    if let expects, head.minorVersion == 1 {
      guard same(bytes, expects, "100-continue", ignoringCase: true) else { throw .unknownExpectation }
      head.expectsContinue = head.framing != .none
    }
    try splitTarget(bytes)
  }

  private mutating func splitTarget(_ bytes: Span<UInt8>) throws(ParseError) {
    var start = target.lowerBound
    if bytes[start] != 0x2F {
      if target.count == 1, bytes[start] == 0x2A, head.method == .options {
        head.path = target
        return
      }
      start = try skipAuthority(bytes)
    }
    var end = start
    while end < target.upperBound, bytes[end] != 0x3F { end += 1 }
    // An absolute target without a path means "/", which its "//" can lend.
    head.path = start < end ? start..<end : (target.lowerBound + 6)..<(target.lowerBound + 7)
    if end < target.upperBound { head.query = (end + 1)..<target.upperBound }
  }

  /// The absolute form, which a server must take (RFC 9112 section 3.2.2). Its authority has to be the one of `Host`.
  private func skipAuthority(_ bytes: Span<UInt8>) throws(ParseError) -> Int {
    var start = target.lowerBound
    for prefix in ["http://", "https://"] as [StaticString] {
      let length = prefix.utf8CodeUnitCount
      guard target.count > length, same(bytes, start..<start + length, prefix, ignoringCase: true) else { continue }
      start += length
      break
    }
    guard start > target.lowerBound else { throw .malformed("request target") }
    var end = start
    while end < target.upperBound, bytes[end] != 0x2F, bytes[end] != 0x3F { end += 1 }
    guard isAuthority(bytes, start..<end) else { throw .malformed("request target") }
    if let host {
      guard host.count == end - start else { throw .malformed("Host is not that of the target") }
      for place in 0..<host.count
      where lowercased(bytes[start + place]) != lowercased(bytes[host.lowerBound + place]) {
        throw .malformed("Host is not that of the target")
      }
    }
    return end
  }
}

// MARK: - Comparing

private func same(_ bytes: Span<UInt8>, _ range: Range<Int>, _ text: StaticString, ignoringCase: Bool = false) -> Bool {
  guard range.count == text.utf8CodeUnitCount else { return false }
  for place in 0..<range.count {
    let byte = bytes[range.lowerBound + place]
    if (ignoringCase ? lowercased(byte) : byte) != text.utf8Start[place] { return false }
  }
  return true
}

extension KnownHeader {
  init(_ bytes: Span<UInt8>, _ name: Range<Int>) {
    func named(_ text: StaticString, _ known: KnownHeader) -> KnownHeader? {
      same(bytes, name, text, ignoringCase: true) ? known : nil
    }
    let known: KnownHeader? =
      switch name.count {
      case 4: named("host", .host)
      case 6: named("expect", .expect) ?? named("origin", .origin)
      case 10: named("connection", .connection)
      case 12: named("content-type", .contentType) ?? named("x-request-id", .requestID)
      case 13: named("if-none-match", .ifNoneMatch)
      case 14: named("content-length", .contentLength)
      case 15: named("accept-encoding", .acceptEncoding) ?? named("x-forwarded-for", .forwardedFor)
      case 16: named("content-encoding", .contentEncoding)
      case 17: named("transfer-encoding", .transferEncoding)
      case 29: named("access-control-request-method", .accessControlRequestMethod)
      default: nil
      }
    self = known ?? .other
  }
}
