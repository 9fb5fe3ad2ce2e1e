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

  /// Why an object is not stored. Holds nothing that the server said but its status.
  public enum Failure: Error, Hashable {
    case unreachable(HTTPClientError)
    case refused(status: Int)
  }

  /// Returns when the object is stored. `hash` is the SHA-256 of `bytes`; the store compares.
  func put(
    _ bytes: [UInt8], hash: [UInt8], as key: String, contentType: String, at now: Instant
  ) async throws(Failure) {
    let hash = Hex.encode(hash)
    var headers = [
      (name: "content-type", value: contentType), (name: "x-amz-content-sha256", value: hash),
      (name: "x-amz-date", value: S3Credentials.time(now)),
    ]
    let path = "/\(bucket)/\(key)"
    let request = S3Credentials.Request(
      method: "PUT", path: path, headers: headers + [(name: "host", value: endpoint.host)])
    headers.append(
      (name: "authorization", value: credentials.authorization(request, payloadHash: hash, at: now)))
    let answer: HTTPClientResponse
    do throws(HTTPClientError) {
      answer = try await client.send(
        HTTPClientRequest(
          .put, endpoint.url + S3Credentials.encodedPath(path), headers: headers, body: bytes, timeout: .seconds(20),
          connectTimeout: .seconds(3)))
    } catch { throw .unreachable(error) }
    guard answer.isSuccess else { throw .refused(status: answer.status) }
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
