import Basics
import JSON
import Testing

private enum UnitKind: String, CaseIterable { case fridge, freezer }

@Suite struct FieldsTests {
  static func fields(_ text: String) throws -> Fields { try Fields(body: Array(text.utf8)) }

  static func problems(of fields: Fields) -> [String] {
    do { try fields.check() } catch { return error.details.map(\.description) }
    return []
  }

  @Test("good fields are taken") func good() throws {
    var fields = try Self.fields(
      #"""
      {"name":"Walk-in","kind":"freezer","min":-22.5,"count":3.0,"id":"0196D3A4-0000-7000-8000-00000000002A","at":
      "2026-01-05T08:30:00+01:00","active":true,"lat":"41.1","note":null,"more":[{"a":1},{"a":2}],"tags":["x"],
      "meta":{"any":[1, 2]},"ignored":{}}
      """#)
    let name = fields.string("name", 1...120)
    #expect(name == "Walk-in")
    let kind = fields.choice("kind", of: UnitKind.self)
    #expect(kind == .freezer)
    let lowest = fields.decimal("min", in: -100...100)
    #expect(lowest == Decimal2(hundredths: -2250))
    let count = fields.int("count", in: 0...10)
    #expect(count == 3)
    let id = fields.uuid("id")
    #expect(id == UUID("0196d3a4-0000-7000-8000-00000000002a"))
    let at = fields.instant("at")
    #expect(at == Instant(seconds: 1_767_598_200))
    let active = fields.bool("active")
    #expect(active)
    let byDefault = fields.bool("absent", default: true)
    #expect(byDefault)
    let latitude = fields.optionalDoubleOrNumericString("lat", in: -90...90)
    #expect(latitude == 41.1)
    let note = fields.optionalString("note", 1...10)
    #expect(note == nil)
    let absent = fields.optionalInt("absent", in: 0...1)
    #expect(absent == nil)
    let tags = fields.strings("tags", count: 0...5, 1...10)
    #expect(tags == ["x"])
    let meta = fields.optionalRawObject("meta", bytes: 100)
    #expect(meta == Array(#"{"any":[1, 2]}"#.utf8))
    let inside = fields.objects("more", count: 1...5) { $0.int("a", in: 0...9) }
    #expect(inside == [1, 2])
    try fields.check()
  }

  @Test("every problem is collected, with its place") func collects() throws {
    var fields = try Self.fields(
      #"""
      {"name":"","kind":"oven","min":1000,"max":4.125,"count":1.5,"id":"{0196d3a4-0000-7000-8000-00000000002a}","at":"yesterday",
      "active":"yes","readings":[{"temperature":"cold"},5,{"temperature":3}],"tags":["ok",7],"nul":"a\u0000b"}
      """#)
    _ = fields.string("name", 1...120)
    _ = fields.string("title", 1...120)
    _ = fields.choice("kind", of: UnitKind.self)
    _ = fields.decimal("min", in: -100...100)
    _ = fields.decimal("max", in: -100...100)
    _ = fields.int("count", in: 0...10)
    _ = fields.uuid("id")
    _ = fields.instant("at")
    _ = fields.bool("active")
    _ = fields.objects("readings", count: 1...10) { $0.decimal("temperature", in: -100...100) }
    _ = fields.strings("tags", count: 0...5, 1...10)
    _ = fields.optionalString("nul", 1...10)
    fields.problem("max", "must be above min")
    fields.problem("limits", "are not in order")
    #expect(
      Self.problems(of: fields) == [
        "name: must not be empty",
        "title: is required",
        "kind: must be one of fridge, freezer",
        "min: must be between -100 and 100",
        "max: must have at most two decimal places",
        "count: must be an integer between 0 and 10",
        "id: must be a UUID",
        "at: must be a date-time such as 2026-01-05T07:30:00Z (RFC 3339)",
        "active: must be true or false",
        "readings/0/temperature: must be a number",
        "readings/1: must be an object",
        "tags/1: must be a string",
        "nul: must not contain the character U+0000",
        "limits: are not in order",
      ])
  }

  @Test("null is absent for a value, but known to be there") func null() throws {
    var fields = try Self.fields(#"{"a":null,"b":1}"#)
    #expect(fields.present("a") && fields.isNull("a"))
    #expect(fields.present("b") && !fields.isNull("b"))
    #expect(!fields.present("c") && !fields.isNull("c"))
    let nothing = fields.optionalInt("a", in: 0...1)
    #expect(nothing == nil)
    try fields.check()
    _ = fields.int("a", in: 0...1)
    #expect(Self.problems(of: fields) == ["a: is required"])
  }

  @Test(
    "lengths count Unicode scalars",
    arguments: [("ab", true), ("\u{1F9CA}\u{1F9CA}", true), ("abc", false), ("e\u{301}x", false)])
  func lengths(_ text: String, _ fits: Bool) throws {
    var fields = try Self.fields(#"{"a":"\#(text)"}"#)
    let taken = fields.string("a", 1...2)
    #expect(taken == (fits ? text : ""))
    #expect(fields.hasProblems == !fits)
  }

  @Test(
    "numeric strings count only where they are asked for",
    arguments: [
      ("\"4.25\"", true), ("4.25", true), ("\"-1\"", true), ("\"+1\"", false), ("\" 1\"", false), ("\"1 \"", false),
      ("\"0x1\"", false), ("\"nan\"", false), ("\"1e9\"", false), ("\"\"", false), ("\"\\u0031\"", false),
      ("true", false),
    ]) func numericStrings(_ text: String, _ accepted: Bool) throws
  {
    var lenient = try Self.fields(#"{"a":\#(text)}"#)
    _ = lenient.decimalOrNumericString("a", in: -100...100)
    #expect(lenient.hasProblems == !accepted)
    var strict = try Self.fields(#"{"a":\#(text)}"#)
    _ = strict.decimal("a", in: -100...100)
    #expect(strict.hasProblems == (text != "4.25"))
  }

  @Test("what PostgreSQL cannot hold as jsonb is refused") func rawObjects() throws {
    var fields = try Self.fields(#"{"a":{"b":["c\u0000"]},"d":{"e":{}},"k":{"\u0000":1},"ok":{"x":"\\u0000"}}"#)
    let inValue = fields.optionalRawObject("a", bytes: 100)
    #expect(inValue == nil)
    let tooLong = fields.optionalRawObject("d", bytes: 3)
    #expect(tooLong == nil)
    let inKey = fields.optionalRawObject("k", bytes: 100)
    #expect(inKey == nil)
    let escapedBackslash = fields.optionalRawObject("ok", bytes: 100)
    #expect(escapedBackslash != nil)
    #expect(
      Self.problems(of: fields) == [
        "a: must not contain the character U+0000",
        "d: must be at most 3 bytes of JSON",
        "k: must not contain the character U+0000",
      ])
  }

  @Test("a million wrong elements are not a million problems") func bounded() throws {
    var fields = try Self.fields("{\"a\":[" + Array(repeating: "1", count: 5000).joined(separator: ",") + "]}")
    _ = fields.objects("a", count: 1...1000) { $0.bool("b") }
    #expect(Self.problems(of: fields) == ["a: must have 1 to 1000 elements, has 5000"])
    _ = fields.objects("a", count: 1...10_000) { $0.bool("b") }
    #expect(Self.problems(of: fields).count == InvalidFields.mostDetails)
  }

  @Test(
    "a body that is no object is refused with the reason",
    arguments: [
      ("", "The body is not JSON: the text ends where a value should be at byte 0."),
      ("[]", "The body must be a JSON object."),
      ("{\"a\":1,\"a\":2}", "The body is not JSON: a key that its object already has at byte 7."),
    ]) func bodies(_ text: String, _ message: String)
  {
    #expect(throws: InvalidBody(message: message)) { try Fields(body: Array(text.utf8)) }
  }
}
