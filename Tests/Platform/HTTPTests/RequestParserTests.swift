import Basics
import Testing

@testable import HTTP

/// What became of some bytes: one line that can be compared.
private func outcome(_ bytes: [UInt8], pieces: [Int]) -> String {
  var parser = RequestParser()
  var length = 0
  for piece in pieces + [bytes.count - pieces.reduce(0, +)] {
    length += piece
    do {
      if try parser.parse(Array(bytes[..<length]).span) { return describe(parser.head, bytes) }
    } catch {
      return "\(error)"
    }
  }
  return "incomplete"
}

private func describe(_ head: RequestHead, _ bytes: [UInt8]) -> String {
  func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
  var parts = [
    head.method.name, text(head.path), text(head.query), "1.\(head.minorVersion)", "\(head.framing)",
    head.keepAlive ? "keep" : "close", head.expectsContinue ? "expects" : "", "\(head.length)",
  ]
  for field in head.fields {
    parts.append(
      "\(text(Int(field.nameStart)..<Int(field.nameEnd)))=\(text(Int(field.valueStart)..<Int(field.valueEnd)))")
  }
  return parts.joined(separator: "|")
}

private func outcome(_ text: String) -> String { outcome(Array(text.utf8), pieces: []) }

/// Cuts at every place, and byte by byte, must change nothing.
private func expectSameAtEverySplit(_ bytes: [UInt8]) {
  let whole = outcome(bytes, pieces: [])
  for cut in 0..<min(bytes.count, 600) { #expect(outcome(bytes, pieces: [cut]) == whole, "cut at \(cut)") }
  #expect(outcome(bytes, pieces: Array(repeating: 1, count: max(0, bytes.count - 1))) == whole)
}

private let host = "Host: a\r\n"

@Suite("Request heads")
struct RequestParserTests {
  static let accepted: [(String, String)] = [
    ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET|/||1.1|none|keep||27|Host=a"),
    ("GET / HTTP/1.0\r\n\r\n", "GET|/||1.0|none|close||18"),
    ("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", "GET|/||1.0|none|keep||42|Connection=Keep-Alive"),
    ("\r\nGET /a?b=c&d HTTP/1.1\r\nhost:a:80\r\n\r\n", "GET|/a|b=c&d|1.1|none|keep||38|host=a:80"),
    ("GET /a? HTTP/1.1\r\nHost: [::1]:80 \t \r\n\r\n", "GET|/a||1.1|none|keep||39|Host=[::1]:80"),
    (
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Empty:\r\n\r\n",
      "POST|/||1.1|length(5)|keep||57|Host=a|Content-Length=5|X-Empty="
    ),
    ("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "PUT|/||1.1|none|keep||46|Host=a|Content-Length=0"),
    (
      "POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\nExpect: 100-Continue\r\n\r\n",
      "POST|/||1.1|chunked|keep|expects|78|Host=a|TRANSFER-ENCODING=Chunked|Expect=100-Continue"
    ),
    (
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: x , CLOSE\r\n\r\n",
      "GET|/||1.1|none|close||50|Host=a|Connection=x , CLOSE"
    ),
    ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS|*||1.1|none|keep||31|Host=a"),
    ("GET http://A/x?y HTTP/1.1\r\nHost: a\r\n\r\n", "GET|/x|y|1.1|none|keep||38|Host=a"),
    ("GET https://a HTTP/1.1\r\nHost: a\r\n\r\n", "GET|/||1.1|none|keep||35|Host=a"),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: caf\u{E9}\ttab\r\n\r\n", "GET|/||1.1|none|keep||41|Host=a|X=caf\u{E9}\ttab"),
    ("GET /%41//b HTTP/1.1\r\nHost: a\r\n\r\n", "GET|/%41//b||1.1|none|keep||33|Host=a"),
  ]

  @Test("a correct head is read, wherever its bytes are cut", arguments: accepted)
  func accepts(_ head: String, _ wanted: String) {
    #expect(outcome(head) == wanted)
    expectSameAtEverySplit(Array(head.utf8))
  }

  @Test("what follows a head is not looked at")
  func pipelined() {
    #expect(outcome("GET / HTTP/1.1\r\nHost: a\r\n\r\n\0\0\n") == "GET|/||1.1|none|keep||27|Host=a")
  }

  /// Heads that RFC 9112 forbids or that servers have disagreed about, to somebody's harm.
  static let malformed: [String] = [
    "GET / HTTP/1.1\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n\n",
    "GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", "GET / HTTP/1.1\rHost: a\r\n\r\n", "\nGET / HTTP/1.1\r\n\(host)\r\n",
    "\r\n\r\nGET / HTTP/1.1\r\n\(host)\r\n", " GET / HTTP/1.1\r\n\(host)\r\n", "GET  / HTTP/1.1\r\n\(host)\r\n",
    "GET /  HTTP/1.1\r\n\(host)\r\n", "GET / HTTP/1.1 \r\n\(host)\r\n", "GET / http/1.1\r\n\(host)\r\n",
    "GET / HTTP/1.10\r\n\(host)\r\n", "GET / HTTP/11\r\n\(host)\r\n", "GET / HTTP/+1.1\r\n\(host)\r\n",
    "GET /\r\n\r\n", "GET\r\n\r\n", "G\u{7F}T / HTTP/1.1\r\n\(host)\r\n", "G@T / HTTP/1.1\r\n\(host)\r\n",
    "GET /a b HTTP/1.1\r\n\(host)\r\n", "GET /a\tb HTTP/1.1\r\n\(host)\r\n", "GET /a#b HTTP/1.1\r\n\(host)\r\n",
    "GET /\u{E9} HTTP/1.1\r\n\(host)\r\n", "GET a HTTP/1.1\r\n\(host)\r\n", "GET * HTTP/1.1\r\n\(host)\r\n",
    "GET ftp://a/ HTTP/1.1\r\n\(host)\r\n", "GET http://b/ HTTP/1.1\r\n\(host)\r\n",
    "GET http:/// HTTP/1.1\r\n\(host)\r\n", "GET http://u@a/ HTTP/1.1\r\nHost: u@a\r\n\r\n",
    "GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\n\(host)\(host)\r\n",
    "GET / HTTP/1.0\r\n\(host)Host: b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a,b\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n", "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "GET / HTTP/1.1\r\n\(host)X: a\r\n b\r\n\r\n", "GET / HTTP/1.1\r\n\(host)X: a\r\n\tb\r\n\r\n",
    "GET / HTTP/1.1\r\n\(host)X\r\n\r\n", "GET / HTTP/1.1\r\n\(host): b\r\n\r\n",
    "GET / HTTP/1.1\r\n\(host)X Y: b\r\n\r\n", "GET / HTTP/1.1\r\n\(host)X\u{E9}: b\r\n\r\n",
    "GET / HTTP/1.1\r\n\(host)X(: b\r\n\r\n", "GET / HTTP/1.1\r\n\(host)X: a\0b\r\n\r\n",
    "GET / HTTP/1.1\r\n\(host)X: a\u{B}b\r\n\r\n", "GET / HTTP/1.1\r\n\(host)X: a\u{7F}\r\n\r\n",
    "POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\n\(host)Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "POST / HTTP/1.1\r\n\(host)Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.0\r\n\(host)Transfer-Encoding: chunked\r\n\r\n",
  ]

  @Test("a malformed head is refused, wherever its bytes are cut", arguments: malformed)
  func refuses(_ head: String) {
    #expect(outcome(head).hasPrefix("malformed"), "\(outcome(head))")
    expectSameAtEverySplit(Array(head.utf8))
  }

  @Test(
    "a length is digits and nothing else",
    arguments: [
      "+5", "-0", "-5", "5_0", "0x5", "5 ,5", "5, 5", "5,5", "", " ", "5 5", "5.0", "1e3", "5\u{B2}", "９",
      "18446744073709551616", "9999999999999999",
    ])
  func lengths(_ length: String) {
    #expect(outcome("POST / HTTP/1.1\r\n\(host)Content-Length: \(length)\r\n\r\n") == "malformed(\"Content-Length\")")
  }

  @Test(
    "the only transfer coding is chunked, once",
    arguments: [
      "gzip", "chunked, gzip", "gzip, chunked", "chunked, chunked", "identity", "chunked;q=1", "\"chunked\"",
      "xchunked", "chunked,", ",chunked", "", "chun ked", "chunked\u{B}",
    ])
  func codings(_ coding: String) {
    let result = outcome("POST / HTTP/1.1\r\n\(host)Transfer-Encoding: \(coding)\r\n\r\n")
    #expect(result.hasPrefix("malformed"), "\(result)")
  }

  @Test(
    "what is well formed but not served has its own answer",
    arguments: [
      ("GET / HTTP/2.0\r\n\(host)\r\n", ParseError.unknownVersion), ("GET / HTTP/1.2\r\n", .unknownVersion),
      ("GET / HTTP/0.9\r\n", .unknownVersion), ("TRACE / HTTP/1.1\r\n", .unknownMethod),
      ("get / HTTP/1.1\r\n", .unknownMethod), ("CONNECT a:1 HTTP/1.1\r\n", .unknownMethod),
      ("ABCDEFGHIJKLMNOPQRST", .unknownMethod),
      ("POST / HTTP/1.1\r\n\(host)Content-Length: 1\r\nExpect: 200-ok\r\n\r\n", .unknownExpectation),
    ])
  func unserved(_ head: String, _ error: ParseError) {
    #expect(outcome(head) == "\(error)")
    expectSameAtEverySplit(Array(head.utf8))
  }

  @Test("a target has at most 8 KiB") func targetLimit() {
    let fits = "/" + String(repeating: "a", count: RequestParser.targetMax - 1)
    #expect(outcome("GET \(fits) HTTP/1.1\r\n\(host)\r\n").hasPrefix("GET|/a"))
    let long = "GET \(fits)a HTTP/1.1\r\n\(host)\r\n"
    #expect(outcome(long) == "targetTooLong")
    #expect(outcome(Array(long.utf8), pieces: [8000, 100, 100]) == "targetTooLong")
  }

  @Test("a head has at most 16 KiB and 64 fields") func headLimits() {
    let fields = { (count: Int) in (0..<count).map { "X-\($0): y\r\n" }.joined() }
    #expect(outcome("GET / HTTP/1.1\r\n\(host)\(fields(63))\r\n").hasPrefix("GET"))
    #expect(outcome("GET / HTTP/1.1\r\n\(host)\(fields(64))\r\n") == "headTooLarge")
    let start = "GET / HTTP/1.1\r\n\(host)X: "
    let room = RequestParser.headMax - start.utf8.count - 4
    #expect(outcome(start + String(repeating: "y", count: room) + "\r\n\r\n").hasPrefix("GET"))
    let long = start + String(repeating: "y", count: room + 1) + "\r\n\r\n"
    #expect(outcome(long) == "headTooLarge")
    #expect(outcome(Array(long.utf8), pieces: [16_000, 384, 1]) == "headTooLarge")
  }

  @Test("mutated heads never crash the parser and mean the same at any split")
  func fuzz() {
    let seed = UInt64.random(in: 0...UInt64.max)
    print("seed \(seed)")
    var random = SplitMix(seed: seed)
    let corpus = (Self.accepted.map(\.0) + Self.malformed).map { Array($0.utf8) }
    for _ in 0..<20_000 {
      var bytes = corpus[Int(random.next() % UInt64(corpus.count))]
      for _ in 0...random.next() % 4 {
        let place = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 4 {
        case 0: bytes[place] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.insert([0x0A, 0x0D, 0x20, 0x3A, 0x00, 0x2C][Int(random.next() % 6)], at: place)
        case 2: if bytes.count > 1 { bytes.remove(at: place) }
        default: bytes.append(contentsOf: corpus[Int(random.next() % UInt64(corpus.count))].prefix(place))
        }
      }
      let cut = Int(random.next() % UInt64(bytes.count))
      let second = Int(random.next() % UInt64(bytes.count - cut))
      #expect(outcome(bytes, pieces: [cut, second]) == outcome(bytes, pieces: []), "seed \(seed): \(bytes)")
    }
  }
}
