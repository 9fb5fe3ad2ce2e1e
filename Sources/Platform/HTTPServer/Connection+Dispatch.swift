import HTTP

extension Connection {
  /// Takes the complete head that stands at the start of `input` and answers it, or starts what will.
  func dispatch(_ input: InputBuffer) {
    let head = input.head
    begin(head, input)
    switch loop.plan.router.match(head.method, input.slice(head.path)) {
    case .route(let index, let spans):
      exchange.route = index
      let route = loop.plan.routes[index].taking(head.value(of: .contentType).map(input.slice))
      if let error = objection(to: head, input, route) {
        return answerWithoutBody(error.response(id: exchange.id), head, input)
      }
      take(head, input, route, index, spans)
    case .otherMethod(let allow):
      let isOptions = head.method == .options
      let response = isOptions ? options(allow, head, input) : refusal(.methodNotAllowed(allow: allow))
      answerWithoutBody(response, head, input)
    case .unknownPath:
      if head.method == .options, input.slice(head.path).first == 0x2A {
        return answerWithoutBody(options(Self.everyMethod, head, input), head, input)
      }
      answerWithoutBody(refusal(.notFound()), head, input)
    case .badPath: answerWithoutBody(refusal(.badRequest("The path is not valid")), head, input)
    }
  }

  private static let everyMethod = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

  private func refusal(_ error: HTTPError) -> Response { error.response(id: exchange.id) }

  private func begin(_ head: RequestHead, _ input: InputBuffer) {
    exchange = Exchange()
    exchange.method = head.method
    exchange.isVersion10 = head.minorVersion == 0
    exchange.keepAlive = head.keepAlive
    exchange.started = loop.reactor.now
    exchange.peer = address
    let given = head.value(of: .requestID).flatMap { RequestID(input.slice($0)) }
    exchange.id = given ?? loop.nextRequestID()
    if loop.plan.configuration.gzip, let accepted = head.value(of: .acceptEncoding) {
      exchange.acceptsGzip = acceptsGzip(input.slice(accepted))
    }
    if let origin = head.value(of: .origin) { exchange.origin = loop.plan.answerHead.origin(input.slice(origin)) }
    if let tag = head.value(of: .ifNoneMatch), head.method == .get || head.method == .head {
      exchange.ifNoneMatch = String(decoding: input.slice(tag), as: UTF8.self)
    }
    if loop.plan.isTrusted(address) {
      exchange.peer = loop.plan.client(behind: address, head.values(of: .forwardedFor).map(input.slice))
    }
  }

  /// `Allow`, and what a browser asks before it sends a request from an allowed origin.
  private func options(_ allow: String, _ head: RequestHead, _ input: InputBuffer) -> Response {
    var response = Response(.noContent, headers: [(.allow, allow)])
    if exchange.origin != nil, head.value(of: .accessControlRequestMethod) != nil {
      response.headers += AnswerHead.preflight
    }
    return response
  }

  /// What is wrong before the body is looked at.
  private func objection(to head: RequestHead, _ input: InputBuffer, _ route: Route) -> HTTPError? {
    if !head.query.isEmpty, !isValidQuery(input.slice(head.query)) { return .badRequest("The query is not valid") }
    if head.framing == .none { return nil }
    if case .length(let length) = head.framing, length > route.bodyLimit {
      return .payloadTooLarge(limit: route.bodyLimit)
    }
    if let coding = head.value(of: .contentEncoding) {
      guard isGzip(input.slice(coding)), !route.isStreamed else {
        var error = HTTPError.unsupportedMediaType("Content-Encoding can be gzip")
        error.headers = [("Accept-Encoding", "gzip")]
        return error
      }
    }
    if route.content == .json, let type = head.value(of: .contentType), !isJSON(input.slice(type)) {
      return .unsupportedMediaType("Content-Type must be application/json")
    }
    return nil
  }

  /// The body, when there is one, has not been read: it is skipped if it is here, else the connection ends with this answer.
  private func answerWithoutBody(_ response: Response, _ head: RequestHead, _ input: InputBuffer) {
    input.consume(head.length)
    switch head.framing {
    case .none: break
    case .length(let length) where length <= input.count: input.consume(length)
    default: exchange.keepAlive = false
    }
    answer(response)
  }
}

// MARK: - Running the route

extension Connection {
  private func take(_ head: RequestHead, _ input: InputBuffer, _ route: Route, _ index: Int, _ spans: PathSpans) {
    if case .streamed(let handler) = route.action {
      let request = makeRequest(head, input.copy(0..<head.length), 0, [], index, spans)
      input.consume(head.length)
      let stream = BodyStream(self, head, limit: route.bodyLimit)
      bodyStream = stream
      return start(route) { try await handler(request, BodyReader(stream)) }
    }
    let length: Int
    switch head.framing {
    case .none: length = 0
    case .length(let count) where head.length + count <= input.count: length = count
    default:
      let collector = BodyCollector(head, input.copy(0..<head.length), index, spans)
      input.consume(head.length)
      return collect(collector, continues: head.expectsContinue && input.isEmpty)
    }
    let end = head.length + length
    let response: Response? =
      switch route.action {
      case .immediate(let handler): answered(handler, head, input, end, index, spans)
      case .eager(let atOnce, _): answered(atOnce, head, input, end, index, spans)
      case .whole, .streamed: nil
      }
    if let response {
      input.consume(end)
      return answer(response)
    }
    let bytes = input.copy(0..<end)
    input.consume(end)
    run(makeRequest(head, bytes, 0, bytes[head.length...], index, spans), isGzipped: isGzipped(head), route)
  }

  /// The request is read where it was received; the copy is only made if the handler keeps it.
  private func answered(
    _ handler: (Request) -> Response?, _ head: RequestHead, _ input: InputBuffer, _ end: Int, _ index: Int,
    _ spans: PathSpans
  ) -> Response? {
    var request = makeRequest(head, input.bytes, input.start, input.slice(head.length..<end), index, spans)
    if isGzipped(head), let error = inflate(&request, loop.plan.routes[index]) { return refusal(error) }
    return handler(request)
  }

  func run(_ request: Request, isGzipped: Bool, _ route: Route) {
    var inflated = request
    if isGzipped, let error = inflate(&inflated, route) { return answer(refusal(error)) }
    let request = inflated
    switch route.action {
    case .immediate(let handler): answer(handler(request))
    case .eager(_, let handler), .whole(let handler): start(route) { try await handler(request) }
    case .streamed: preconditionFailure("a streamed route never collects a body")
    }
  }

  private func inflate(_ request: inout Request, _ route: Route) -> HTTPError? {
    do {
      let inflated = try Gzip.inflate(request.body, limit: route.bodyLimit)
      hold(inflated.count)
      request.body = inflated[...]
      return nil
    } catch {
      return switch error {
      case .tooLarge: .payloadTooLarge(limit: route.bodyLimit)
      case .malformed: .badRequest("The body is not valid gzip")
      }
    }
  }

  func isGzipped(_ head: RequestHead) -> Bool { head.framing != .none && head.value(of: .contentEncoding) != nil }

  func makeRequest(
    _ head: RequestHead, _ bytes: [UInt8], _ start: Int, _ body: ArraySlice<UInt8>, _ index: Int, _ spans: PathSpans
  ) -> Request {
    let names = loop.plan.router.parameterNames[index]
    return Request(
      head: head, bytes: bytes, start: start, body: body,
      parameters: PathParameters(names: names, bytes: bytes, start: start + head.path.lowerBound, spans: spans),
      peer: exchange.peer, id: exchange.id, received: loop.plan.configuration.clock.now())
  }
}
