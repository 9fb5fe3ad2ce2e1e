import Basics
import Testing

@testable import Assets

/// The examples of the Amazon S3 API Reference, "Signature Calculations for the Authorization Header" and
/// "Authenticating Requests: Using Query Parameters".
struct S3SignatureTests {
  private static let credentials = S3Credentials(
    accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region: "us-east-1")
  private static let now = Instant(seconds: 1_369_353_600)  // 2013-05-24T00:00:00Z
  private static let emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

  struct Example: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var method = "GET"
    var path = "/"
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var hash = S3SignatureTests.emptyHash
    let signed: String
    let signature: String
  }

  static let examples = [
    Example(
      testDescription: "GET Object", path: "/test.txt", headers: [("range", "bytes=0-9")],
      signed: "host;range;x-amz-content-sha256;x-amz-date",
      signature: "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
    Example(
      testDescription: "PUT Object", method: "PUT", path: "/test$file.text",
      headers: [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
      hash: "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
      signed: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
      signature: "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
    Example(
      testDescription: "GET Bucket Lifecycle", query: [("lifecycle", "")],
      signed: "host;x-amz-content-sha256;x-amz-date",
      signature: "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
    Example(
      testDescription: "GET Bucket", query: [("max-keys", "2"), ("prefix", "J")],
      signed: "host;x-amz-content-sha256;x-amz-date",
      signature: "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
  ]

  @Test(arguments: examples) func `a request is signed as Amazon's example`(example: Example) {
    let request = S3Credentials.Request(
      method: example.method, path: example.path, query: example.query,
      headers: example.headers + [
        ("host", "examplebucket.s3.amazonaws.com"), ("x-amz-content-sha256", example.hash),
        ("x-amz-date", "20130524T000000Z"),
      ])
    #expect(
      Self.credentials.authorization(request, payloadHash: example.hash, at: Self.now)
        == "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        + "SignedHeaders=\(example.signed),Signature=\(example.signature)")
  }

  @Test func `a link is signed as Amazon's example`() {
    let request = S3Credentials.Request(
      method: "GET", path: "/test.txt", headers: [("host", "examplebucket.s3.amazonaws.com")])
    #expect(
      Self.credentials.presigned(request, lifetime: .hours(24), at: Self.now)
        == "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        + "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        + "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404")
  }
}
