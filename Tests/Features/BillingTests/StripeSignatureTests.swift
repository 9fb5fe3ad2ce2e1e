import Basics
import Crypto
import Testing

@testable import Billing

struct StripeSignatureTests {
  private static let now = Instant(seconds: 1_767_268_800)
  private let body = Array(#"{"id":"evt_1"}"#.utf8)

  private static func code(_ secret: String, _ text: String) -> String {
    Hex.encode(HMAC.sha256(key: Array(secret.utf8), message: Array(text.utf8)))
  }

  private func verdict(_ header: String, at now: Instant = now) -> StripeSignature.Verdict? {
    StripeSignature(Array(header.utf8)[...])?.verdict(on: body[...], secret: "whsec_new", now: now)
  }

  private var valid: String { Self.code("whsec_new", #"1767268800.{"id":"evt_1"}"#) }

  @Test func `one of several signatures is enough, while a secret is rolled`() {
    let old = Self.code("whsec_old", #"1767268800.{"id":"evt_1"}"#)
    #expect(verdict("t=1767268800,v1=\(valid)") == .valid)
    #expect(verdict("t=1767268800,v1=\(old),v1=\(valid),v0=abc") == .valid)
    #expect(verdict("v1=\(valid), t=1767268800") == .valid)
    #expect(verdict("t=1767268800,v1=\(old)") == .wrong)
  }

  @Test func `another time or another scheme is not signed`() {
    #expect(verdict("t=1767268801,v1=\(valid)") == .wrong)
    #expect(verdict("t=1767268800,v0=\(valid)") == nil)
    #expect(verdict("t=1767268800,v1=\(valid.dropLast(2))") == .wrong)
    #expect(verdict("t=1767268800,v1=\(valid),t=1767268801") == nil)
  }

  @Test(arguments: [(300, true), (301, false), (-300, true), (-301, false)])
  func `five minutes are tolerated in both directions`(age: Int, isValid: Bool) {
    let later = Self.now + .seconds(age)
    #expect(verdict("t=1767268800,v1=\(valid)", at: later) == (isValid ? .valid : .stale))
  }

  @Test(arguments: ["", "t=", "v1=ab", "t=1,v1=", "t=+1,v1=ab", "t=1,v1=xy", "t=99999999999999,v1=ab"])
  func `what cannot be read is refused`(header: String) {
    #expect(verdict(header) == nil || verdict(header) == .wrong)
  }
}
