import Basics
import Crypto
import FeatureSupport
import HTTP
import Synchronization

@testable import Assets

/// An S3 server of the tests' own: it checks each signature from the bytes that came, and keeps what is signed.
struct FakeStore: Sendable {
  static let accessKey = "access"
  static let secretKey = "secret/with+signs="
  static let region = "eu-central-1"

  let provider: Provider
  private let kept: Kept

  private final class Kept: Sendable {
    let objects = Mutex<[String: (type: String, content: [UInt8])]>([:])
    let refusals = Mutex(0)
  }

  init() throws {
    let kept = Kept()
    self.kept = kept
    let pattern = "/pictures/:organization/:type/:entity/:file"
    provider = try Provider([
      (
        .put, pattern,
        { request in
          guard Self.isSigned(request) else { return .text(.forbidden, "SignatureDoesNotMatch") }
          let object = (type: request.header("content-type") ?? "", content: Array(request.body))
          kept.objects.withLock { $0[request.path] = object }
          return Response(.ok)
        }
      ),
      (
        .delete, pattern,
        { request in
          guard Self.isSigned(request) else { return .text(.forbidden, "SignatureDoesNotMatch") }
          let isBusy = kept.refusals.withLock { left in
            left -= 1
            return left >= 0
          }
          if isBusy { return .text(.serviceUnavailable, "SlowDown") }
          _ = kept.objects.withLock { $0.removeValue(forKey: request.path) }
          return Response(.noContent)
        }
      ),
      (
        .get, pattern,
        { request in
          guard Self.isPresigned(request), let object = kept.objects.withLock({ $0[request.path] }) else {
            return .text(.forbidden, "SignatureDoesNotMatch")
          }
          return .bytes(request.query("response-content-type") ?? object.type, object.content)
        }
      ),
    ])
  }

  var objects: [String: (type: String, content: [UInt8])] { kept.objects.withLock { $0 } }

  /// So many deletions are refused from now on.
  func refuse(_ count: Int) { kept.refusals.withLock { $0 = count } }

  func client(secretKey: String = secretKey) -> ObjectStore? {
    ObjectStore(
      endpoint: provider.url, bucket: "pictures", accessKey: Self.accessKey, secretKey: secretKey, region: Self.region)
  }

  // MARK: - Signature Version 4, written anew from the documentation

  private static func isSigned(_ request: Request) -> Bool {
    guard let authorization = request.header("authorization"), let time = request.header("x-amz-date"),
      let hash = request.header("x-amz-content-sha256"), hash == Hex.encode(SHA256.hash(request.body)),
      authorization.hasPrefix("AWS4-HMAC-SHA256 Credential=\(accessKey)/\(time.prefix(8))/\(region)/s3/aws4_request,")
    else { return false }
    let parts = authorization.split(separator: ",").map { $0.split(separator: "=", maxSplits: 1) }
    guard parts.count == 3, parts[1][0] == "SignedHeaders", parts[2][0] == "Signature" else { return false }
    let names = parts[1][1].split(separator: ";").map(String.init)
    guard names == names.sorted(), Set(names).isSuperset(of: ["host", "x-amz-date", "x-amz-content-sha256"]) else {
      return false
    }
    let canonical = canonical(request, query: "", names, payload: hash)
    return signature(canonical, time) == String(parts[2][1])
  }

  private static func isPresigned(_ request: Request) -> Bool {
    let pairs = String(decoding: request.rawQuery, as: UTF8.self).split(separator: "&").map(String.init)
    guard let given = request.query("X-Amz-Signature"), let time = request.query("X-Amz-Date"),
      request.query("X-Amz-SignedHeaders") == "host", request.query("X-Amz-Algorithm") == "AWS4-HMAC-SHA256",
      request.query("X-Amz-Credential") == "\(accessKey)/\(time.prefix(8))/\(region)/s3/aws4_request",
      let lifetime = request.query("X-Amz-Expires").flatMap({ Int($0) }), (1...604_800).contains(lifetime)
    else { return false }
    let query = pairs.filter { !$0.hasPrefix("X-Amz-Signature=") }.sorted().joined(separator: "&")
    return signature(canonical(request, query: query, ["host"], payload: "UNSIGNED-PAYLOAD"), time) == given
  }

  private static func canonical(_ request: Request, query: String, _ names: [String], payload: String) -> String {
    let headers = Dictionary(
      request.headers.map { ($0.name.lowercased(), $0.value) }, uniquingKeysWith: { first, _ in first })
    var text = "\(request.method.name)\n\(request.path)\n\(query)\n"
    for name in names { text += "\(name):\(headers[name] ?? "")\n" }
    return text + "\n" + names.joined(separator: ";") + "\n" + payload
  }

  private static func signature(_ canonical: String, _ time: String) -> String {
    var key = Array(("AWS4" + secretKey).utf8)
    for part in [String(time.prefix(8)), region, "s3", "aws4_request"] {
      key = HMAC.sha256(key: key, message: Array(part.utf8))
    }
    let text =
      "AWS4-HMAC-SHA256\n\(time)\n\(time.prefix(8))/\(region)/s3/aws4_request\n"
      + Hex.encode(SHA256.hash(canonical.utf8))
    return Hex.encode(HMAC.sha256(key: key, message: Array(text.utf8)))
  }
}
