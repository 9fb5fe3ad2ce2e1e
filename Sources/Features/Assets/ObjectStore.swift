import Basics
import Crypto
import HTTPClient

/// A bucket of a server that speaks the S3 API, addressed by path.
public struct ObjectStore: Sendable {
  private let client: HTTPClient
  private let endpoint: Endpoint
  /// Where browsers reach the same server.
  private let publicEndpoint: Endpoint
  private let bucket: String
  private let credentials: S3Credentials

  /// `https://host` or `http://host:port`, nothing behind.
  private struct Endpoint: Sendable {
    let url: String
    let host: String

    init?(_ text: String) {
      let url = text.last == "/" ? String(text.dropLast()) : text
      let parts = url.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 3, parts[0] == "https:" || parts[0] == "http:", parts[1].isEmpty, !parts[2].isEmpty,
        !parts[2].utf8.contains(UInt8(ascii: "@"))
      else { return nil }
      self.url = url
      // What is the default for the scheme does not stand in `Host`.
      let standard = parts[0] == "https:" ? ":443" : ":80"
      host = parts[2].hasSuffix(standard) ? String(parts[2].dropLast(standard.utf8.count)) : String(parts[2])
    }
  }

  /// Nil when an endpoint is more or less than scheme, host and port.
  public init?(
    endpoint: String, publicEndpoint: String? = nil, bucket: String, accessKey: String, secretKey: String,
    region: String = "us-east-1", client: HTTPClient = HTTPClient()
  ) {
    guard let inner = Endpoint(endpoint), let outer = Endpoint(publicEndpoint ?? endpoint), !bucket.isEmpty else {
      return nil
    }
    self.endpoint = inner
    self.publicEndpoint = outer
    self.bucket = bucket
    self.client = client
    credentials = S3Credentials(accessKey: accessKey, secretKey: secretKey, region: region)
  }

  /// Why an object is not stored or not deleted. Holds nothing that the server said but its status.
  public enum Failure: Error, Hashable {
    case unreachable(HTTPClientError)
    case refused(status: Int)
  }

  /// Returns when the object is stored. `hash` is the SHA-256 of `bytes`; the store compares.
  func put(
    _ bytes: [UInt8], hash: [UInt8], as key: String, contentType: String, at now: Instant
  ) async throws(Failure) {
    let answer = try await send(
      .put, key, bytes, hash: hash, headers: [(name: "content-type", value: contentType)], at: now)
    guard answer.isSuccess else { throw .refused(status: answer.status) }
  }

  /// Returns when there is no such object any more.
  func delete(_ key: String, at now: Instant) async throws(Failure) {
    let answer = try await send(.delete, key, [], hash: SHA256.hash([]), headers: [], at: now)
    guard answer.isSuccess || answer.status == 404 else { throw .refused(status: answer.status) }
  }

  private func send(
    _ method: HTTPClientRequest.Method, _ key: String, _ body: [UInt8], hash: [UInt8],
    headers: [(name: String, value: String)], at now: Instant
  ) async throws(Failure) -> HTTPClientResponse {
    let hash = Hex.encode(hash)
    var headers = headers
    headers.append((name: "x-amz-content-sha256", value: hash))
    headers.append((name: "x-amz-date", value: S3Credentials.time(now)))
    let path = "/\(bucket)/\(key)"
    let request = S3Credentials.Request(
      method: method.rawValue, path: path, headers: headers + [(name: "host", value: endpoint.host)])
    headers.append(
      (name: "authorization", value: credentials.authorization(request, payloadHash: hash, at: now)))
    do throws(HTTPClientError) {
      return try await client.send(
        HTTPClientRequest(
          method, endpoint.url + S3Credentials.encodedPath(path), headers: headers, body: body, timeout: .seconds(20),
          connectTimeout: .seconds(3)))
    } catch { throw .unreachable(error) }
  }

  /// Whoever has the link may read the object until `lifetime` is over. The store answers with this content type.
  func link(to key: String, contentType: String, lifetime: Duration, at now: Instant) -> String {
    let request = S3Credentials.Request(
      method: "GET", path: "/\(bucket)/\(key)",
      query: [("response-content-type", contentType), ("response-content-disposition", "inline")],
      headers: [("host", publicEndpoint.host)])
    return publicEndpoint.url + credentials.presigned(request, lifetime: lifetime, at: now)
  }
}
