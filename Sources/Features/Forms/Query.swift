import Basics
import HTTP
import JSON

/// Takes the parameters of a query string and collects every problem before it throws.
///
/// The code that takes them also describes them: see ``Fields``.
public struct Query {
  /// Nil while the parameters are described.
  private let request: Request?
  private var problems: [HTTPError.Detail] = []
  private var notes: [Schema.Property] = []

  public init(_ request: Request) { self.request = request }

  private init() { request = nil }

  /// The parameters that `read` takes. It runs over nothing and gets placeholders.
  static func describe(_ read: (inout Query) throws -> Void) rethrows -> [Schema.Property] {
    var query = Query()
    try read(&query)
    return query.notes
  }

  public mutating func problem(_ name: String, _ message: String) {
    problems.append(HTTPError.Detail(path: name, message: message))
  }

  public func check() throws(HTTPError) {
    if request != nil, !problems.isEmpty { throw .validation(problems) }
  }

  /// The first value of that name, decoded.
  private mutating func value(_ name: String, _ schema: @autoclosure () -> Schema, default fallback: String? = nil)
    -> String?
  {
    guard let request else {
      note(name, schema(), fallback)
      return nil
    }
    return request.query(name)
  }

  private mutating func note(_ name: String, _ schema: Schema, _ fallback: String? = nil) {
    guard !notes.contains(where: { $0.name == name }) else { return }
    notes.append(Schema.Property(name, schema, isRequired: false, fallback: fallback.map { Array($0.utf8) }))
  }

  /// Records a problem for each of these that is absent. To be called after they were asked for.
  public mutating func require(_ names: String...) {
    for name in names {
      if let request {
        if request.query(name) == nil { problem(name, "is required") }
      } else if let place = notes.firstIndex(where: { $0.name == name }) {
        notes[place].isRequired = true
      }
    }
  }

  // MARK: - Values

  public mutating func text(_ name: String, _ length: ClosedRange<Int>) -> String? {
    guard let text = value(name, .text(length)) else { return nil }
    guard length.contains(text.unicodeScalars.count), !text.utf8.contains(0) else {
      problem(name, "must have \(length.lowerBound) to \(length.upperBound) characters")
      return nil
    }
    return text
  }

  public mutating func int(_ name: String, in range: ClosedRange<Int>, default fallback: Int) -> Int {
    guard let text = value(name, .integer(range), default: "\(fallback)") else { return fallback }
    return int(name, text, range) ?? fallback
  }

  public mutating func int(_ name: String, in range: ClosedRange<Int>) -> Int? {
    value(name, .integer(range)).flatMap { int(name, $0, range) }
  }

  private mutating func int(_ name: String, _ text: String, _ range: ClosedRange<Int>) -> Int? {
    guard let value = ASCII.unsigned(text.utf8), range.contains(value) else {
      problem(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      return nil
    }
    return value
  }

  /// `true` or `1`, `false` or `0`.
  public mutating func bool(_ name: String) -> Bool {
    switch value(name, .bool, default: "false") {
    case nil, "false", "0": return false
    case "true", "1": return true
    default:
      problem(name, "must be true or false")
      return false
    }
  }

  public mutating func uuid(_ name: String) -> UUID? {
    guard let text = value(name, .uuid) else { return nil }
    let value = UUID(text)
    if value == nil { problem(name, "must be a UUID") }
    return value
  }

  /// A date-time with `Z` or an offset. The `+` of an offset that came unescaped, and so as a space, is put back.
  public mutating func instant(_ name: String) -> Instant? {
    guard let text = value(name, .instant) else { return nil }
    var bytes = Array(text.utf8)
    if bytes.count > 19, bytes[bytes.count - 6] == 0x20 { bytes[bytes.count - 6] = 0x2B }
    let value = Instant(rfc3339: bytes)
    if value == nil { problem(name, "must be a date-time such as 2026-01-24T08:15:51Z") }
    return value
  }

  public mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, of type: T.Type) -> T?
  where T.RawValue == String {
    guard let text = value(name, .choice(type)) else { return nil }
    let value = T(rawValue: text)
    if value == nil { problem(name, Self.list(type)) }
    return value
  }

  public mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, default fallback: T) -> T
  where T.RawValue == String {
    guard let text = value(name, .choice(T.self), default: "\"\(fallback.rawValue)\"") else { return fallback }
    let value = T(rawValue: text)
    if value == nil { problem(name, Self.list(T.self)) }
    return value ?? fallback
  }

  /// Values that are repeated (`status=a&status=b`), separated by commas, or both. Nil when the name is absent.
  public mutating func choices<T: RawRepresentable & CaseIterable>(_ name: String, of type: T.Type) -> [T]?
  where T.RawValue == String {
    guard let request else {
      note(name, .array(of: .choice(type)))
      return nil
    }
    let texts = request.queries(name).flatMap { $0.split(separator: ",").map(String.init) }
    guard !texts.isEmpty else { return nil }
    let values = texts.compactMap { T(rawValue: $0) }
    if values.count != texts.count { problem(name, Self.list(type)) }
    return values
  }

  private static func list<T: RawRepresentable & CaseIterable>(_ type: T.Type) -> String where T.RawValue == String {
    "must be one of " + type.allCases.map(\.rawValue).joined(separator: ", ")
  }
}

/// Which part of a list the caller wants: `limit` with `offset`, or with `page` from 1.
public struct Page: Sendable, Equatable {
  public let limit: Int
  public let offset: Int
  /// `?count=true`: the number of all rows is wanted in `X-Total-Count`.
  public let counts: Bool

  public init(_ query: inout Query) {
    limit = query.int("limit", in: 1...1000, default: 100)
    let page = query.int("page", in: 1...1_000_000, default: 1)
    offset = query.int("offset", in: 0...1_000_000_000) ?? (page - 1) * limit
    counts = query.bool("count")
  }
}
