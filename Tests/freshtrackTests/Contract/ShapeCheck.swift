import Basics
import JSON

extension Shape {
  /// What of a value is not as the schema says, each with its place. Members that the schema does not name are faults too.
  func faults(in value: JSONValue, at place: String = "$") -> [String] {
    if value.isNull { return isNullable || kind == .any ? [] : ["\(place) is null"] }
    switch kind {
    case .any: return []
    case .bool: return value.bool == nil ? ["\(place) is no bool"] : []
    case .text(let length):
      guard let text = value.string else { return ["\(place) is no text"] }
      return length.map { $0.contains(text.unicodeScalars.count) } ?? true ? [] : ["\(place) has a wrong length"]
    case .uuid: return value.string.flatMap { UUID($0) } == nil ? ["\(place) is no UUID"] : []
    case .instant:
      return value.string.flatMap { Instant(rfc3339: $0) } == nil ? ["\(place) is no date-time"] : []
    case .choice(let choices):
      return value.string.map { choices.contains($0) } ?? false ? [] : ["\(place) is none of \(choices)"]
    case .integer(let range):
      guard let number = value.int else { return ["\(place) is no whole number"] }
      return range.map { $0.contains(Int(number)) } ?? true ? [] : ["\(place) is out of range"]
    case .number(let range, _):
      guard let number = value.double else { return ["\(place) is no number"] }
      return range.map { $0.contains(number) } ?? true ? [] : ["\(place) is out of range"]
    case .array(let element, _):
      guard value.kind == .array else { return ["\(place) is no array"] }
      return value.elements.enumerated().flatMap { element.faults(in: $0.element, at: "\(place)[\($0.offset)]") }
    case .map(let element):
      guard value.kind == .object else { return ["\(place) is no object"] }
      return value.members.flatMap { element.faults(in: $0.value, at: "\(place).\($0.key)") }
    case .object(_, let properties): return faults(in: value, of: properties, at: place)
    }
  }

  private func faults(in value: JSONValue, of properties: [Property], at place: String) -> [String] {
    guard value.kind == .object else { return ["\(place) is no object"] }
    let unknown = value.members.map(\.key).filter { key in !properties.contains { $0.name == key } }
    return unknown.map { "\(place).\($0) is not described" }
      + properties.flatMap { property -> [String] in
        guard let member = value[key: property.name] else {
          return property.isRequired ? ["\(place).\(property.name) is missing"] : []
        }
        return property.schema.faults(in: member, at: "\(place).\(property.name)")
      }
  }
}
