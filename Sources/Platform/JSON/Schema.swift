/// What a JSON value may be: the part of JSON Schema 2020-12 that the API is described with.
public struct Schema: Sendable, Hashable {
  public indirect enum Kind: Sendable, Hashable {
    case any
    case bool
    /// The length is in Unicode scalars.
    case text(ClosedRange<Int>?)
    case uuid
    /// RFC 3339.
    case instant
    case choice([String])
    case integer(ClosedRange<Int>?)
    /// `inText`: older clients may send it as a string.
    case number(ClosedRange<Double>?, inText: Bool)
    case array(Schema, count: ClosedRange<Int>?)
    /// One with a name is a component of the document, and referred to.
    case object(String?, [Property])
    /// An object with keys that are data.
    case map(Schema)
  }

  public let kind: Kind
  public var isNullable = false
  /// What the kind does not say, for people.
  public var note: String?
  /// A text that is one.
  public var example: String?

  public init(_ kind: Kind) { self.kind = kind }

  public var orNull: Schema {
    var copy = self
    copy.isNullable = true
    return copy
  }

  public func noted(_ note: String, example: String? = nil) -> Schema {
    var copy = self
    copy.note = note
    copy.example = example
    return copy
  }

  /// One member of an object.
  public struct Property: Sendable, Hashable {
    public let name: String
    public var schema: Schema
    public var isRequired = true
    /// JSON: what stands for it when it is absent.
    public var fallback: [UInt8]?

    public init(_ name: String, _ schema: Schema, isRequired: Bool = true, fallback: [UInt8]? = nil) {
      self.name = name
      self.schema = schema
      self.isRequired = isRequired
      self.fallback = fallback
    }

    public var orNull: Property { Property(name, schema.orNull, isRequired: isRequired, fallback: fallback) }
    /// May be absent.
    public var optional: Property { Property(name, schema, isRequired: false, fallback: fallback) }
  }
}

// MARK: - Short forms

extension Schema {
  public static let any = Schema(.any)
  public static let bool = Schema(.bool)
  public static let text = Schema(.text(nil))
  public static let uuid = Schema(.uuid)
  public static let instant = Schema(.instant)
  public static let integer = Schema(.integer(nil))
  public static let number = Schema(.number(nil, inText: false))

  public static func text(_ length: ClosedRange<Int>) -> Schema { Schema(.text(length)) }
  public static func integer(_ range: ClosedRange<Int>) -> Schema { Schema(.integer(range)) }
  public static func number(_ range: ClosedRange<Double>) -> Schema { Schema(.number(range, inText: false)) }

  public static func choice<T: RawRepresentable & CaseIterable>(_ type: T.Type) -> Schema where T.RawValue == String {
    Schema(.choice(T.allCases.map(\.rawValue)))
  }

  public static func array(of element: Schema, count: ClosedRange<Int>? = nil) -> Schema {
    Schema(.array(element, count: count))
  }

  public static func object(_ properties: [Property]) -> Schema { Schema(.object(nil, properties)) }
  public static func object(_ name: String, _ properties: [Property]) -> Schema { Schema(.object(name, properties)) }

  public static func map(of value: Schema) -> Schema { Schema(.map(value)) }
}

extension Schema.Property {
  public static func any(_ name: String) -> Self { Self(name, .any) }
  public static func bool(_ name: String) -> Self { Self(name, .bool) }
  public static func text(_ name: String) -> Self { Self(name, .text) }
  public static func uuid(_ name: String) -> Self { Self(name, .uuid) }
  public static func instant(_ name: String) -> Self { Self(name, .instant) }
  public static func integer(_ name: String) -> Self { Self(name, .integer) }
  public static func number(_ name: String) -> Self { Self(name, .number) }

  public static func choice<T: RawRepresentable & CaseIterable>(_ name: String, _ type: T.Type) -> Self
  where T.RawValue == String { Self(name, .choice(type)) }

  public static func object(_ name: String, _ properties: [Schema.Property]) -> Self {
    Self(name, .object(properties))
  }

  public static func array(_ name: String, of element: Schema) -> Self { Self(name, .array(of: element)) }

