/// One request to another server, with the limits that its answer must keep.
public struct HTTPClientRequest: Sendable {
  public enum Method: String, Sendable {
    case get = "GET", head = "HEAD", post = "POST", put = "PUT", patch = "PATCH", delete = "DELETE"
  }

  public var method: Method
  /// Absolute, `http` or `https`.
  public var url: String
  public var headers: [(name: String, value: String)]
  public var body: [UInt8]
  /// For everything, from the look-up of the name to the last byte.
  public var timeout: Duration
  /// For the part of it until the connection stands, TLS included.
  public var connectTimeout: Duration
  /// Largest body of the answer.
  public var responseLimit: Int
  /// Redirects to follow; the credentials in `headers` go along, so only to servers that are trusted with them.
  public var redirects: Int

  public init(
    _ method: Method = .get, _ url: String, headers: [(name: String, value: String)] = [], body: [UInt8] = [],
    timeout: Duration = .seconds(10), connectTimeout: Duration = .seconds(5), responseLimit: Int = 1 << 20,
    redirects: Int = 0
  ) {
    self.method = method
    self.url = url
    self.headers = headers
    self.body = body
    self.timeout = timeout
    self.connectTimeout = connectTimeout
    self.responseLimit = responseLimit
    self.redirects = redirects
  }
}

public struct HTTPClientResponse: Sendable {
  public let status: Int
  /// Names in lower case, in the order they came.
  public let headers: [(name: String, value: String)]
  public let body: [UInt8]

  /// The first of that name; `name` in lower case.
  public func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }

  public var isSuccess: Bool { (200..<300).contains(status) }
}

/// Why there is no answer. None of these carries a URL, a header or a body: they may hold secrets.
public enum HTTPClientError: Error, Hashable {
  /// The request could not be sent as it is: our fault, trying again does not help.
  case invalidRequest(String)
  case unresolvedHost
  case unreachable
  /// The name stands for an address inside our own network, which was not allowed.
  case privateAddress
  /// The server's certificate is not valid for its name, or TLS failed otherwise.
  case untrusted
  case timeout
  case connectionLost
  /// The answer is larger than the limit it was given.
  case tooLarge
  case tooManyRedirects
  /// The task was cancelled, or the receiver of a stream wanted no more.
  case cancelled
  /// Another error of libcurl, by its `CURLcode`.
  case failed(code: Int)

  /// The same request may succeed later.
  public var isTransient: Bool {
    switch self {
    case .unresolvedHost, .unreachable, .timeout, .connectionLost: true
    default: false
    }
  }
}
