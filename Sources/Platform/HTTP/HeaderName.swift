/// The name of a response header. Only literals make one, so that no input ever becomes a name.
public struct HeaderName: Sendable, Hashable, ExpressibleByStringLiteral {
  public let text: String

  public init(stringLiteral text: StaticString) {
    self.text = text.description
    assert(self.text.utf8.allSatisfy(isTokenByte) && !self.text.isEmpty, "not a header name")
  }

  public static let allow: HeaderName = "Allow"
  public static let cacheControl: HeaderName = "Cache-Control"
  public static let contentDisposition: HeaderName = "Content-Disposition"
  public static let contentSecurityPolicy: HeaderName = "Content-Security-Policy"
  public static let contentType: HeaderName = "Content-Type"
  public static let etag: HeaderName = "ETag"
  public static let link: HeaderName = "Link"
  public static let location: HeaderName = "Location"
  public static let retryAfter: HeaderName = "Retry-After"
  public static let totalCount: HeaderName = "X-Total-Count"
  public static let vary: HeaderName = "Vary"
  public static let wwwAuthenticate: HeaderName = "WWW-Authenticate"

  /// Names are compared without case.
  public static func == (a: HeaderName, b: HeaderName) -> Bool { equalIgnoringCase(a.text.utf8, b.text.utf8) }

  public func hash(into hasher: inout Hasher) {
    for byte in text.utf8 { hasher.combine(lowercased(byte)) }
  }
}
