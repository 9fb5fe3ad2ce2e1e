import Basics
import HTTP
import Runtime

extension Connection {
  /// Starts the task of a handler. Nothing that it brings counts once ``number`` has moved on.
  func start(_ route: Route, _ handler: @escaping () async throws -> Response) {
    state = .handling
    deadline = loop.deadline(route.timeLimit.map(nanoseconds) ?? loop.limits.handler)
    let number = number
    // No capture list: with one, Swift 6.3 does not let the closure inherit the isolation of its caller.
    task = loop.reactor.spawn { await self.perform(handler, number) }
  }

  private func perform(_ handler: () async throws -> Response, _ number: UInt64) async {
    let response: Response
    do {
      response = try await handler()
    } catch {
      if self.number != number { return }
      response = loop.response(for: error, exchange)
    }
    if self.number != number { return }
    if case .stream(let write) = response.body, exchange.method != .head, response.status.allowsBody {
      await deliver(response, write)
    } else {
      answer(response)
    }
    if state == .head { readRequests() }
  }

  /// An answer to a request that cannot be read to its end: the last one on this connection.
  func refuse(_ error: HTTPError) {
    if state == .head {
      number &+= 1
      exchange = Exchange()
      exchange.id = loop.nextRequestID()
      exchange.peer = address
      exchange.started = loop.reactor.now
    }
    exchange.keepAlive = false
    answer(error.response(id: exchange.id))
  }

  /// Writes the answer and gets ready for the next request.
  func answer(_ response: Response) {
    var response = response
    prepare(&response)
    var bytes: [UInt8] = []
    var isStream = false
    switch response.body {
    case .empty: break
    case .bytes(let whole): bytes = whole
    case .stream: isStream = true
    }
    let isCompressible = response.status.allowsBody && isCompressible(response)
    var isGzipped = false
    if isCompressible, exchange.acceptsGzip, bytes.count >= 1024, let encoder = loop.encoder {
      bytes = encoder.compress(bytes)
      isGzipped = true
    }
    let length: AnswerHead.Length =
      if !response.status.allowsBody { .none } else if !isStream { .bytes(bytes.count) } else {
        exchange.isVersion10 ? .untilClose : .chunked
      }
    writeHead(response, length, isGzipped: isGzipped, variesByEncoding: isCompressible)
    let hasBody = exchange.method != .head && response.status.allowsBody && !bytes.isEmpty
    if hasBody { output.append(bytes) }
    finish(response.status, bytes: hasBody ? bytes.count : 0)
  }

  private func prepare(_ response: inout Response) {
    if loop.isDraining || peerClosed && input == nil { exchange.keepAlive = false }
    if let bodyStream, !bodyStream.isFinished { exchange.keepAlive = false }
    if let condition = exchange.ifNoneMatch, response.status == .ok,
      let tag = response.headers.first(where: { $0.0 == .etag })?.1, matches(condition, tag: tag)
    {
      response.status = .notModified
      response.contentType = nil
      response.body = .empty
    }
  }

  private func writeHead(
    _ response: Response, _ length: AnswerHead.Length, isGzipped: Bool, variesByEncoding: Bool
  ) {
    loop.takeOutput(&output.open)
    loop.plan.answerHead.write(
      response, exchange, length, isGzipped: isGzipped, variesByEncoding: variesByEncoding,
      date: loop.dateLine(), to: &output.open)
  }

  private func isCompressible(_ response: Response) -> Bool {
    guard loop.plan.configuration.gzip, let type = response.contentType else { return false }
    let isText = type.hasPrefix("application/json") || type.hasPrefix("text/") || type == MediaType.ndjson
    return isText && type != MediaType.eventStream && !response.headers.contains { $0.0 == "Content-Encoding" }
  }

