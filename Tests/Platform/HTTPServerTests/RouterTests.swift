import HTTP
import Testing

@testable import HTTPServer

private let routes: [(method: Method, pattern: String)] = [
  (.get, "/"), (.get, "/api/orgs"), (.post, "/api/orgs"), (.get, "/api/orgs/:organizationId"),
  (.get, "/api/orgs/:organizationId/sites/:siteId"), (.post, "/api/orgs/import"),
  (.get, "/api/orgs/:organizationId/sites/board"), (.delete, "/api/orgs/:id/sites/:site"),
]

private func match(_ method: Method, _ path: String) -> String {
  let router = Router(routes)
  let bytes = Array(path.utf8)
  switch router.match(method, bytes[...]) {
  case .route(let index, let spans):
    let values = (0..<spans.count).map { String(decoding: bytes[spans[$0]], as: UTF8.self) }
    let pairs = zip(router.parameterNames[index], values).map { "\($0)=\($1)" }
    return ([routes[index].pattern] + pairs).joined(separator: " ")
  case .otherMethod(let allow): return "405 \(allow)"
  case .unknownPath: return "404"
  case .badPath: return "400"
  }
}

@Suite("Routes")
struct RouterTests {
  @Test(
    "a path finds its route",
    arguments: [
      (Method.get, "/", "/"), (.head, "/api/orgs", "/api/orgs"), (.post, "/api/orgs", "/api/orgs"),
      (.get, "/api/orgs/7", "/api/orgs/:organizationId organizationId=7"),
      (.get, "/api/orgs/7/sites/8", "/api/orgs/:organizationId/sites/:siteId organizationId=7 siteId=8"),
      (.delete, "/api/orgs/7/sites/8", "/api/orgs/:id/sites/:site id=7 site=8"),
      (.get, "/api/orgs/7/sites/board", "/api/orgs/:organizationId/sites/board organizationId=7"),
      (.delete, "/api/orgs/7/sites/board", "/api/orgs/:id/sites/:site id=7 site=board"),
      (.post, "/api/orgs/import", "/api/orgs/import"),
      (.get, "/api/orgs/import", "/api/orgs/:organizationId organizationId=import"),
      (.get, "/%61pi/orgs", "/api/orgs"), (.get, "/api/orgs/a%2Fb", "/api/orgs/:organizationId organizationId=a%2Fb"),
      (.get, "/api/orgs/a.b", "/api/orgs/:organizationId organizationId=a.b"),
    ])
  func found(_ method: Method, _ path: String, _ wanted: String) { #expect(match(method, path) == wanted) }

  @Test(
    "a path that is not there finds nothing",
    arguments: [
      "", "/x", "/api", "/api/", "/api/orgs/", "/api/orgs//sites/1", "//", "/API/orgs", "/api/orgs/1/sites/2/3",
    ])
  func unknown(_ path: String) { #expect(match(.get, path) == "404") }

  @Test("a known path tells its methods") func otherMethod() {
    #expect(match(.put, "/api/orgs") == "405 GET, POST, HEAD, OPTIONS")
    #expect(match(.options, "/api/orgs/7/sites/8") == "405 GET, DELETE, HEAD, OPTIONS")
  }

  @Test(
    "a path that two servers may read differently is refused",
    arguments: ["/api/../orgs", "/api/%2e%2E/x", "/./x", "/%00", "/%", "/%zz", "/a/%C0%AF", "/%FF"])
  func bad(_ path: String) { #expect(match(.get, path) == "400") }
}

@Suite("Header values")
struct HeaderValueTests {
  @Test(
    "gzip is used when the client takes it",
    arguments: [
      ("gzip", true), ("deflate, gzip;q=1.0", true), ("*", true), ("x-gzip", true), ("GZIP", true), ("gzip;q=0", false),
      ("gzip; q=0.000", false), ("*;q=0", false), ("br", false), ("", false), ("*, gzip;q=0", false),
      ("gzip;q=0.01", true),
    ])
  func encoding(_ value: String, _ accepted: Bool) { #expect(acceptsGzip(Array(value.utf8)[...]) == accepted) }

  @Test(
    "JSON is known by its type",
    arguments: [
      ("application/json", true), ("Application/JSON; charset=utf-8", true), ("application/vnd.tts+json", true),
      ("text/plain", false), ("application/jsonp", false), ("+json", false), ("", false),
    ])
  func json(_ value: String, _ isOne: Bool) { #expect(isJSON(Array(value.utf8)[...]) == isOne) }

  @Test("a tag matches weakly") func tags() {
    #expect(matches("\"a\", W/\"b\"", tag: "\"b\""))
    #expect(matches("*", tag: "\"b\""))
    #expect(!matches("\"a\"", tag: "\"b\""))
    #expect(!matches("", tag: "\"b\""))
  }

  @Test("a date is written as HTTP wants it") func date() {
    #expect(HTTPDate.text(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(HTTPDate.text(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
  }
}

@Suite("Gzip")
struct GzipTests {
  @Test("what is compressed comes back, one after another") func roundTrip() throws {
    let encoder = try #require(GzipEncoder())
    for length in [0, 1, 1000, 100_000] {
      let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 5) }
      let compressed = encoder.compress(bytes)
      #expect(try Gzip.inflate(compressed[...], limit: length) == bytes)
    }
  }

  @Test("the pieces of a stream make one whole") func stream() throws {
    let encoder = try #require(GzipEncoder())
    let all = encoder.write(Array("hello ".utf8)) + encoder.write(Array("world".utf8)) + encoder.finish()
    #expect(try Gzip.inflate(all[...], limit: 100) == Array("hello world".utf8))
  }

  @Test("a bomb stops at the limit") func bomb() throws {
    let encoder = try #require(GzipEncoder())
    let bomb = encoder.compress([UInt8](repeating: 0, count: 10_000_000))
    #expect(bomb.count < 50_000)
    #expect(throws: Gzip.Failure.tooLarge) { try Gzip.inflate(bomb[...], limit: 1 << 20) }
  }

  @Test("what is cut, changed or followed by more is refused") func malformed() throws {
    let encoder = try #require(GzipEncoder())
    let good = encoder.compress(Array("some text that is long enough".utf8))
    for length in 0..<good.count {
      #expect(throws: Gzip.Failure.malformed) { try Gzip.inflate(good[..<length], limit: 1000) }
    }
    #expect(throws: Gzip.Failure.malformed) { try Gzip.inflate((good + [0])[...], limit: 1000) }
    var changed = good
    changed[changed.count - 5] ^= 1
    #expect(throws: Gzip.Failure.malformed) { try Gzip.inflate(changed[...], limit: 1000) }
  }
}
