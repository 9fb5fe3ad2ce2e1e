import JSON

/// An answer that is an error, in the one shape of the API:
/// `{"error":{"code","message","requestId","details"?:[{"path","message"}]}}`.
public struct HTTPError: Error {
  /// One bad field of a request.
  public struct Detail: Sendable, Equatable {
    public let path: String
    public let message: String

    public init(path: String, message: String) {
      self.path = path
      self.message = message
    }
  }

  public var status: Status
  /// Stable, for programs: `NOT_FOUND`.
  public var code: String
  /// For people. Never holds anything of the inside.
  public var message: String
  public var details: [Detail]
  public var headers: [(HeaderName, String)]

  public init(
    _ status: Status, _ code: String, _ message: String, details: [Detail] = [],
    headers: [(HeaderName, String)] = []
  ) {
    self.status = status
    self.code = code
    self.message = message
    self.details = details
    self.headers = headers
  }

  public static func badRequest(_ message: String, code: String = "BAD_REQUEST") -> HTTPError {
    HTTPError(.badRequest, code, message)
  }

  /// Names every bad field.
  public static func validation(_ details: [Detail]) -> HTTPError {
    HTTPError(.badRequest, "VALIDATION_FAILED", "The request is not valid", details: details)
  }

  public static func unauthorized(_ message: String = "Authentication is required") -> HTTPError {
    HTTPError(.unauthorized, "UNAUTHORIZED", message, headers: [(.wwwAuthenticate, "Bearer")])
  }

  public static func forbidden(_ message: String = "Not allowed") -> HTTPError {
    HTTPError(.forbidden, "FORBIDDEN", message)
  }

  /// `what` is the noun: "Unit".
  public static func notFound(_ what: String = "Route") -> HTTPError {
    HTTPError(.notFound, "NOT_FOUND", "\(what) not found")
  }

  public static func methodNotAllowed(allow: String) -> HTTPError {
    HTTPError(.methodNotAllowed, "METHOD_NOT_ALLOWED", "The path takes \(allow)", headers: [(.allow, allow)])
  }

  public static func conflict(_ message: String, code: String = "CONFLICT") -> HTTPError {
    HTTPError(.conflict, code, message)
  }

  public static func gone(_ message: String) -> HTTPError { HTTPError(.gone, "GONE", message) }

  public static func payloadTooLarge(limit: Int) -> HTTPError {
    HTTPError(.payloadTooLarge, "PAYLOAD_TOO_LARGE", "The body is larger than \(limit) bytes")
  }

  public static func unsupportedMediaType(_ message: String) -> HTTPError {
    HTTPError(.unsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", message)
  }

  /// Seconds until the caller may try again.
  public static func rateLimited(retryAfter seconds: Int) -> HTTPError {
    HTTPError(.tooManyRequests, "RATE_LIMITED", "Too many requests", headers: [(.retryAfter, "\(max(1, seconds))")])
  }

  public static func unavailable(
    _ message: String = "The service cannot answer now, please try again", retryAfter seconds: Int? = nil
  ) -> HTTPError {
    HTTPError(
      .serviceUnavailable, "UNAVAILABLE", message, headers: seconds.map { [(.retryAfter, "\(max(1, $0))")] } ?? [])
  }

  /// The operator has not given what this needs. `what` is the noun: "Text messages".
  public static func notConfigured(_ what: String) -> HTTPError {
    HTTPError(
      .serviceUnavailable, "NOT_CONFIGURED", "\(what) cannot be used: this installation is not configured for it")
  }

  /// Says nothing of the inside.
  public static let `internal` = HTTPError(
    .internalServerError, "INTERNAL_ERROR", "The server could not answer; the request id leads to the cause")
}

extension HTTPError {
  /// Names every bad field of a body.
  public static func validation(_ invalid: InvalidFields) -> HTTPError {
    .validation(invalid.details.map { Detail(path: $0.path, message: $0.message) })
  }

  /// The body is no JSON object.
  public static func validation(_ invalid: InvalidBody) -> HTTPError {
    HTTPError(.badRequest, "VALIDATION_FAILED", invalid.message)
  }

  public func response(id: RequestID) -> Response {
    var writer = JSONWriter(capacity: 160)
    writer.object { writer in
      writer.object("error") { writer in
        writer.field("code", code)
        writer.field("message", message)
        writer.field("requestId", id.text)
        guard !details.isEmpty else { return }
        writer.array("details") { writer in
          for detail in details {
            writer.object { writer in
              writer.field("path", detail.path)
              writer.field("message", detail.message)
            }
          }
        }
      }
    }
    return Response(status, headers: headers, contentType: MediaType.json, body: .bytes(writer.bytes))
  }
}
