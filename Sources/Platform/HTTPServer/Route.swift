import HTTP

/// One method on one path, and what answers it.
public struct Route: Sendable {
  /// What the body of a request may be.
  public enum Content: Sendable {
    /// A `Content-Type` that is sent and is not JSON is answered with 415.
    case json
    case any
  }

  /// The level of the one log line that a request writes. Server faults are always written as errors.
  public enum LogLevel: Sendable { case debug, info }

  enum Action: Sendable {
    case immediate(@Sendable (Request) -> Response)
    /// Immediate when the first knows the answer to a request that came in one piece, else whole.
    case eager(@Sendable (Request) -> Response?, @Sendable (Request) async throws -> Response)
    case whole(@Sendable (Request) async throws -> Response)
    case streamed(@Sendable (Request, BodyReader) async throws -> Response)
  }

  public let method: Method
  /// Segments that start with `:` match any one segment: `/api/orgs/:organizationId/sites`. Also the metrics label.
  public let pattern: String
  /// Bytes of the body, after decompression. Over it: 413.
  public var bodyLimit = 1 << 20
  public var content = Content.json
  /// Nil: the limit of the server.
  public var timeLimit: Duration?
  public var logLevel = LogLevel.info
  public var contract: Contract?
  let action: Action
  var variant: Variant?

  /// How bodies of one media type are taken on a route whose other bodies come whole.
  struct Variant: Sendable {
    let mediaType: String
    let bodyLimit: Int
    let handler: @Sendable (Request, BodyReader) async throws -> Response
  }

  /// `handler` must not have a capture list: with one, Swift 6.3 runs the closure outside of the loop.
  public init(
    _ method: Method, _ pattern: String, bodyLimit: Int = 1 << 20, content: Content = .json,
    timeLimit: Duration? = nil, logLevel: LogLevel = .info,
    _ handler: @escaping @Sendable (Request) async throws -> Response
  ) {
    self.init(method, pattern, .whole(handler))
    self.bodyLimit = bodyLimit
    self.content = content
    self.timeLimit = timeLimit
    self.logLevel = logLevel
  }

  /// Answered in the turn of the loop that read it, without a task: for what is already in memory.
  public static func immediate(
    _ method: Method, _ pattern: String, bodyLimit: Int = 1 << 20, content: Content = .json,
    logLevel: LogLevel = .info, _ handler: @escaping @Sendable (Request) -> Response
  ) -> Route {
    var route = Route(method, pattern, .immediate(handler))
    route.bodyLimit = bodyLimit
    route.content = content
    route.logLevel = logLevel
    return route
  }

  /// Answered like an immediate route when `atOnce` knows the answer, else by `handler`.
  public static func eager(
    _ method: Method, _ pattern: String, logLevel: LogLevel = .info,
    atOnce: @escaping @Sendable (Request) -> Response?,
    _ handler: @escaping @Sendable (Request) async throws -> Response
  ) -> Route {
    var route = Route(method, pattern, .eager(atOnce, handler))
    route.logLevel = logLevel
    return route
  }

  /// The handler starts when the head is there and reads the body piece by piece; the client is held back to its pace.
  public static func streamed(
    _ method: Method, _ pattern: String, bodyLimit: Int, content: Content = .any, timeLimit: Duration? = nil,
    logLevel: LogLevel = .info, _ handler: @escaping @Sendable (Request, BodyReader) async throws -> Response
  ) -> Route {
    var route = Route(method, pattern, .streamed(handler))
    route.bodyLimit = bodyLimit
    route.content = content
    route.timeLimit = timeLimit
    route.logLevel = logLevel
    return route
  }

  /// The same route, whose bodies of that media type are read piece by piece, like those of a streamed route.
  public func streaming(
    _ mediaType: String, bodyLimit: Int, _ handler: @escaping @Sendable (Request, BodyReader) async throws -> Response
  ) -> Route {
    var route = self
    route.variant = Variant(mediaType: mediaType, bodyLimit: bodyLimit, handler: handler)
    return route
  }

  /// The route as it is for a body of that `Content-Type`.
  func taking(_ contentType: ArraySlice<UInt8>?) -> Route {
    guard let variant, let contentType, isMediaType(contentType, variant.mediaType) else { return self }
    var route = Route(method, pattern, .streamed(variant.handler))
    route.bodyLimit = variant.bodyLimit
    route.content = .any
    route.logLevel = logLevel
    return route
  }

  var isStreamed: Bool {
    if case .streamed = action { true } else { false }
  }

  private init(_ method: Method, _ pattern: String, _ action: Action) {
    self.method = method
    self.pattern = pattern
    self.action = action
  }
}
