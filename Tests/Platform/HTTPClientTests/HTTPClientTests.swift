import Synchronization
import Testing

@testable import HTTPClient

@Suite struct HTTPClientTests {
  private let client = HTTPClient()

  private func failure(_ request: HTTPClientRequest, _ client: HTTPClient? = nil) async -> HTTPClientError? {
    do { _ = try await (client ?? self.client).send(request) } catch { return error }
    return nil
  }

  @Test("status, headers and body come back") func answer() async throws {
    let server = try TinyServer { _ in
      .bytes("HTTP/1.1 201 Created\r\nContent-Length: 5\r\nX-Thing:  a b \r\nx-thing: second\r\n\r\nhello")
    }
    defer { server.stop() }
    let response = try await client.send(HTTPClientRequest(.get, server.url("/a?b=c")))
    #expect(response.status == 201)
    #expect(response.body == Array("hello".utf8))
    #expect(response.header("x-thing") == "a b")
    #expect(response.headers.map(\.value) == ["5", "a b", "second"])
    let request = try #require(server.requests.first)
    #expect(request.hasPrefix("GET /a?b=c HTTP/1.1\r\n"))
    #expect(request.contains("User-Agent: freshtrack\r\n"))
  }

  @Test("a status that means failure is an answer") func failureStatus() async throws {
    let server = try TinyServer { _ in .bytes("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\nno") }
    defer { server.stop() }
    let response = try await client.send(HTTPClientRequest(.get, server.url()))
    #expect(response.status == 503)
    #expect(!response.isSuccess)
    #expect(response.body == Array("no".utf8))
  }

