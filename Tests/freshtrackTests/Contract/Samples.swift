import Basics
import JSON

typealias Shape = JSON.Schema

/// Makes bodies from a schema: right ones, and every kind of wrong one.
struct Samples {
  /// Of things that exist, by the name of the field or path parameter that holds them.
  var ids: [String: String]

  /// A value that the schema allows, with what is required of it.
  func value(_ schema: Shape, named name: String = "") -> String {
    switch schema.kind {
    case .any: "null"
    case .bool: "true"
    case .text(let length): quoted(Self.known(name) ?? text(length, schema.example))
    case .uuid: quoted(ids[name] ?? UUID.v4().description)
    case .instant: quoted((WallClock.system.now() - .minutes(1)).rfc3339)
    case .choice(let choices): quoted(choices[0])
    case .integer(let range): "\(min(max(1, range?.lowerBound ?? 1), range?.upperBound ?? 1))"
    case .number(let range, _): "\(Int(min(max(number(name), range?.lowerBound ?? 0), range?.upperBound ?? 100)))"
    case .array(let element, let count):
      array(element, named: name.hasSuffix("s") ? String(name.dropLast()) : name, count: count?.lowerBound ?? 0)
    case .object(_, let properties): object(properties)
    case .map: "{}"
    case .either(let schemas): value(schemas[0], named: name)
    }
  }

  /// Texts with a grammar that their length does not tell.
  private static func known(_ name: String) -> String? {
    switch name {
    case "email": "somebody.\(UUID.v4())@example.com"
    case "phone": "+12025550143"
    case "devEui": String(UUID.v4().description.filter { $0 != "-" }.prefix(16)).uppercased()
    default: nil
    }
  }

  /// The lower of two limits is below the higher.
  private func number(_ name: String) -> Double { name.lowercased().contains("max") ? 2 : 1 }

  private func text(_ length: ClosedRange<Int>?, _ example: String?) -> String {
    let random = UUID.v4().description.filter { $0 != "-" }
    guard let example else {
      let wanted = min(max(length?.lowerBound ?? 1, 12), length?.upperBound ?? 12)
      return String(String(repeating: "a", count: max(0, wanted - 8)) + random.prefix(8)).suffix(wanted).description
    }
    // Names that may be had once are made anew.
    let isHexadecimal = example.allSatisfy { $0.isHexDigit } && example.count <= 32
    return isHexadecimal ? String(random.prefix(example.count)).uppercased() : example
  }

  func array(_ element: Shape, named name: String, count: Int) -> String {
    "[" + (0..<count).map { _ in value(element, named: name) }.joined(separator: ",") + "]"
  }

  /// With `replaced` in the place of one member; nil leaves it out.
  func object(_ properties: [Shape.Property], _ replaced: [(name: String, json: String?)] = []) -> String {
    let members = properties.compactMap { property -> String? in
      if let other = replaced.first(where: { $0.name == property.name }) {
        return other.json.map { "\"\(property.name)\":\($0)" }
      }
      return property.isRequired ? "\"\(property.name)\":\(value(property.schema, named: property.name))" : nil
    }
    return "{" + members.joined(separator: ",") + "}"
  }

  private func quoted(_ text: String) -> String {
    String(decoding: JSONWriter.bytes { $0.string(text) }, as: UTF8.self)
  }

  // MARK: - Wrong ones

  struct Fault {
    /// `readings/0/unitId`
    let place: String
    let json: String
  }

  /// Values that the schema forbids, each wrong in one place.
  func faults(of schema: Shape, named name: String = "") -> [Fault] {
    switch schema.kind {
    case .object(_, let properties):
      [Fault(place: "", json: "7")] + properties.flatMap { faults(of: $0, in: properties) }
    case .array(let element, let count):
      wrong(["\"x\""] + lengths(element, count ?? 0...1000))
        + faults(of: element, named: name).map { Fault(place: "0" + tail($0.place), json: "[\($0.json)]") }
    default: wrong(simple(schema))
    }
  }

  private func faults(of property: Shape.Property, in properties: [Shape.Property]) -> [Fault] {
    var values = faults(of: property.schema, named: property.name).map { ($0.place, Optional($0.json)) }
    if property.isRequired {
      values.append(("", nil))
      if !property.schema.isNullable { values.append(("", "null")) }
    }
    return values.map { place, json in
      Fault(place: property.name + tail(place), json: object(properties, [(property.name, json)]))
    }
  }

  private func tail(_ place: String) -> String { place.isEmpty ? "" : "/\(place)" }

  private func wrong(_ values: [String]) -> [Fault] { values.map { Fault(place: "", json: $0) } }

  private func lengths(_ element: Shape, _ count: ClosedRange<Int>) -> [String] {
    (count.lowerBound > 0 ? ["[]"] : [])
      + (count.upperBound < 200 ? [array(element, named: "", count: count.upperBound + 1)] : [])
  }

  /// For a value without anything inside; also what is wrong with a query parameter, when it is a string.
  func simple(_ schema: Shape) -> [String] {
    switch schema.kind {
    case .any: []
    case .bool: ["\"perhaps\"", "7"]
    case .text(let length):
      ["7", "{}", "\"\\u0000\""] + (length.map { $0.lowerBound > 0 ? ["\"\""] : [] } ?? [])
        + (length.map { $0.upperBound < 5000 ? [quoted(String(repeating: "a", count: $0.upperBound + 1))] : [] } ?? [])
    case .uuid: ["\"nonsense\"", "7"]
    case .instant: ["\"yesterday\"", "7", "\"2026-02-30T00:00:00Z\""]
    case .choice: ["\"nonsense\"", "7"]
    case .integer(let range):
      ["\"x\"", "0.5", "true"] + (range.map(Self.beyond) ?? [])
    case .number(let range, _):
      ["\"x\"", "true"] + (range.map { ["\(Int($0.upperBound) + 1)", "\(Int($0.lowerBound) - 1)"] } ?? [])
    case .map: ["7", "[]"]
    case .array, .object, .either: []
    }
  }

  private static func beyond(_ range: ClosedRange<Int>) -> [String] {
    [
      range.upperBound < .max ? "\(range.upperBound + 1)" : "9223372036854775808",
      range.lowerBound > .min ? "\(range.lowerBound - 1)" : "-9223372036854775809",
    ]
  }
}
