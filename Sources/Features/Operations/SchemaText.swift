import JSON

/// How a schema is told to people.
extension Schema {
  /// `text, 1 to 256 characters, or null`
  var phrase: String {
    var parts = [what]
    if isNullable { parts.append("or null") }
    return parts.joined(separator: ", ")
  }

  private var what: String {
    switch kind {
    case .any: "anything"
    case .bool: "true or false"
    case .text(let length): "text" + Self.bounds(length, " characters")
    case .uuid: "UUID"
    case .instant: "date-time"
    case .choice(let choices): "one of " + choices.joined(separator: ", ")
    case .integer(let range): "whole number" + Self.bounds(range, "")
    case .number(let range, let inText):
      "number" + (inText ? " (a string that holds one is taken too)" : "")
        + (range.map { ", \(Self.short($0.lowerBound)) to \(Self.short($0.upperBound))" } ?? "")
    case .array(let element, let count): "array of " + element.noun + Self.bounds(count, "")
    case .object, .map: noun
    }
  }

  /// `Site`, `text`
  var noun: String {
    switch kind {
    case .object(let name, _): name ?? "object"
    case .map(let value): value.kind == .any ? "object" : "object of \(value.noun)"
    default: what
    }
  }

  private static func bounds(_ range: ClosedRange<Int>?, _ unit: String) -> String {
    range.map { ", \($0.lowerBound) to \($0.upperBound)\(unit)" } ?? ""
  }

  private static func short(_ number: Double) -> String {
    String(decoding: JSONWriter.bytes { $0.number(number) }, as: UTF8.self)
  }

  /// The fields of what lies inside, each with its place: `readings[].unitId`.
  var fields: [(place: String, property: Property)] { fields(under: "") }

  private func fields(under place: String) -> [(place: String, property: Property)] {
    switch kind {
    case .object(_, let properties):
      properties.flatMap { property in
        let name = place.isEmpty ? property.name : "\(place).\(property.name)"
        return [(name, property)] + property.schema.fields(under: name)
      }
    case .array(let element, _): element.fields(under: "\(place)[]")
    case .map(let value): value.fields(under: "\(place).*")
    default: []
    }
  }

  // MARK: - Examples

  /// A value that the schema allows, with what is required of it. Numbers ascend, so that limits are in order.
  func example() -> [UInt8] {
    var count = 0
    return JSONWriter.bytes { writeExample(to: &$0, &count) }
  }

  private func writeExample(to json: inout JSONWriter, _ count: inout Int) {
    count += 1
    switch kind {
    case .any: json.null()
    case .bool: json.bool(true)
    case .text(let length): json.string(example ?? String(repeating: "a", count: max(length?.lowerBound ?? 1, 1)))
    case .uuid: json.string("0196d3a4-0000-7000-8000-00000000002a")
    case .instant: json.string("2026-01-24T08:15:51Z")
    case .choice(let choices): json.string(choices[0])
    case .integer(let range): json.number(min(max(count, range?.lowerBound ?? 0), range?.upperBound ?? .max))
    case .number(let range, _):
      json.number(min(max(Double(count), range?.lowerBound ?? 0), range?.upperBound ?? .infinity))
    case .array(let element, let bounds):
      json.array { json in
        for _ in 0..<(bounds?.lowerBound ?? 0) { element.writeExample(to: &json, &count) }
      }
    case .object(_, let properties):
      json.object { json in
        for property in properties where property.isRequired {
          json.key(property.name)
          property.schema.writeExample(to: &json, &count)
        }
      }
    case .map: json.object { _ in }
    }
  }
}
