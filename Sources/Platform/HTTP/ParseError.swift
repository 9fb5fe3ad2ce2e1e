/// Why a request cannot be read. The connection is closed after the answer: where the next request starts is unknown.
public enum ParseError: Error, Equatable {
  /// What is wrong, in a few words.
  case malformed(String)
  case targetTooLong
  case headTooLarge
  case unknownVersion
  case unknownMethod
  case unknownExpectation

  public var answer: HTTPError {
    switch self {
    case .malformed(let reason): .badRequest("Malformed request: \(reason)")
    case .targetTooLong: HTTPError(.uriTooLong, "URI_TOO_LONG", "The request target is too long")
    case .headTooLarge: HTTPError(.headerFieldsTooLarge, "HEADERS_TOO_LARGE", "The request headers are too large")
    case .unknownVersion: HTTPError(.versionNotSupported, "VERSION_NOT_SUPPORTED", "HTTP/1.1 and HTTP/1.0 are served")
    case .unknownMethod: HTTPError(.notImplemented, "NOT_IMPLEMENTED", "The method is not known")
    case .unknownExpectation:
      HTTPError(.expectationFailed, "EXPECTATION_FAILED", "Only Expect: 100-continue can be met")
    }
  }
}
