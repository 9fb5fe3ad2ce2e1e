import Basics

// MARK: - Objects

extension Fields {
  /// What `read` makes of each object of a required array. An element that is no object is a problem, and left out.
  public mutating func objects<T>(
    _ name: String, count: ClosedRange<Int>, _ read: (inout Fields) throws -> T
  ) rethrows -> [T] {
    let inside = try describe(read)
    guard let value = required(name, .array(of: inside, count: count)) else { return [] }
    return try objects(name, value, count, read)
  }

  public mutating func optionalObjects<T>(
    _ name: String, count: ClosedRange<Int>, _ read: (inout Fields) throws -> T
  ) rethrows -> [T]? {
    let inside = try describe(read)
    return try optional(name, .array(of: inside, count: count)).map { try objects(name, $0, count, read) }
  }

  private func objects<T>(
    _ name: String, _ value: JSONValue, _ count: ClosedRange<Int>, _ read: (inout Fields) throws -> T
  ) rethrows -> [T] {
    try elements(name, value, count).compactMap { place, element in
      var fields = inside("\(name)/\(place)", element)
      return element.kind == .object ? try read(&fields) : nil
    }
  }

  /// What `read` makes of one object. Nil, and a problem, when it is missing or none.
  public mutating func object<T>(_ name: String, _ read: (inout Fields) throws -> T) rethrows -> T? {
    let inside = try describe(read)
    return try required(name, inside).flatMap { try object(name, $0, read) }
  }

  public mutating func optionalObject<T>(_ name: String, _ read: (inout Fields) throws -> T) rethrows -> T? {
    let inside = try describe(read)
    return try optional(name, inside).flatMap { try object(name, $0, read) }
  }

  private func object<T>(_ name: String, _ value: JSONValue, _ read: (inout Fields) throws -> T) rethrows -> T? {
    guard value.kind == .object else { return wrong(name, "must be an object") }
    var fields = inside(name, value)
    return try read(&fields)
  }

  /// What `read` takes, while it is asked for; else nothing of it is looked at.
  private func describe<T>(_ read: (inout Fields) throws -> T) rethrows -> Schema {
    isDescribing ? try Fields.describe { _ = try read(&$0) } : .any
  }

  /// The source text of an object whose members are the sender's own.
  public mutating func optionalRawObject(_ name: String, bytes limit: Int) -> [UInt8]? {
    let schema = Schema.map(of: .any).noted("At most \(limit) bytes of JSON.")
    guard let value = optional(name, schema) else { return nil }
    guard value.kind == .object else { return wrong(name, "must be an object") }
    guard value.rawBytes.count <= limit else { return wrong(name, "must be at most \(limit) bytes of JSON") }
    if value.hasNulCharacter { return wrong(name, "must not contain the character U+0000") }
    return Array(value.rawBytes)
  }
}

// MARK: - Arrays of values

extension Fields {
  /// `length` is that of each element.
  public mutating func strings(_ name: String, count: ClosedRange<Int>, _ length: ClosedRange<Int>) -> [String] {
    required(name, .array(of: .text(length), count: count)).map { strings(name, $0, count, length) } ?? []
  }

  public mutating func optionalStrings(_ name: String, count: ClosedRange<Int>, _ length: ClosedRange<Int>) -> [String]?
  {
    optional(name, .array(of: .text(length), count: count)).map { strings(name, $0, count, length) }
  }

  private func strings(_ name: String, _ value: JSONValue, _ count: ClosedRange<Int>, _ length: ClosedRange<Int>)
    -> [String]
  {
    elements(name, value, count).compactMap { place, element in string("\(name)/\(place)", element, length) }
  }

  public mutating func uuids(_ name: String, count: ClosedRange<Int>) -> [UUID] {
    required(name, .array(of: .uuid, count: count)).map { uuids(name, $0, count) } ?? []
  }

  public mutating func optionalUUIDs(_ name: String, count: ClosedRange<Int>) -> [UUID]? {
    optional(name, .array(of: .uuid, count: count)).map { uuids(name, $0, count) }
  }

  private func uuids(_ name: String, _ value: JSONValue, _ count: ClosedRange<Int>) -> [UUID] {
    elements(name, value, count).compactMap { place, element in uuid("\(name)/\(place)", element) }
  }

  /// Each one of the raw values of `T`.
  public mutating func choices<T: RawRepresentable & CaseIterable>(
    _ name: String, count: ClosedRange<Int>, of type: T.Type = T.self
  ) -> [T] where T.RawValue == String {
    required(name, .array(of: .choice(T.self), count: count)).map { choices(name, $0, count) } ?? []
  }

  public mutating func optionalChoices<T: RawRepresentable & CaseIterable>(
    _ name: String, count: ClosedRange<Int>, of type: T.Type = T.self
  ) -> [T]? where T.RawValue == String {
    optional(name, .array(of: .choice(T.self), count: count)).map { choices(name, $0, count) }
  }

  private func choices<T: RawRepresentable & CaseIterable>(
    _ name: String, _ value: JSONValue, _ count: ClosedRange<Int>
  ) -> [T] where T.RawValue == String {
    elements(name, value, count).compactMap { place, element in
      choice("\(name)/\(place)", element, from: Array(T.allCases))
    }
  }

  /// Nothing when their number is wrong: a body of a million elements does not make a million problems.
  private func elements(_ name: String, _ value: JSONValue, _ count: ClosedRange<Int>) -> [(Int, JSONValue)] {
    guard value.kind == .array else {
      record(name, "must be an array")
      return []
    }
    guard count.contains(value.count) else {
      record(name, "must have \(count.lowerBound) to \(count.upperBound) elements, has \(value.count)")
      return []
    }
    return Array(value.elements.enumerated().map { ($0.offset, $0.element) })
  }
}
