import Basics
import Glibc
import HTTP
import JSON
import Runtime
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import HTTPServer

/// Lets a handler wait until the test opens it, and the test until handlers have arrived.
final class Gate: Sendable {
  private struct State {
    var isOpen = false
    var waiting: [CheckedContinuation<Void, Never>] = []
  }
  private let state = Mutex(State())
  private let arrived = Mutex(0)

  func pass() async {
    arrived.withLock { $0 += 1 }
    await withCheckedContinuation { continuation in
      let isOpen = state.withLock { state in
        if !state.isOpen { state.waiting.append(continuation) }
        return state.isOpen
      }
      if isOpen { continuation.resume() }
    }
  }

  func open() {
    let waiting = state.withLock { state in
      state.isOpen = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for continuation in waiting { continuation.resume() }
  }

  func waitForArrival() { while arrived.withLock({ $0 }) == 0 { sched_yield() } }
}

/// Ends with the last client that it was asked for.
final class TestServer: Sendable {
  let server: HTTPServer
  let group = LoopGroup(count: 1)
  let port: UInt16
  let metrics = Metrics()

  init(_ routes: [Route] = standardRoutes, _ configure: (inout HTTPServerConfiguration) -> Void = { _ in }) throws {
    var configuration = HTTPServerConfiguration()
    configuration.port = 0
    configure(&configuration)
    server = HTTPServer(routes: routes, configuration: configuration, log: .none, metrics: metrics)
    port = try server.start(on: group).port
  }

  deinit { group.end(server) }

  var client: RawClient { RawClient(port: port, of: self) }

  /// One request on a connection of its own.
  func ask(_ request: String) throws -> Answer {
    let client = client
    client.send(request)
    return try #require(client.answer(hasBody: !request.hasPrefix("HEAD")))
  }
}

struct Mapped: Error {}
struct Unknown: Error {}

let standardRoutes: [Route] = [
  .immediate(.get, "/now") { _ in .json(bytes: Array("{\"a\":1}".utf8)) },
  .eager(
    .get, "/soon",
    atOnce: { $0.query("known") == nil ? nil : .text("at once") },
    { _ in .text("later") }),
  Route(.get, "/later/:name") { request in .text(request.parameter("name")) },
  Route(.post, "/echo", bodyLimit: 100_000, content: .any) { .bytes("application/octet-stream", Array($0.body)) },
  .immediate(.post, "/echo-now", bodyLimit: 100_000, content: .any) {
    .bytes("application/octet-stream", Array($0.body))
  },
  Route(.post, "/json") { request in
    var fields = try Fields(body: request.body)
    let name = fields.string("name", 1...5)
    try fields.check()
    return .text(name)
  },
  Route(.get, "/large") { _ in .text(String(repeating: "0123456789", count: 100_000)) },
  Route(.get, "/stream") { _ in
    .stream(MediaType.csv) { writer in for line in 0..<20_000 { try await writer.write("line \(line)\n") } }
  },
  Route(.get, "/cut") { _ in
    .stream(MediaType.csv) { writer in
      try await writer.write("begun\n")
      throw Unknown()
    }
  },
  Route(.get, "/tagged") { _ in Response.text("tagged").with(.etag, "\"v1\"") },
  Route(.get, "/fails") { _ in throw Unknown() },
  Route(.get, "/mapped") { _ in throw Mapped() },
  Route(.get, "/id") { .text($0.id + " " + $0.peer.description) },
  Route.streamed(.post, "/count", bodyLimit: 1 << 20) { _, body in
    var count = 0
    while let piece = try await body.next() { count += piece.count }
    return .text("\(count)")
  },
  Route.streamed(.post, "/repeat", bodyLimit: 1 << 20) { _, body in
    .stream(MediaType.csv) { writer in while let piece = try await body.next() { try await writer.write(piece) } }
  },
]

func get(_ path: String, _ headers: String = "") -> String { "GET \(path) HTTP/1.1\r\nHost: a\r\n\(headers)\r\n" }

func post(_ path: String, _ body: String, _ headers: String = "") -> String {
  "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)"
}

@Suite("A server on a socket")
struct ServerTests {
  @Test("requests that come together are answered in order") func pipelining() async throws {
    try await offPool {
      let client = try TestServer().client
      client.send(get("/later/one") + get("/now") + post("/echo", "two") + get("/later/three") + get("/now"))
      #expect(client.answer()?.text == "one")
      #expect(client.answer()?.text == "{\"a\":1}")
      #expect(client.answer()?.text == "two")
      #expect(client.answer()?.text == "three")
      #expect(client.answer()?.text == "{\"a\":1}")
    }
  }

