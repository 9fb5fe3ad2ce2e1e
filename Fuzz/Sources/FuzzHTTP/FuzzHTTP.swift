import Fuzzing
import HTTP

/// The bytes of a connection: however they are cut, the same requests must come out.
@_cdecl("LLVMFuzzerTestOneInput")
public func test(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = bytes(start, count)
  let whole = Conversation(input, pieces: [count])
  check(Conversation(input, pieces: Array(repeating: 1, count: count)) == whole, "byte by byte is not the same")
  if count > 1 {
    let cut = 1 + Int(input.reduce(UInt32(7)) { $0 &* 31 &+ UInt32($1) }) % (count - 1)
    check(Conversation(input, pieces: [cut, count - cut]) == whole, "cut at \(cut) is not the same")
  }
  // The body of a chunked request alone, so that no head has to be found first.
  let chunks = Conversation(body: input, pieces: [count])
  check(Conversation(body: input, pieces: Array(repeating: 1, count: count)) == chunks, "chunks are not the same")
  for request in whole.requests { look(at: request, input) }
  return 0
}

@_cdecl("FuzzHTTP_main")
public func start(_ count: CInt, _ arguments: Arguments?) -> CInt { fuzz(count, arguments, test) }

/// What a server understood of the bytes that came.
private struct Conversation: Equatable {
  struct Request: Equatable {
    var start: Int
    var method: Method
    var minorVersion: UInt8
    var framing: BodyFraming
    var keepAlive: Bool
    var expectsContinue: Bool
    var path: Range<Int>
    var query: Range<Int>
    var length: Int
    var values: [[Range<Int>]]
    var body: [UInt8] = []
    var end = 0

    init(_ head: RequestHead, at start: Int) {
      self.start = start
      method = head.method
      minorVersion = head.minorVersion
      framing = head.framing
      keepAlive = head.keepAlive
      expectsContinue = head.expectsContinue
      path = head.path
      query = head.query
      length = head.length
      values = (KnownHeader.other.rawValue...KnownHeader.accessControlRequestMethod.rawValue).map { raw in
        KnownHeader(rawValue: raw).map { head.values(of: $0) } ?? []
      }
      end = start + head.length
    }
  }

  private enum Phase: Equatable { case head, length(Int), chunks, over }

  var requests: [Request] = []
  var error: ParseError?
  private var phase = Phase.head
  private var position = 0

  /// What is said after `pieces` of `input` have come, one after another.
  init(_ input: [UInt8], pieces: [Int]) { read(input, pieces) }

  /// The same for what follows the head of a chunked request.
  init(body input: [UInt8], pieces: [Int]) {
    requests.append(Request(RequestHead(), at: 0))
    phase = .chunks
    read(input, pieces)
  }

  private mutating func read(_ input: [UInt8], _ pieces: [Int]) {
    var parser = RequestParser()
    var chunks = ChunkedDecoder()
    var arrived = 0
    do throws(ParseError) {
      for piece in pieces {
        arrived += piece
        while try step(input, arrived, &parser, &chunks) {}
      }
    } catch {
      self.error = error
    }
  }

  /// False when more bytes are needed.
  private mutating func step(
    _ input: [UInt8], _ arrived: Int, _ parser: inout RequestParser, _ chunks: inout ChunkedDecoder
  ) throws(ParseError) -> Bool {
    let last = requests.count - 1
    switch phase {
    case .head:
      guard try parser.parse(input.span.extracting(position..<arrived)) else { return false }
      let request = Request(parser.head, at: position)
      requests.append(request)
      position += request.length
      parser.reset()
      chunks = ChunkedDecoder()
      switch request.framing {
      case .none: phase = request.keepAlive ? .head : .over
      case .length(let count): phase = .length(count)
      case .chunked: phase = .chunks
      }
    case .length(let count):
      guard arrived - position >= count else { return false }
      requests[last].body = Array(input[position..<position + count])
      position += count
      endBody()
    case .chunks:
      let found = try chunks.decode(input.span, from: &position, to: arrived)
      check(found.lowerBound >= 0 && found.upperBound <= arrived && position <= arrived, "past the end")
      requests[last].body += input[found]
      if chunks.isFinished { endBody() } else if found.isEmpty { return false }
    case .over: return false
    }
    return phase != .over && position < arrived
  }

  private mutating func endBody() {
    requests[requests.count - 1].end = position
    phase = requests[requests.count - 1].keepAlive ? .head : .over
  }
}

/// The parts of a request must lie where they can, and reading their text must not fail.
private func look(at request: Conversation.Request, _ input: [UInt8]) {
  let head = 0..<request.length
  check(request.length <= RequestParser.headMax, "a head of \(request.length) bytes")
  check(!request.path.isEmpty && head.contains(request.path.lowerBound), "the path is outside")
  check(max(request.path.upperBound, request.query.upperBound) <= request.length, "the target is outside")
  let path = input[request.start + request.path.lowerBound..<request.start + request.path.upperBound]
  let query = input[request.start + request.query.lowerBound..<request.start + request.query.upperBound]
  check(path.first == 0x2F || path.elementsEqual([0x2A]), "a path without a slash")
  for (text, plusIsSpace) in [(path, false), (query, true)] {
    guard let decoded = PercentEncoding.decode(text, plusIsSpace: plusIsSpace) else { continue }
    let again = PercentEncoding.decode(Array(PercentEncoding.encode(decoded).utf8)[...])
    check(again == decoded, "percent-encoding does not come back")
  }
  for range in request.values.joined() {
    let value = input[request.start + range.lowerBound..<request.start + range.upperBound]
    check(!value.contains { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F }, "a control character in a header")
    let text = String(decoding: value, as: UTF8.self)
    if let address = PeerAddress(text) { check(PeerAddress("\(address)") == address, "\(address) does not come back") }
    _ = AddressBlock(text)
  }
}