  /// A member that is described elsewhere.
  public static func value(_ name: String, _ schema: Schema) -> Self { Self(name, schema) }
}

// MARK: - JSON Schema

extension Schema {
  /// Writes it as JSON Schema. Objects with names become references to `#/components/schemas`.
  public func write(to json: inout JSONWriter) {
    if case .object(let name?, _) = kind {
      json.object { json in
        if isNullable {
          json.array("anyOf") { json in
            json.object { $0.field("$ref", Self.place(name)) }
            json.object { $0.field("type", "null") }
          }
        } else {
          json.field("$ref", Self.place(name))
        }
      }
    } else {
      writeDefinition(to: &json)
    }
  }

  private static func place(_ name: String) -> String { "#/components/schemas/\(name)" }

  /// Writes it in full, its name aside.
  public func writeDefinition(to json: inout JSONWriter) {
    json.object { json in
      writeKind(&json)
      if let note { json.field("description", note) }
      if let example { json.array("examples") { $0.string(example) } }
    }
  }

  private func writeKind(_ json: inout JSONWriter) {
    switch kind {
    case .any: break
    case .bool: writeType(["boolean"], &json)
    case .text(let length):
      writeType(["string"], &json)
      if let length { write(length, "minLength", "maxLength", &json) }
    case .uuid:
      writeType(["string"], &json)
      json.field("format", "uuid")
    case .instant:
      writeType(["string"], &json)
      json.field("format", "date-time")
    case .choice(let choices):
      writeType(["string"], &json)
      json.array("enum") { json in
        for choice in choices { json.string(choice) }
        if isNullable { json.null() }
      }
    case .integer(let range):
      writeType(["integer"], &json)
      if let range { write(range, "minimum", "maximum", &json) }
    case .number(let range, let inText):
      writeType(inText ? ["number", "string"] : ["number"], &json)
      if let range {
        json.field("minimum", range.lowerBound)
        json.field("maximum", range.upperBound)
      }
    case .array(let element, let count):
      writeType(["array"], &json)
      json.key("items")
      element.write(to: &json)
      if let count { write(count, "minItems", "maxItems", &json) }
    case .object(_, let properties):
      writeType(["object"], &json)
      write(properties, &json)
    case .map(let value):
      writeType(["object"], &json)
      json.key("additionalProperties")
      value.write(to: &json)
    }
  }

  private func writeType(_ types: [String], _ json: inout JSONWriter) {
    if types.count == 1, !isNullable { return json.field("type", types[0]) }
    json.array("type") { json in
      for type in types { json.string(type) }
      if isNullable { json.string("null") }
    }
  }

  private func write(_ range: ClosedRange<Int>, _ low: String, _ high: String, _ json: inout JSONWriter) {
    json.field(low, range.lowerBound)
    json.field(high, range.upperBound)
  }

  private func write(_ properties: [Property], _ json: inout JSONWriter) {
    json.object("properties") { json in
      for property in properties {
        json.key(property.name)
        property.write(to: &json)
      }
    }
    let required = properties.filter(\.isRequired)
    guard !required.isEmpty else { return }
    json.array("required") { json in for property in required { json.string(property.name) } }
  }

  /// The named objects in it, itself among them, each once.
  public var named: [String: Schema] {
    var found: [String: Schema] = [:]
    collect(into: &found)
    return found
  }

  private func collect(into found: inout [String: Schema]) {
    switch kind {
    case .array(let inner, _), .map(let inner): inner.collect(into: &found)
    case .object(let name, let properties):
      if let name { found[name] = Schema(kind) }
      for property in properties { property.schema.collect(into: &found) }
    default: break
    }
  }
}

extension Schema.Property {
  /// Its schema, with the default among its keywords.
  public func write(to json: inout JSONWriter) {
    guard let fallback else { return schema.write(to: &json) }
    let bytes = JSONWriter.bytes { schema.write(to: &$0) }
    json.raw(
      bytes.dropLast() + (bytes.count > 2 ? Array(",".utf8) : []) + Array("\"default\":".utf8) + fallback + [0x7D])
  }
}
