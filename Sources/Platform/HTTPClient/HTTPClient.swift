import CCurl
import Runtime

/// Asks other servers: key sets, mail and text message gateways, webhooks, trace collectors.
///
/// libcurl on threads that may block; each request has its own connection. Certificates are always checked.
public struct HTTPClient: Sendable {
  /// A PEM file of certificate authorities. Nil for those of the system.
  public var authorities: String?
  /// Obey `https_proxy` and its like.
  public var usesProxyEnvironment: Bool
  /// False for URLs that users enter: then a server in our own network is out of reach, whatever its name. Not together with a proxy, which
  /// resolves the names itself.
  public var allowsPrivateAddresses: Bool
  public var userAgent: String

  public init(
    authorities: String? = nil, usesProxyEnvironment: Bool = false, allowsPrivateAddresses: Bool = true,
    userAgent: String = "freshtrack"
  ) {
    self.authorities = authorities
    self.usesProxyEnvironment = usesProxyEnvironment
    self.allowsPrivateAddresses = allowsPrivateAddresses
    self.userAgent = userAgent
  }

  /// The whole answer, whatever its status.
  public func send(_ request: HTTPClientRequest) async throws(HTTPClientError) -> HTTPClientResponse {
    try await run(request, onBytes: nil)
  }

  /// The answer without its body, which goes to `onBytes` piece by piece, on another thread, until that returns false.
  /// The limit on the size counts here too.
  public func stream(
    _ request: HTTPClientRequest, onBytes: @escaping @Sendable ([UInt8]) -> Bool
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    try await run(request, onBytes: onBytes)
  }

  private func run(
    _ request: HTTPClientRequest, onBytes: (@Sendable ([UInt8]) -> Bool)?
  ) async throws(HTTPClientError) -> HTTPClientResponse {
    try request.check()
    guard HTTPClient.isReady else { throw .failed(code: Int(CURLE_FAILED_INIT.rawValue)) }
    let transfer = Transfer(request, client: self, onBytes: onBytes)
    let result: Result<HTTPClientResponse, HTTPClientError>
    do {
      result = try await withTaskCancellationHandler {
        try await Blocking.run { transfer.perform() }
      } onCancel: {
        transfer.cancel()
      }
    } catch {
      throw .cancelled
    }
    return try result.get()
  }

  /// libcurl asks for this once, before any thread uses it.
  private static let isReady = curl_global_init(Int(CURL_GLOBAL_SSL | CURL_GLOBAL_WIN32)) == CURLE_OK
}

extension HTTPClientRequest {
  /// What would let a value of a caller become part of the request's own text.
  fileprivate func check() throws(HTTPClientError) {
    guard url.utf8.count <= 8192, url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
      throw .invalidRequest("a URL of other than printable ASCII")
    }
    for (name, value) in headers {
      guard !name.isEmpty, name.utf8.allSatisfy(HTTPClientRequest.isTokenByte) else {
        throw .invalidRequest("a header name that is no token")
      }
      guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
        throw .invalidRequest("a control character in the header \(name)")
      }
    }
    guard timeout > .zero, connectTimeout > .zero, responseLimit >= 0 else {
      throw .invalidRequest("a limit below zero")
    }
  }

  /// RFC 9110 section 5.6.2.
  private static func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
  }
}
