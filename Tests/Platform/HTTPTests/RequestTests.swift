import Basics
import HTTP
import JSON
import Testing

@Suite("Requests")
struct RequestTests {
  @Test("a query is decoded, repeated names are kept in order") func query() throws {
    let request = try #require(Request(.get, "/a?x=1&y=a%20b+c&x=2&flag&empty=&%6Bey=v"))
    #expect(request.path == "/a")
    #expect(request.query("x") == "1")
    #expect(request.queries("x") == ["1", "2"])
    #expect(request.query("y") == "a b c")
    #expect(request.query("flag") == "")
    #expect(request.query("empty") == "")
    #expect(request.query("key") == "v")
    #expect(request.query("absent") == nil)
  }

  @Test("headers are found without case, the first one first") func headers() throws {
    let request = try #require(Request(.get, "/", headers: ["X-API-Key": "one", "x-api-key": "two"]))
    #expect(request.header("x-Api-kEy") == "one")
    #expect(request.header("X-API-Ke") == nil)
    #expect(request.headers.map(\.name) == ["Host", "X-API-Key", "x-api-key"])
  }

  @Test("a parameter that must be a UUID says so by its name") func uuid() throws {
    let id = UUID(high: 1, low: 2)
    let good = try #require(Request(.get, "/", parameters: PathParameters(["unitId": id.description])))
    #expect(try good.uuid("unitId") == id)
    let bad = try #require(Request(.get, "/", parameters: PathParameters(["unitId": "7"])))
    let error = #expect(throws: HTTPError.self) { try bad.uuid("unitId") }
    #expect(error?.details == [HTTPError.Detail(path: "unitId", message: "must be a UUID")])
  }

  @Test("an error body names its code, the request and every field") func errorBody() throws {
    let error = HTTPError.validation([.init(path: "a.b", message: "no \"good\"")])
    guard case .bytes(let bytes) = error.response(id: RequestID(number: 5)).body else {
      Issue.record("no body")
      return
    }
    let root = try JSONDocument(bytes).root["error"]
    #expect(root?["code"]?.string == "VALIDATION_FAILED")
    #expect(root?["requestId"]?.string == RequestID(number: 5).text)
    #expect(root?["details"]?[0]?["path"]?.string == "a.b")
    #expect(root?["details"]?[0]?["message"]?.string == "no \"good\"")
  }

  @Test("escapes are decoded strictly", arguments: ["%", "%4", "%4g", "%00", "a%0", "%C0%AF", "%FF", "%ED%A0%80"])
  func badEscapes(_ text: String) {
    #expect(PercentEncoding.decode(Array(text.utf8)[...]) == nil)
  }

  @Test("escapes come back as they were") func escapes() {
    let text = "a/b c+é~_.-%"
    #expect(PercentEncoding.decode(Array(PercentEncoding.encode(text).utf8)[...]) == text)
    #expect(PercentEncoding.encode("a b/é") == "a%20b%2F%C3%A9")
  }
}

@Suite("Addresses")
struct PeerAddressTests {
  @Test(
    "addresses are written as they are read",
    arguments: ["1.2.3.4", "0.0.0.0", "255.255.255.255", "::1", "2001:db8::ff00:42:8329"])
  func roundTrip(_ text: String) { #expect(PeerAddress(text)?.description == text) }

  @Test(
    "what is no address is none", arguments: ["", "1.2.3", "1.2.3.4:80", "01.2.3.4x", "[::1]", "unknown", "1.2.3.256"])
  func invalid(_ text: String) { #expect(PeerAddress(text) == nil) }

  @Test("a mapped address is the IPv4 address") func mapped() {
    #expect(PeerAddress("::ffff:10.0.0.1") == PeerAddress("10.0.0.1"))
  }

  @Test("a block contains what shares its prefix") func blocks() throws {
    let ten = try #require(AddressBlock("10.0.0.0/8"))
    #expect(ten.contains(try #require(PeerAddress("10.255.0.1"))))
    #expect(!ten.contains(try #require(PeerAddress("11.0.0.0"))))
    let all = try #require(AddressBlock("0.0.0.0/0"))
    #expect(all.contains(.ipv4(7)))
    #expect(!all.contains(.ipv6(high: 0, low: 1)))
    let six = try #require(AddressBlock("2001:db8::/33"))
    #expect(six.contains(try #require(PeerAddress("2001:db8:7fff::1"))))
    #expect(!six.contains(try #require(PeerAddress("2001:db8:8000::1"))))
    #expect(try #require(AddressBlock("::1")).contains(.ipv6(high: 0, low: 1)))
  }

  @Test(
    "a bad block is none", arguments: ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "x/8", "1.2.3.4/8/8"])
  func badBlocks(_ text: String) { #expect(AddressBlock(text) == nil) }
}
