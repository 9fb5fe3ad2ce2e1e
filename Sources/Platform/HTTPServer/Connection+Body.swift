import HTTP

/// A body that did not come with its head.
final class BodyCollector {
  let head: RequestHead
  let headBytes: [UInt8]
  let route: Int
  let spans: PathSpans
  var bytes: [UInt8] = []
  var remaining = 0
  var decoder: ChunkedDecoder?
  /// Monotonic nanoseconds; and bytes as they came.
  var started: UInt64 = 0

  init(_ head: RequestHead, _ headBytes: [UInt8], _ route: Int, _ spans: PathSpans) {
    self.head = head
    self.headBytes = headBytes
    self.route = route
    self.spans = spans
    switch head.framing {
    case .none: break
    case .length(let count):
      remaining = count
      // The client's word is not worth more memory than this.
      bytes.reserveCapacity(min(count, 64 << 10))
    case .chunked: decoder = ChunkedDecoder()
    }
  }

  var isFinished: Bool { decoder?.isFinished ?? (remaining == 0) }

  func take(from input: InputBuffer) throws(ParseError) {
    if var decoder {
      try input.takeChunks(&decoder, into: &bytes)
      self.decoder = decoder
    } else {
      remaining -= input.take(remaining, into: &bytes)
    }
  }
}

extension Connection {
  func collect(_ collector: BodyCollector, continues: Bool) {
    state = .body
    collector.started = loop.reactor.now
    body = collector
    if continues { sendContinue() }
    readBody()
  }

  func sendContinue() {
    loop.takeOutput(&output.open)
    output.open.append("HTTP/1.1 100 Continue\r\n\r\n")
    markDirty()
  }

  func readBody() {
    guard let collector = body, let input else { return }
    let route = loop.plan.routes[collector.route]
    let before = collector.bytes.count
    do { try collector.take(from: input) } catch { return refuse(error.answer) }
    guard collector.bytes.count <= route.bodyLimit else { return refuse(.payloadTooLarge(limit: route.bodyLimit)) }
    guard hold(collector.bytes.count - before) else { return refuse(.unavailable(retryAfter: 1)) }
    if collector.isFinished {
      body = nil
      let request = makeRequest(
        collector.head, collector.headBytes, 0, collector.bytes[...], collector.route, collector.spans)
      run(request, isGzipped: isGzipped(collector.head), route)
      if state == .head { readRequests() }
      return
    }
    deadline = bodyDeadline(since: collector.started, received: collector.bytes.count)
    setInterest(interest.union(.read))
  }

  /// A pause of the idle limit is forgiven, and the same once over the slowest allowed rate.
  private func bodyDeadline(since started: UInt64, received: Int) -> UInt64 {
    let idle = loop.deadline(loop.limits.bodyIdle)
    let rate = max(1, loop.plan.configuration.bodyRateMin)
    let slowest = started &+ loop.limits.bodyIdle &+ UInt64(received) &* 1_000_000_000 / UInt64(rate)
    return min(idle, slowest)
  }

  /// False when the loop holds as many bytes of bodies as it may.
  @discardableResult
  func hold(_ count: Int) -> Bool {
    bodyBytes += count
    loop.bodyBytes += count
    return loop.bodyBytes <= loop.plan.configuration.bufferedBodyBytesMax
  }

  func releaseBody() {
    loop.bodyBytes -= bodyBytes
    bodyBytes = 0
  }
}

// MARK: - Streamed bodies

/// Gives a handler the body while it arrives.
final class BodyStream: BodySource {
  private let connection: Connection
  private let number: UInt64
  private let limit: Int
  private var remaining = 0
  private var decoder: ChunkedDecoder?
  private var expectsContinue: Bool
  private var total = 0
  private var waiter: UnsafeContinuation<Void, Never>?

  init(_ connection: Connection, _ head: RequestHead, limit: Int) {
    self.connection = connection
    self.limit = limit
    number = connection.number
    expectsContinue = head.expectsContinue
    switch head.framing {
    case .none: break
    case .length(let count): remaining = count
    case .chunked: decoder = ChunkedDecoder()
    }
  }

  var isFinished: Bool { decoder?.isFinished ?? (remaining == 0) }
  var isWaiting: Bool { waiter != nil }

  func next() async throws -> [UInt8]? {
    connection.loop.reactor.loop.preconditionIsolated("a streamed body is read on its loop")
    while true {
      guard connection.number == number else { throw CancellationError() }
      if let piece = try take() { return piece }
      if isFinished { return nil }
      if connection.peerClosed { throw HTTPError.badRequest("The body was cut off") }
      allowSending()
      connection.setInterest(connection.interest.union([.read, .peerClosed]))
      let handlerDeadline = connection.deadline
      connection.deadline = connection.loop.deadline(connection.loop.limits.bodyIdle)
      await waitForBytes()
      if connection.number == number { connection.deadline = handlerDeadline }
    }
  }

  /// Tells a client that waits for it to send its body. Before the head of an answer, or the client takes it for what
  /// the answer holds (RFC 9110 section 15.2: an interim response precedes the final one).
  func allowSending() {
    guard expectsContinue, !isFinished else { return }
    expectsContinue = false
    connection.sendContinue()
  }

  // Without the explicit isolation the continuation would resume by way of another thread.
  private func waitForBytes(isolation: isolated (any Actor)? = #isolation) async {
    await withUnsafeContinuation { waiter = $0 }
  }

  private func take() throws -> [UInt8]? {
    guard let input = connection.input, !input.isEmpty, !isFinished else { return nil }
    var piece: [UInt8] = []
    if var decoder {
      try input.takeChunks(&decoder, into: &piece)
      self.decoder = decoder
    } else {
      remaining -= input.take(remaining, into: &piece)
    }
    total += piece.count
    guard total <= limit else { throw HTTPError.payloadTooLarge(limit: limit) }
    expectsContinue = false
    return piece.isEmpty ? nil : piece
  }

  /// Bytes came, or none will.
  func wake() {
    let waiting = waiter
    waiter = nil
    waiting?.resume()
  }
}
