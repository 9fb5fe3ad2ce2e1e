import Basics
import JSON
import Testing

@Suite struct WriterTests {
  static func text(_ write: (inout JSONWriter) -> Void) -> String {
    String(decoding: JSONWriter.bytes(write), as: UTF8.self)
  }

  @Test("commas stand between values and nowhere else") func commas() {
    let text = Self.text { writer in
      writer.object {
        $0.object("empty") { _ in }
        $0.array("list") {
          $0.number(1)
          $0.array { _ in }
          $0.object { $0.field("a", true) }
          $0.null()
        }
        $0.field("last", "x")
      }
    }
    #expect(text == #"{"empty":{},"list":[1,[],{"a":true},null],"last":"x"}"#)
  }

  @Test(
    "strings are escaped where RFC 8259 says so",
    arguments: [
      ("", #""""#), ("plain", #""plain""#), ("a\"b\\c/d", #""a\"b\\c/d""#), ("\u{8}\t\n\u{C}\r", #""\b\t\n\f\r""#),
      ("\u{0}\u{1F}\u{7F}", "\"\\u0000\\u001f\u{7F}\""), ("é€\u{1F9CA}\"é", "\"é€\u{1F9CA}\\\"é\""),
      (
        "a long string of plain text é\" with a quote far behind",
        "\"a long string of plain text é\\\" with a quote far behind\""
      ),
    ]) func strings(_ value: String, _ expected: String) throws
  {
    #expect(Self.text { $0.string(value) } == expected)
    #expect(Self.text { $0.string(utf8: value.utf8) } == expected)
    #expect(try JSONValue.parse(expected).string == value)
  }

  @Test(
    "numbers are short and never anything but JSON",
    arguments: [
      (0, "0"), (4, "4"), (-18.5, "-18.5"), (0.1, "0.1"), (1e21, "1e+21"), (-0.0, "-0"), (.infinity, "null"),
      (.nan, "null"),
      (123_456_789_012, "123456789012"), (.leastNonzeroMagnitude, "5e-324"), (1e15, "1000000000000000"),
      (1e16, "1e+16"),
    ]) func doubles(_ value: Double, _ expected: String) throws
  {
    #expect(Self.text { $0.number(value) } == expected)
    #expect(throws: Never.self) { try JSONValue.parse(expected) }
  }

  @Test("the ends of the integers") func integers() {
    #expect(Self.text { $0.number(Int64.min) } == "-9223372036854775808")
    #expect(Self.text { $0.number(Int64.max) } == "9223372036854775807")
    #expect(Self.text { $0.number(10) } == "10")
  }

  @Test(
    "hundredths have no zeros at the end",
    arguments: [
      (425, "4.25"), (420, "4.2"), (400, "4"), (-5, "-0.05"), (-1850, "-18.5"), (0, "0"), (1, "0.01"),
    ]) func decimals(_ hundredths: Int64, _ expected: String)
  {
    #expect(Self.text { $0.decimal(Decimal2(hundredths: hundredths)) } == expected)
  }

  @Test("a double becomes the nearest hundredth") func nearest() {
    #expect(Decimal2(4.256) == Decimal2(hundredths: 426))
    #expect(Decimal2(-0.125) == Decimal2(hundredths: -13))
    #expect(Decimal2(.nan) == nil)
    #expect(Decimal2(1e300) == nil)
  }

  @Test("identifiers and instants are strings, nil is null") func fields() throws {
    let id = try #require(UUID("0196d3a4-0000-7000-8000-00000000002a"))
    let text = Self.text { writer in
      writer.object {
        $0.field("id", id)
        $0.field("at", Instant(seconds: 1_767_598_200))
        $0.field("name", String?.none)
        $0.field("limit", Decimal2(hundredths: 450))
        $0.field("count", 3)
      }
    }
    #expect(
      text == #"{"id":"0196d3a4-0000-7000-8000-00000000002a","at":"2026-01-05T07:30:00.000Z","name":null,"#
        + #""limit":4.5,"count":3}"#)
  }
}