  @Test(
    "the method, headers and body go out as they are",
    arguments: [
      HTTPClientRequest.Method.post, .put, .patch, .delete,
    ]) func bodies(_ method: HTTPClientRequest.Method) async throws
  {
    let server = try TinyServer { _ in .bytes("HTTP/1.1 204 No Content\r\n\r\n") }
    defer { server.stop() }
    let body = Array(#"{"a":"\u0000 \#(String(repeating: "x", count: 5000))"}"#.utf8)
    let headers = [
      (name: "Content-Type", value: "application/json"), (name: "X-Empty", value: ""), (name: "X-Key", value: "s3cret"),
    ]
    let response = try await client.send(HTTPClientRequest(method, server.url(), headers: headers, body: body))
    #expect(response.status == 204)
    let request = try #require(server.requests.first)
    #expect(request.hasPrefix("\(method.rawValue) / HTTP/1.1\r\n"))
    #expect(request.contains("\r\nContent-Type: application/json\r\n"))
    #expect(request.contains("\r\nX-Empty:\r\n"))
    #expect(request.contains("\r\nX-Key: s3cret\r\n"))
    #expect(request.contains("\r\nContent-Length: \(body.count)\r\n"))
    #expect(!request.contains("Expect:"))
    #expect(request.hasSuffix("\r\n\r\n" + String(decoding: body, as: UTF8.self)))
  }

  @Test(
    "a method without a body sends none",
    arguments: [
      (HTTPClientRequest.Method.get, nil), (.head, nil), (.delete, nil), (.post, "0"), (.put, "0"),
    ]) func emptyBodies(_ method: HTTPClientRequest.Method, _ length: String?) async throws
  {
    let server = try TinyServer { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
    defer { server.stop() }
    #expect(try await client.send(HTTPClientRequest(method, server.url())).status == 200)
    let request = try #require(server.requests.first)
    #expect(request.hasPrefix("\(method.rawValue) / HTTP/1.1\r\n"))
    #expect(request.firstMatch(of: /Content-Length: (\d+)/).map { String($0.1) } == length)
  }

  @Test("an answer larger than its limit is refused, announced or not", arguments: ["Content-Length: 11\r\n", ""])
  func oversize(_ header: String) async throws {
    let server = try TinyServer { _ in .bytes("HTTP/1.1 200 OK\r\n\(header)\r\n12345678901") }
    defer { server.stop() }
    #expect(await failure(HTTPClientRequest(.get, server.url(), responseLimit: 10)) == .tooLarge)
    #expect(try await client.send(HTTPClientRequest(.get, server.url(), responseLimit: 11)).body.count == 11)
  }

  @Test("a head without end is refused") func largeHead() async throws {
    let server = try TinyServer { _ in
      .bytes(
        "HTTP/1.1 200 OK\r\n" + String(repeating: "X-A: \(String(repeating: "a", count: 1000))\r\n", count: 80) + "\r\n"
      )
    }
    defer { server.stop() }
    #expect(await failure(HTTPClientRequest(.get, server.url())) == .tooLarge)
  }

  @Test("a server that never answers is left in time") func timeout() async throws {
    let server = try TinyServer { _ in .silence }
    defer { server.stop() }
    #expect(await failure(HTTPClientRequest(.get, server.url(), timeout: .milliseconds(50))) == .timeout)
  }

  @Test(
    "a cut connection is an error, not a short body",
    arguments: [
      "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "",
    ]) func cut(_ bytes: String) async throws
  {
    let server = try TinyServer { _ in .bytes(bytes) }
    defer { server.stop() }
    #expect(await failure(HTTPClientRequest(.get, server.url())) == .connectionLost)
  }

  @Test("nobody listening is unreachable") func refusedConnection() async throws {
    let server = try TinyServer { _ in .silence }
    server.stop()
    let reached = await failure(HTTPClientRequest(.get, server.url()))
    #expect(reached == .unreachable || reached == .connectionLost)
    #expect(reached?.isTransient == true)
  }

  @Test("redirects are followed only when asked, and only so far") func redirects() async throws {
    let server = try TinyServer { request in
      request.hasPrefix("GET /end ")
        ? .bytes("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nX-End: 1\r\n\r\nend")
        : .bytes("HTTP/1.1 302 Found\r\nLocation: /end\r\nX-Start: 1\r\nContent-Length: 0\r\n\r\n")
    }
    defer { server.stop() }
    let plain = try await client.send(HTTPClientRequest(.get, server.url("/start")))
    #expect(plain.status == 302 && plain.header("location") == "/end")
    let followed = try await client.send(HTTPClientRequest(.get, server.url("/start"), redirects: 1))
    #expect(followed.status == 200 && followed.body == Array("end".utf8))
    #expect(followed.header("x-end") == "1" && followed.header("x-start") == nil)
    let circle = try TinyServer { _ in .bytes("HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n") }
    defer { circle.stop() }
    #expect(await failure(HTTPClientRequest(.get, circle.url(), redirects: 3)) == .tooManyRedirects)
  }

  @Test("a redirect does not lead out of HTTP") func redirectScheme() async throws {
    let server = try TinyServer { _ in
      .bytes("HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n")
    }
    defer { server.stop() }
    guard case .invalidRequest? = await failure(HTTPClientRequest(.get, server.url(), redirects: 1)) else {
      Issue.record("followed")
      return
    }
  }

  @Test(
    "what could smuggle is refused before a connection",
    arguments: [
      HTTPClientRequest(.get, "file:///etc/passwd"), HTTPClientRequest(.get, "ftp://127.0.0.1/"),
      HTTPClientRequest(.get, "gopher://127.0.0.1/"),
      HTTPClientRequest(.get, ""), HTTPClientRequest(.get, "http://127.0.0.1/\r\nX: y"),
      HTTPClientRequest(.get, "http://127.0.0.1/a b"),
      HTTPClientRequest(.get, "http://127.0.0.1/", headers: [("X-A", "a\r\nX-B: b")]),
      HTTPClientRequest(.get, "http://127.0.0.1/", headers: [("X-A: b\r\nX-B", "b")]),
      HTTPClientRequest(.get, "http://127.0.0.1/", headers: [("", "b")]),
      HTTPClientRequest(.get, "http://127.0.0.1/", timeout: .zero),
    ]) func invalidRequests(_ request: HTTPClientRequest) async
  {
    guard case .invalidRequest? = await failure(request) else {
      Issue.record("sent")
      return
    }
  }

  @Test("plain text is no TLS") func tls() async throws {
    let server = try TinyServer(reads: false) { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
    defer { server.stop() }
    #expect(await failure(HTTPClientRequest(.get, "https://127.0.0.1:\(server.port)/")) == .untrusted)
  }

  @Test("our own network is out of reach when that is asked") func privateAddress() async throws {
    let server = try TinyServer { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") }
    defer { server.stop() }
    let outside = HTTPClient(allowsPrivateAddresses: false)
    for host in ["127.0.0.1", "localhost", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"] {
      #expect(await failure(HTTPClientRequest(.get, "http://\(host):\(server.port)/"), outside) == .privateAddress)
    }
    #expect(server.requests.isEmpty)
  }

  @Test(
    "which IPv4 addresses are public",
    arguments: [
      ([10, 0, 0, 1], false), ([127, 0, 0, 1], false), ([169, 254, 169, 254], false), ([172, 16, 0, 1], false),
      ([172, 31, 255, 255], false),
      ([172, 32, 0, 1], true), ([192, 168, 1, 1], false), ([100, 64, 0, 1], false), ([100, 128, 0, 1], true),
      ([0, 0, 0, 0], false),
      ([224, 0, 0, 1], false), ([255, 255, 255, 255], false), ([8, 8, 8, 8], true), ([203, 0, 113, 5], false),
      ([203, 0, 114, 5], true),
    ] as [([UInt8], Bool)]) func v4(_ address: [UInt8], _ isPublic: Bool)
  {
    #expect(NetworkAddress.isPublic(v4: address) == isPublic)
    let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF] + address
    #expect(NetworkAddress.isPublic(v6: mapped) == isPublic)
  }

  @Test(
    "which IPv6 addresses are public",
    arguments: [
      ([0xFE, 0x80], false), ([0xFC, 0x00], false), ([0xFD, 0x12], false), ([0xFF, 0x02], false),
      ([0x20, 0x01, 0x0D, 0xB8], false),
      ([0x2A, 0x00, 0x14, 0x50], true), ([0x20, 0x02, 10, 0, 0, 1], false), ([], false),
    ] as [([UInt8], Bool)]) func v6(_ start: [UInt8], _ isPublic: Bool)
  {
    let address = start + [UInt8](repeating: 0, count: 15 - start.count) + [1]
    #expect(NetworkAddress.isPublic(v6: address) == isPublic)
  }

  @Test("a stream hands over every byte, and can be ended") func streaming() async throws {
    let text = String(repeating: "0123456789", count: 10_000)
    let server = try TinyServer { _ in .bytes("HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)") }
    defer { server.stop() }
    let got = Collected()
    let response = try await client.stream(HTTPClientRequest(.get, server.url())) { got.append($0) }
    #expect(response.status == 200 && response.body.isEmpty)
    #expect(got.bytes == Array(text.utf8))
    await #expect(throws: HTTPClientError.cancelled) {
      try await client.stream(HTTPClientRequest(.get, server.url())) { _ in false }
    }
    await #expect(throws: HTTPClientError.tooLarge) {
      try await client.stream(HTTPClientRequest(.get, server.url(), responseLimit: 1000)) { _ in true }
    }
  }

  @Test("a cancelled task gives up its request") func cancellation() async throws {
    let server = try TinyServer { _ in .silence }
    defer { server.stop() }
    let task = Task { [client] in await failure(HTTPClientRequest(.get, server.url(), timeout: .seconds(60)), client) }
    task.cancel()
    #expect(await task.value == .cancelled)
  }

  @Test("an error says nothing of the request") func silentErrors() async {
    let request = HTTPClientRequest(
      .get, "http://user:pa55@127.0.0.1:1/?token=s3cret", headers: [("Authorization", "Bearer s3cret\u{1}")])
    let text = await failure(request).map { "\($0)" } ?? "s3cret"
    #expect(!text.contains("s3cret") && !text.contains("pa55"))
  }
}

private final class Collected: Sendable {
  private let all = Mutex<[UInt8]>([])

  var bytes: [UInt8] { all.withLock { $0 } }

  func append(_ bytes: [UInt8]) -> Bool {
    all.withLock { $0 += bytes }
    return true
  }
}
