import JSON

/// An answer. The server adds length, date, request id and the security headers.
public struct Response: Sendable {
  public enum Body: Sendable {
    case empty
    case bytes([UInt8])
    /// Written piece by piece, chunked on HTTP/1.1. Throwing cuts the connection, so that the client sees that the end is missing.
    case stream(@Sendable (BodyWriter) async throws -> Void)
  }

  public var status: Status
  /// A header given here replaces the server's own of that name. Control characters in values become spaces.
  public var headers: [(HeaderName, String)]
  /// `Content-Type` of a body.
  public var contentType: String?
  public var body: Body

  public init(
    _ status: Status, headers: [(HeaderName, String)] = [], contentType: String? = nil, body: Body = .empty
  ) {
    self.status = status
    self.headers = headers
    self.contentType = contentType
    self.body = body
  }

  public static let noContent = Response(.noContent)

  public static func json(_ status: Status = .ok, _ write: (inout JSONWriter) -> Void) -> Response {
    json(status, bytes: JSONWriter.bytes(write))
  }

  /// `bytes` is one JSON document.
  public static func json(_ status: Status = .ok, bytes: [UInt8]) -> Response {
    Response(status, contentType: MediaType.json, body: .bytes(bytes))
  }

  public static func text(_ text: String) -> Response { .text(.ok, text) }

  public static func text(_ status: Status, _ text: String) -> Response {
    Response(status, contentType: MediaType.text, body: .bytes(Array(text.utf8)))
  }

  public static func html(_ text: String) -> Response { .html(.ok, text) }

  public static func html(_ status: Status, _ text: String) -> Response {
    Response(status, contentType: MediaType.html, body: .bytes(Array(text.utf8)))
  }

  public static func bytes(_ contentType: String, _ bytes: [UInt8]) -> Response {
    Response(.ok, contentType: contentType, body: .bytes(bytes))
  }

  /// `write` must not have a capture list: with one, Swift 6.3 runs it outside of the loop.
  public static func stream(
    _ contentType: String, _ write: @escaping @Sendable (BodyWriter) async throws -> Void
  ) -> Response {
    Response(.ok, contentType: contentType, body: .stream(write))
  }

  public static func redirect(_ status: Status = .found, to location: String) -> Response {
    Response(status, headers: [(.location, location)])
  }

  /// The same answer with one header more.
  public func with(_ name: HeaderName, _ value: String) -> Response {
    var copy = self
    copy.headers.append((name, value))
    return copy
  }
}

public enum MediaType {
  public static let json = "application/json; charset=utf-8"
  public static let ndjson = "application/x-ndjson"
  public static let text = "text/plain; charset=utf-8"
  public static let html = "text/html; charset=utf-8"
  public static let csv = "text/csv; charset=utf-8"
  public static let eventStream = "text/event-stream"
}
