import Basics
import Glibc
import JSON
import Testing

@Suite struct NumberTests {
  @Test(
    "integers are those that fit, however they are written",
    arguments: [
      ("0", 0), ("-0", 0), ("1.0", 1), ("1e2", 100), ("1200e-2", 12), ("0.00e5", 0), ("9223372036854775807", Int64.max),
      ("-9223372036854775808", Int64.min), ("9223372036854775807.000", Int64.max), ("0e999999999999999999999", 0),
      ("1000000000000000000000e-3", 1_000_000_000_000_000_000),
    ]) func integers(_ text: String, _ value: Int64) throws
  {
    #expect(try JSONValue.parse(text).int == value)
  }

  @Test(
    "other numbers are no integers",
    arguments: [
      "9223372036854775808", "-9223372036854775809", "1.5", "1e-1", "1e19", "1e999999999999999999999", "true", "\"1\"",
      "99999999999999999999999999", "123456789012345678901234567890e-12",
      "0." + String(repeating: "0", count: 300) + "1",
    ]) func notIntegers(_ text: String) throws
  {
    #expect(try JSONValue.parse(text).int == nil)
  }

  @Test(
    "hundredths are exact or refused; rounding is asked for by name",
    arguments: [
      ("4.25", 425, 425), ("4.250", 425, 425), ("-4.2", -420, -420), ("5.005", nil, 501), ("-5.005", nil, -501),
      ("5.0049999999999999999999", nil, 500), ("0.005", nil, 1), ("-0.005", nil, -1), ("0.0049", nil, 0),
      ("425e-2", 425, 425), ("4", 400, 400), ("0.001", nil, 0), ("9e-30", nil, 0), ("2.5e-3", nil, 0),
      ("92233720368547758.07", .max, .max), ("92233720368547758.08", nil, nil), ("1e400", nil, nil),
      ("0.99999999999999999999999999999", nil, 100),
    ] as [(String, Int64?, Int64?)]) func hundredths(_ text: String, _ exact: Int64?, _ rounded: Int64?) throws
  {
    let value = try JSONValue.parse(text)
    #expect(value.decimal(scale: 2) == exact)
    #expect(value.decimal(scale: 2, rounding: .halfAwayFromZero) == rounded)
  }

  @Test("doubles are those of strtod, to the last bit") func doubles() throws {
    var random = SplitMix.next()
    for _ in 0..<20_000 {
      let text = NumberTests.number(&random)
      let expected = strtod(text, nil)
      let value = try JSONValue.parse(text).double
      #expect(value?.bitPattern == (expected.isFinite ? expected.bitPattern : nil), "\(text)")
    }
  }

  @Test("a double written is the double read") func roundTrip() throws {
    var random = SplitMix.next()
    for _ in 0..<20_000 {
      let value = Double(bitPattern: random.next())
      let text = JSONWriter.bytes { $0.number(value) }
      let read = try JSONDocument(text).root
      if value.isFinite { #expect(read.double == value) } else { #expect(read.isNull) }
    }
  }

  @Test("a number past the largest double is none") func overflow() throws {
    #expect(try JSONValue.parse("1e400").double == nil)
    #expect(try JSONValue.parse("-1e400").double == nil)
    #expect(try JSONValue.parse("1e-400").double == 0)
    #expect(try JSONValue.parse("1.7976931348623157e308").double == .greatestFiniteMagnitude)
    #expect(try JSONValue.parse("5e-324").double == .leastNonzeroMagnitude)
    // 2^53 + 1 and a half-way case that needs more than 17 digits.
    #expect(try JSONValue.parse("9007199254740993").double == 9_007_199_254_740_992)
    #expect(try JSONValue.parse("9007199254740993.00000000000000000000001").double == 9_007_199_254_740_994)
  }

  private static func number(_ random: inout SplitMix) -> String {
    func digits(_ count: ClosedRange<Int>) -> String {
      (0..<Int.random(in: count, using: &random)).map { _ in "\(Int.random(in: 0...9, using: &random))" }.joined()
    }
    var text = Bool.random(using: &random) ? "-" : ""
    text += Bool.random(using: &random) ? "0" : "\(Int.random(in: 1...9, using: &random))" + digits(0...20)
    if Bool.random(using: &random) { text += "." + digits(1...25) }
    if Bool.random(using: &random) { text += "e\(Int.random(in: -330...330, using: &random))" }
    return text
  }
}
