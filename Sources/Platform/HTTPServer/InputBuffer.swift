import Glibc
import HTTP

/// Received bytes that are not dealt with yet, and the parser that reads them. Only connections in the middle of a request hold one.
final class InputBuffer {
  /// A head of the largest size and room for body behind it.
  static let capacity = RequestParser.headMax + (8 << 10)

  private(set) var bytes = [UInt8](repeating: 0, count: capacity)
  /// The first byte of the request that is being read.
  private(set) var start = 0
  private(set) var filled = 0
  private var parser = RequestParser()

  var count: Int { filled - start }
  var isEmpty: Bool { start == filled }
  var isFull: Bool { start == 0 && filled == Self.capacity }
  var head: RequestHead { parser.head }
  /// Whether a request has begun.
  var hasPartialHead: Bool { !isEmpty }

  /// What `read` said: a count, 0 at the end, -1 with `errno`.
  func receive(from descriptor: CInt) -> Int {
    if start > 0 { compact() }
    let room = Self.capacity - filled
    let count = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress.map { $0 + filled }, room, 0) }
    if count > 0 { filled += count }
    return count
  }

  private func compact() {
    bytes.withUnsafeMutableBytes { all in
      guard let base = all.baseAddress else { return }
      memmove(base, base + start, filled - start)
    }
    filled -= start
    start = 0
  }

  /// True when the head of the next request is complete.
  func parseHead() throws(ParseError) -> Bool {
    try bytes.parse(start..<filled, with: &parser)
  }

  /// Counted from ``start``.
  func slice(_ range: Range<Int>) -> ArraySlice<UInt8> {
    bytes[start + range.lowerBound..<start + range.upperBound]
  }

  func copy(_ range: Range<Int>) -> [UInt8] { Array(slice(range)) }

  /// The first `length` bytes belong to a request that is read.
  func consume(_ length: Int) {
    start += length
    if start == filled {
      start = 0
      filled = 0
    }
  }

  /// The next byte starts a request.
  func beginRequest() { parser.reset() }

  /// Takes the bytes of a chunked body that are here. Returns what is data.
  func takeChunks(_ decoder: inout ChunkedDecoder, into body: inout [UInt8]) throws(ParseError) {
    var position = start
    while !decoder.isFinished, position < filled {
      let data = try bytes.decode(&position, filled, with: &decoder)
      if !data.isEmpty { body.append(contentsOf: bytes[data]) }
    }
    consume(position - start)
  }

  /// Takes at most `limit` bytes as they are.
  func take(_ limit: Int, into body: inout [UInt8]) -> Int {
    let length = min(limit, count)
    body.append(contentsOf: bytes[start..<start + length])
    consume(length)
    return length
  }

  func clear() {
    start = 0
    filled = 0
    parser.reset()
  }
}

// A span of a class's property does not outlive the access to the property; inside the array it does.
extension [UInt8] {
  fileprivate func parse(_ range: Range<Int>, with parser: inout RequestParser) throws(ParseError) -> Bool {
    try parser.parse(span.extracting(range))
  }

  fileprivate func decode(
    _ position: inout Int, _ end: Int, with decoder: inout ChunkedDecoder
  ) throws(ParseError) -> Range<Int> {
    try decoder.decode(span, from: &position, to: end)
  }
}