  private func finish(_ status: Status, bytes: Int) {
    loop.observe(exchange, status, bytes: bytes)
    task = nil
    bodyStream = nil
    stream = nil
    body = nil
    number &+= 1
    releaseBody()
    state = .head
    deadline = loop.deadline(loop.limits.idle)
    if !exchange.keepAlive { closesAfterFlush = true }
    markDirty()
  }
}

// MARK: - Streamed answers

extension Connection {
  private func deliver(_ response: Response, _ write: @Sendable (BodyWriter) async throws -> Void) async {
    var response = response
    if exchange.isVersion10 { exchange.keepAlive = false }
    prepare(&response)
    guard case .stream = response.body else { return answer(response) }
    let isCompressible = isCompressible(response)
    let encoder = isCompressible && exchange.acceptsGzip ? GzipEncoder() : nil
    bodyStream?.allowSending()
    writeHead(
      response, exchange.isVersion10 ? .untilClose : .chunked, isGzipped: encoder != nil,
      variesByEncoding: isCompressible)
    markDirty()
    deadline = .max
    let stream = AnswerStream(self, isChunked: !exchange.isVersion10, encoder: encoder)
    stream.endsOnDrain = response.contentType == MediaType.eventStream
    self.stream = stream
    if stream.endsOnDrain, loop.isDraining { task?.cancel() }
    var failure: (any Error)?
    do { try await write(BodyWriter(stream)) } catch { failure = error }
    if stream.isAbandoned { return }
    if let failure, !(stream.endsOnDrain && loop.isDraining) {
      loop.logCut(exchange, failure)
      loop.observe(exchange, response.status, bytes: stream.bytes)
      return cut()
    }
    if loop.isDraining { exchange.keepAlive = false }
    stream.end()
    finish(response.status, bytes: stream.bytes)
  }
}

/// The body of one streamed answer.
final class AnswerStream: BodySink {
  private let connection: Connection
  private let number: UInt64
  private let isChunked: Bool
  private let encoder: GzipEncoder?
  private var waiter: UnsafeContinuation<Void, Never>?
  private(set) var bytes = 0
  /// Live events have no end of their own.
  var endsOnDrain = false

  init(_ connection: Connection, isChunked: Bool, encoder: GzipEncoder?) {
    self.connection = connection
    self.isChunked = isChunked
    self.encoder = encoder
    number = connection.number
  }

  /// The connection is gone or has been taken away from the handler.
  var isAbandoned: Bool { connection.number != number || connection.state != .handling }

  func write(_ bytes: [UInt8]) async throws {
    connection.loop.reactor.loop.preconditionIsolated("a streamed answer is written on its loop")
    if isAbandoned { throw CancellationError() }
    if bytes.isEmpty { return }
    append(encoder?.write(bytes) ?? bytes)
    while !isAbandoned, !Task.isCancelled, connection.output.pending > Connection.outputMax {
      await waitForRoom()
    }
    if isAbandoned || Task.isCancelled { throw CancellationError() }
  }

  // Without the explicit isolation the continuation would resume by way of another thread.
  private func waitForRoom(isolation: isolated (any Actor)? = #isolation) async {
    await withUnsafeContinuation { waiter = $0 }
  }

  func end() {
    if let encoder { append(encoder.finish()) }
    if isChunked { connection.output.open.append("0\r\n\r\n") }
  }

  private func append(_ piece: [UInt8]) {
    if piece.isEmpty { return }
    bytes += piece.count
    connection.loop.takeOutput(&connection.output.open)
    if isChunked {
      connection.output.open.appendHexadecimal(piece.count)
      connection.output.open.append("\r\n")
    }
    connection.output.append(piece)
    if isChunked { connection.output.open.append("\r\n") }
    connection.markDirty()
  }

  /// There is room again, or nobody takes the bytes any more.
  func resume() {
    let waiting = waiter
    waiter = nil
    waiting?.resume()
  }
}

func nanoseconds(_ duration: Duration) -> UInt64 { UInt64(max(0, duration.microseconds)) &* 1000 }
