import Basics
import Crypto
import HTTP

/// AWS Signature Version 4, which every S3 API asks for ("Authenticating Requests (AWS Signature Version 4)", Amazon S3
/// API Reference).
struct S3Credentials: Sendable {
  let accessKey: String
  let secretKey: String
  let region: String

  /// A request as it is signed. Header names are in lower case, `host` among them; the path is not encoded yet.
  struct Request {
    var method: String
    var path: String
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)]
  }

  /// The value of `Authorization` for a request whose headers hold `x-amz-date` and `x-amz-content-sha256`.
  func authorization(_ request: Request, payloadHash: String, at now: Instant) -> String {
    let signed = Self.signedHeaders(request)
    let signature = sign(Self.canonical(request, payloadHash: payloadHash), at: now)
    return "AWS4-HMAC-SHA256 Credential=\(accessKey)/\(scope(now)),SignedHeaders=\(signed),Signature=\(signature)"
  }

  /// The path and query of a link that lets whoever has it send `request` until `lifetime` is over: 7 days at most.
  func presigned(_ request: Request, lifetime: Duration, at now: Instant) -> String {
    var request = request
    request.query += [
      ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"), ("X-Amz-Credential", "\(accessKey)/\(scope(now))"),
      ("X-Amz-Date", Self.time(now)), ("X-Amz-Expires", "\(lifetime.components.seconds)"),
      ("X-Amz-SignedHeaders", Self.signedHeaders(request)),
    ]
    let signature = sign(Self.canonical(request, payloadHash: "UNSIGNED-PAYLOAD"), at: now)
    return "\(Self.encodedPath(request.path))?\(Self.encodedQuery(request.query))&X-Amz-Signature=\(signature)"
  }

  // MARK: - Time

  /// `20130524T000000Z`.
  static func time(_ instant: Instant) -> String {
    String(instant.rfc3339.prefix(19).filter { $0 != "-" && $0 != ":" }) + "Z"
  }

  private func scope(_ now: Instant) -> String { "\(Self.time(now).prefix(8))/\(region)/s3/aws4_request" }

  // MARK: - What is signed

  static func canonical(_ request: Request, payloadHash: String) -> String {
    let headers = request.headers.sorted { $0.name < $1.name }.map { "\($0.name):\($0.value)\n" }.joined()
    return [
      request.method, encodedPath(request.path), encodedQuery(request.query), headers, signedHeaders(request),
      payloadHash,
    ].joined(separator: "\n")
  }

  private static func signedHeaders(_ request: Request) -> String {
    request.headers.map(\.name).sorted().joined(separator: ";")
  }

  /// Each segment once, as S3 wants it (other services encode twice).
  static func encodedPath(_ path: String) -> String {
    path.split(separator: "/", omittingEmptySubsequences: false).map { PercentEncoding.encode(String($0)) }
      .joined(separator: "/")
  }

  static func encodedQuery(_ query: [(name: String, value: String)]) -> String {
    query.map { (PercentEncoding.encode($0.name), PercentEncoding.encode($0.value)) }
      .sorted { $0 < $1 }.map { "\($0.0)=\($0.1)" }.joined(separator: "&")
  }

  // MARK: - Signing

  private func sign(_ canonical: String, at now: Instant) -> String {
    let text = [
      "AWS4-HMAC-SHA256", Self.time(now), scope(now), Hex.encode(SHA256.hash(Array(canonical.utf8))),
    ].joined(separator: "\n")
    return Hex.encode(HMAC.sha256(key: signingKey(now), message: Array(text.utf8)))
  }

  private func signingKey(_ now: Instant) -> [UInt8] {
    [String(Self.time(now).prefix(8)), region, "s3", "aws4_request"]
      .reduce(Array("AWS4\(secretKey)".utf8)) { HMAC.sha256(key: $0, message: Array($1.utf8)) }
  }
}
