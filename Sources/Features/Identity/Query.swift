import Basics
import HTTP

/// Takes the parameters of a query string and collects every problem before it throws.
public struct Query {
  private let request: Request
  private var problems: [HTTPError.Detail] = []

  public init(_ request: Request) { self.request = request }

  public mutating func problem(_ name: String, _ message: String) {
    problems.append(HTTPError.Detail(path: name, message: message))
  }

  public func check() throws(HTTPError) {
    if !problems.isEmpty { throw .validation(problems) }
  }

  public mutating func int(_ name: String, in range: ClosedRange<Int>, default fallback: Int) -> Int {
    guard let text = request.query(name) else { return fallback }
    guard let value = ASCII.unsigned(text.utf8), range.contains(value) else {
      problem(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
      return fallback
    }
    return value
  }

  /// `true` or `1`, `false` or `0`.
  public mutating func bool(_ name: String) -> Bool {
    switch request.query(name) {
    case nil, "false", "0": return false
    case "true", "1": return true
    default:
      problem(name, "must be true or false")
      return false
    }
  }

  public mutating func uuid(_ name: String) -> UUID? {
    guard let text = request.query(name) else { return nil }
    let value = UUID(text)
    if value == nil { problem(name, "must be a UUID") }
    return value
  }

  /// A date-time with `Z` or an offset. The `+` of an offset that came unescaped, and so as a space, is put back.
  public mutating func instant(_ name: String) -> Instant? {
    guard let text = request.query(name) else { return nil }
    var bytes = Array(text.utf8)
    if bytes.count > 19, bytes[bytes.count - 6] == 0x20 { bytes[bytes.count - 6] = 0x2B }
    let value = Instant(rfc3339: bytes)
    if value == nil { problem(name, "must be a date-time such as 2026-01-24T08:15:51Z") }
    return value
  }

  public mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, of type: T.Type) -> T?
  where T.RawValue == String {
    guard let text = request.query(name) else { return nil }
    let value = T(rawValue: text)
    if value == nil { problem(name, Self.list(type)) }
    return value
  }

  /// Values that are repeated (`status=a&status=b`), separated by commas, or both. Nil when the name is absent.
  public mutating func choices<T: RawRepresentable & CaseIterable>(_ name: String, of type: T.Type) -> [T]?
  where T.RawValue == String {
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
    offset = query.int("offset", in: 0...1_000_000_000, default: (page - 1) * limit)
    counts = query.bool("count")
  }
}