  @Test("what is known already is answered at once, the rest when it is known, in order") func eager() async throws {
    try await offPool {
      let client = try TestServer().client
      client.send(get("/soon") + get("/soon?known") + get("/soon") + get("/now"))
      #expect(client.answer()?.text == "later")
      #expect(client.answer()?.text == "at once")
      #expect(client.answer()?.text == "later")
      #expect(client.answer()?.status == 200)
    }
  }

  @Test("a request may come byte by byte") func fragments() async throws {
    try await offPool {
      let client = try TestServer().client
      let chunked =
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
      for byte in Array((post("/echo", "hello") + chunked + get("/now")).utf8) { client.send([byte]) }
      #expect(client.answer()?.text == "hello")
      #expect(client.answer()?.text == "abcde")
      #expect(client.answer()?.status == 200)
    }
  }

  @Test("HEAD has the headers of GET and no body") func head() async throws {
    try await offPool {
      let client = try TestServer().client
      client.send("HEAD /now HTTP/1.1\r\nHost: a\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n" + get("/now"))
      #expect(client.answer(hasBody: false)?["Content-Length"] == "7")
      #expect(client.answer(hasBody: false)?.status == 200)
      #expect(client.answer()?.text == "{\"a\":1}")
    }
  }

  @Test("HTTP/1.0 closes unless asked to stay") func version10() async throws {
    try await offPool {
      let server = try TestServer()
      let client = server.client
      client.send("GET /now HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
      #expect(client.answer()?["Connection"] == "keep-alive")
      client.send("GET /now HTTP/1.0\r\n\r\n")
      #expect(client.answer()?["Connection"] == "close")
      #expect(client.rest() == "")
      let streaming = server.client
      streaming.send("GET /stream HTTP/1.0\r\n\r\n")
      let all = streaming.rest()
      #expect(!all.contains("Transfer-Encoding"))
      #expect(all.hasSuffix("line 19999\n"))
    }
  }

  @Test("a client that waits to send its body is told to go on") func expectContinue() async throws {
    try await offPool {
      let client = try TestServer().client
      for path in ["/echo", "/count", "/repeat"] {
        client.send("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        #expect(client.answer()?.status == 100)
        client.send("hello")
        #expect(client.answer()?.text == (path == "/count" ? "5" : "hello"))
      }
    }
  }

  @Test("a body over the limit is refused before it is sent") func payloadTooLarge() async throws {
    try await offPool {
      let server = try TestServer()
      let announced = server.client
      announced.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n")
      let answer = try #require(announced.answer())
      #expect(answer.status == 413)
      #expect(answer.text.contains("PAYLOAD_TOO_LARGE"))
      #expect(answer["Connection"] == "close")
      #expect(announced.rest() == "")
      for path in ["/echo", "/count"] {
        let chunked = server.client
        chunked.send("POST \(path) HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        let chunk = "10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n"
        for _ in 0..<20 { if !chunked.send(chunk) { break } }
        #expect(chunked.answer()?.status == 413)
      }
    }
  }

  @Test(
    "malformed requests are answered once and end the connection",
    arguments: [
      ("GET / HTTP/1.1\n\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400), ("BREW / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
      ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505), ("GET /\(String(repeating: "a", count: 8192)) HTTP/1.1\r\n", 414),
      ("GET / HTTP/1.1\r\nX: \(String(repeating: "a", count: 16_384))", 431),
      ("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
      ("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: tea\r\n\r\n", 417),
    ])
  func malformed(_ request: String, _ status: Int) async throws {
    try await offPool {
      let client = try TestServer().client
      client.send(get("/now") + request + get("/now"))
      #expect(client.answer()?.status == 200)
      let answer = try #require(client.answer())
      #expect(answer.status == status)
      #expect(answer["X-Content-Type-Options"] == "nosniff")
      #expect(try JSONDocument(answer.body).root["error"]?["requestId"]?.string == answer["X-Request-Id"])
      #expect(client.rest() == "", "nothing after the error is looked at")
    }
  }

  @Test("paths, methods and content types that are not served are named") func refusals() async throws {
    try await offPool {
      let server = try TestServer()
      #expect(try server.ask(get("/none")).text.contains("NOT_FOUND"))
      let method = try server.ask(post("/now", ""))
      #expect(method.status == 405)
      #expect(method["Allow"] == "GET, HEAD, OPTIONS")
      #expect(try server.ask(get("/later/%ff")).status == 400)
      #expect(try server.ask(get("/now?a=%zz")).status == 400)
      #expect(try server.ask(post("/json", "{}", "Content-Type: text/plain\r\n")).status == 415)
      let client = server.client
      client.send(
        post("/none", "body") + post("/json", "{\"name\":\"\"}") + post("/json", "[1")
          + post("/json", "{\"name\":\"ok\"}"))
      #expect(client.answer()?.status == 404)
      #expect(client.answer()?.text.contains("VALIDATION_FAILED") == true)
      #expect(client.answer()?.text.contains("VALIDATION_FAILED") == true)
      #expect(client.answer()?.text == "ok")
    }
  }

  @Test("an unknown error says nothing of the inside") func errors() async throws {
    try await offPool {
      let server = try TestServer { $0.mapError = { $0 is Mapped ? .unavailable(retryAfter: 3) : nil } }
      let unknown = try server.ask(get("/fails", "X-Request-Id: my.id-1\r\n"))
      #expect(unknown.status == 500)
      #expect(unknown["X-Request-Id"] == "my.id-1")
      #expect(unknown.text.contains("\"requestId\":\"my.id-1\""))
      #expect(!unknown.text.contains("Unknown"))
      let mapped = try server.ask(get("/mapped", "X-Request-Id: bad id\r\n"))
      #expect(mapped.status == 503)
      #expect(mapped["Retry-After"] == "3")
      #expect(mapped["X-Request-Id"] != "bad id")
    }
  }

  @Test("large and streamed answers arrive whole") func large() async throws {
    try await offPool {
      let client = try TestServer().client
      client.send(get("/large") + get("/stream") + get("/now"))
      #expect(client.answer()?.body.count == 1_000_000)
      let stream = try #require(client.answer())
      #expect(stream["Transfer-Encoding"] == "chunked")
      #expect(stream.text.hasSuffix("line 19999\n"))
      #expect(client.answer()?.status == 200)
    }
  }

  @Test("a stream that fails is cut, so that the client sees it") func cut() async throws {
    try await offPool {
      let client = try TestServer().client
      client.send(get("/cut"))
      #expect(client.answer() == nil)
    }
  }

  @Test("answers are compressed for who asks, and requests inflated") func gzip() async throws {
    try await offPool {
      let server = try TestServer()
      for path in ["/large", "/stream"] {
        let plain = try server.ask(get(path))
        let packed = try server.ask(get(path, "Accept-Encoding: br, gzip\r\n"))
        #expect(packed["Content-Encoding"] == "gzip")
        #expect(packed["Vary"] == "Accept-Encoding")
        #expect(packed.body.count < plain.body.count / 2)
        #expect(try Gzip.inflate(packed.body[...], limit: 2_000_000) == plain.body)
      }
      #expect(try server.ask(get("/now", "Accept-Encoding: gzip\r\n"))["Content-Encoding"] == nil)
      let encoder = try #require(GzipEncoder())
      for path in ["/echo", "/echo-now"] {
        for (length, status) in [(50_000, 200), (100_001, 413)] {
          let packed = encoder.compress([UInt8](repeating: 7, count: length))
          let client = server.client
          client.send(
            "POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: \(packed.count)\r\n\r\n")
          client.send(packed)
          #expect(client.answer()?.status == status)
        }
      }
      #expect(try server.ask(post("/echo", "x", "Content-Encoding: br\r\n")).status == 415)
      #expect(try server.ask(post("/echo", "x", "Content-Encoding: gzip\r\n")).status == 400)
    }
  }

  @Test("a known tag is answered without a body") func conditional() async throws {
    try await offPool {
      let server = try TestServer()
      let answer = try server.ask(get("/tagged", "If-None-Match: \"v0\", W/\"v1\"\r\n"))
      #expect(answer.status == 304)
      #expect(answer["ETag"] == "\"v1\"")
      #expect(answer["Content-Length"] == nil)
      #expect(try server.ask(get("/tagged", "If-None-Match: \"v0\"\r\n")).text == "tagged")
    }
  }

  @Test("an allowed origin may ask, another may not") func crossOrigin() async throws {
    try await offPool {
      let server = try TestServer { $0.corsOrigins = ["https://app.example.com"] }
      let preflight = "OPTIONS /json HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Method: POST\r\nOrigin: "
      let allowed = try server.ask(preflight + "https://app.example.com\r\n\r\n")
      #expect(allowed.status == 204)
      #expect(allowed["Access-Control-Allow-Origin"] == "https://app.example.com")
      #expect(allowed["Access-Control-Allow-Headers"]?.contains("x-stack-access-token") == true)
      #expect(allowed["Vary"] == "Origin")
      let other = try server.ask(preflight + "https://app.example.com.evil\r\n\r\n")
      #expect(other["Access-Control-Allow-Origin"] == nil)
      let simple = try server.ask(get("/now", "Origin: https://app.example.com\r\n"))
      #expect(simple["Access-Control-Allow-Credentials"] == "true")
    }
  }

  @Test("only a trusted proxy is believed about its client") func forwarded() async throws {
    try await offPool {
      let header = "X-Forwarded-For: 6.6.6.6, 1.2.3.4\r\nX-Forwarded-For: 10.0.0.9\r\nX-Request-Id: r\r\n"
      #expect(try TestServer().ask(get("/id", header)).text == "r 127.0.0.1")
      let trusting = try TestServer {
        $0.trustedProxies = ["127.0.0.0/8", "10.0.0.0/8"].compactMap { AddressBlock($0) }
      }
      #expect(try trusting.ask(get("/id", header)).text == "r 1.2.3.4")
      #expect(try trusting.ask(get("/id", "X-Request-Id: r\r\n")).text == "r 127.0.0.1")
    }
  }

  @Test("the numbers of requests are counted by route, not by path") func metrics() async throws {
    try await offPool {
      let server = try TestServer()
      for name in ["a", "b"] { #expect(try server.ask(get("/later/\(name)")).status == 200) }
      #expect(try server.ask(get("/x/y/z")).status == 404)
      let page = String(decoding: server.metrics.render(.prometheus), as: UTF8.self)
      #expect(page.contains("http_requests_total{route=\"/later/:name\",method=\"GET\",status=\"200\"} 2"))
      #expect(page.contains("http_requests_total{route=\"unmatched\",method=\"GET\",status=\"404\"} 1"))
      #expect(page.contains("http_request_duration_seconds_count{route=\"/later/:name\"} 2"))
    }
  }

  @Test("a server that shows its own figures does not keep itself") func ownFigures() {
    weak var kept: Metrics?
    do {
      let metrics = Metrics()
      kept = metrics
      let page = Route.immediate(.get, "/metrics") { _ in
        .bytes("text/plain", metrics.render(.prometheus))
      }
      _ = HTTPServer(routes: [page], configuration: HTTPServerConfiguration(), log: .none, metrics: metrics)
    }
    #expect(kept == nil)
  }
}
