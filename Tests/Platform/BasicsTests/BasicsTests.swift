import Basics
import Testing

@Suite("An instant") struct InstantTests {
  @Test(
    "is read from RFC 3339",
    arguments: [
      ("1970-01-01T00:00:00Z", 0), ("2026-01-05T07:30:12.612345678Z", 1_767_598_212_612_345),
      ("2026-01-05T08:30:12.5+01:00", 1_767_598_212_500_000), ("2024-02-29T23:59:59-00:30", 1_709_252_999_000_000),
      ("0001-01-01T00:00:00Z", -62_135_596_800_000_000), ("2016-12-31T23:59:60Z", 1_483_228_799_999_999),
    ]) func reads(text: String, microseconds: Int64)
  {
    #expect(Instant(rfc3339: text)?.microseconds == microseconds)
  }

  @Test(
    "is not read from what RFC 3339 does not know",
    arguments: [
      "", "2026-01-05", "2026-01-05T07:30:12", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-05T24:00:00Z",
      "2026-01-05T07:30:12.Z", "2026-01-05T07:30:12+5:00", "+026-01-05T07:30:12Z", "2026-01-05T07:30:12Zx",
      "2026-01-05T07:30:12.1234567890123Z",
    ]) func refuses(text: String)
  {
    #expect(Instant(rfc3339: text) == nil)
  }

  @Test("is written with milliseconds and Z, and reads back") func writes() {
    #expect(Instant(microseconds: 1_767_598_212_612_999).rfc3339 == "2026-01-05T07:30:12.612Z")
    #expect(Instant(microseconds: -1).rfc3339 == "1969-12-31T23:59:59.999Z")
    #expect(Instant.distantFuture.rfc3339 == "9999-12-31T23:59:59.999Z")
    for day in stride(from: -700_000, through: 2_900_000, by: 997) {
      let instant = Instant(seconds: Int64(day) * 86_400 + 12_345)
      #expect(Instant(rfc3339: instant.rfc3339) == instant)
    }
  }
}

@Suite("A UUID") struct UUIDTests {
  @Test("reads what it writes") func roundTrip() throws {
    let text = "0197f3a2-1b2c-7d3e-8f40-5a6b7c8d9e0f"
    let uuid = try #require(UUID(text))
    #expect(uuid.description == text)
    #expect(UUID(text.uppercased()) == uuid)
    #expect(UUID(bytes: uuid.bytes) == uuid)
  }

  @Test(
    "is not read from other forms",
    arguments: [
      "", "0197f3a21b2c7d3e8f405a6b7c8d9e0f", "{0197f3a2-1b2c-7d3e-8f40-5a6b7c8d9e0f}",
      "0197f3a2-1b2c-7d3e-8f40-5a6b7c8d9e0g",
    ])
  func refuses(text: String) {
    #expect(UUID(text) == nil)
  }

  @Test("of version 7 sorts by its time") func ordered() {
    let early = UUID.v7(at: Instant(seconds: 1_700_000_000))
    let late = UUID.v7(at: Instant(seconds: 1_700_000_001))
    #expect(early < late)
    #expect(early.high >> 12 & 0xF == 7)
    #expect(UUID.v4().high >> 12 & 0xF == 4)
  }
}

@Suite("Encodings") struct EncodingTests {
  @Test(
    "base64 agrees with RFC 4648 section 10",
    arguments: [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")])
  func base64(plain: String, encoded: String) {
    #expect(Base64.encode(Array(plain.utf8)) == encoded)
    #expect(Base64.decode(encoded) == Array(plain.utf8))
  }

  @Test(
    "base64 refuses stray bits, wrong padding and foreign characters",
    arguments: ["Zg", "Zg=", "Zh==", "Z===", "Zm9v=", "Zm 9", "Zg==Zg=="])
  func base64Strict(text: String) {
    #expect(Base64.decode(text) == nil)
  }

  @Test("base64url has its own alphabet and no padding") func base64url() {
    #expect(Base64.encode([0xFB, 0xFF], as: .url) == "-_8")
    #expect(Base64.decode("-_8", as: .url) == [0xFB, 0xFF])
    #expect(Base64.decode("-_8=", as: .url) == nil)
    #expect(Base64.decode("+/8", as: .url) == nil)
  }

  @Test("hex reads both cases and refuses half a byte") func hex() {
    #expect(Hex.decode("00fFa0") == [0, 255, 160])
    #expect(Hex.decode("0") == nil)
    #expect(Hex.decode("0g") == nil)
    #expect(Hex.encode([0, 255, 160]) == "00ffa0")
  }

  @Test(
    "unsigned numbers on the wire have digits only",
    arguments: ["", "+5", "-0", " 5", "5 ", "0x5", "9223372036854775808", "5_0"])
  func unsignedStrict(text: String) {
    #expect(ASCII.unsigned(text.utf8) == nil)
  }
}

@Suite("A cache of two generations") struct TwoGenerationCacheTests {
  @Test("forgets what was not asked for when it is full") func forgets() {
    var cache = TwoGenerationCache<Int, Int>(capacity: 10)
    for key in 0..<100 {
      cache.insert(key, for: key)
      #expect(cache.value(for: 0) == 0)
    }
    #expect(cache.value(for: 50) == nil)
    #expect((0..<100).filter { cache.value(for: $0) != nil }.count <= 20)
  }
}
