import Basics

/// A parameter of a statement. It travels in PostgreSQL's binary form where the type is certain.
///
/// `text`, `json` and `null` leave their type to the server: they fit a column of text, of an enumeration, of a domain,
/// of json. Where nothing tells the type, as in `concat($1)`, write `$1::text`. Integers are sent as `int8` (`int4`
/// where a function asks for it), which PostgreSQL compares with and assigns to every integer column.
public enum Value: Sendable, Hashable {
  case null
  case bool(Bool)
  case int(Int64)
  case int4(Int32)
  case double(Double)
  case text(String)
  case bytes([UInt8])
  case uuid(UUID)
  case timestamp(Instant)
  /// A whole JSON text, for json or jsonb.
  case json([UInt8])
  /// A decimal number as text, such as `-12.50`.
  case numeric(String)
  /// A decimal number as a count of hundredths: 450 is 4.50.
  case hundredths(Int64)
  case array(BinaryArray)
}

extension Value {
  public static func int(_ value: Int) -> Value { .int(Int64(value)) }
  public static func int(_ value: Int?) -> Value { value.map { .int(Int64($0)) } ?? .null }
  public static func optional(_ value: String?) -> Value { value.map(Value.text) ?? .null }
  public static func optional(_ value: Int64?) -> Value { value.map { .int($0) } ?? .null }
  public static func optional(_ value: Int?) -> Value { value.map { .int(Int64($0)) } ?? .null }
  public static func optional(_ value: Double?) -> Value { value.map(Value.double) ?? .null }
  public static func optional(_ value: Bool?) -> Value { value.map(Value.bool) ?? .null }
  public static func optional(_ value: UUID?) -> Value { value.map(Value.uuid) ?? .null }
  public static func optional(_ value: Instant?) -> Value { value.map(Value.timestamp) ?? .null }
}

extension Value {
  public static func bools(_ values: [Bool?]) -> Value { array(.bools(values.count), values) { $0.append($1) } }
  public static func int2s(_ values: [Int16?]) -> Value { array(.int2s(values.count), values) { $0.append($1) } }
  public static func int4s(_ values: [Int32?]) -> Value { array(.int4s(values.count), values) { $0.append($1) } }
  public static func ints(_ values: [Int64?]) -> Value { array(.ints(values.count), values) { $0.append($1) } }
  public static func doubles(_ values: [Double?]) -> Value { array(.doubles(values.count), values) { $0.append($1) } }
  public static func texts(_ values: [String?]) -> Value { array(.texts(values.count), values) { $0.append($1) } }
  public static func byteas(_ values: [[UInt8]?]) -> Value { array(.byteas(values.count), values) { $0.append($1) } }
  public static func uuids(_ values: [UUID?]) -> Value { array(.uuids(values.count), values) { $0.append($1) } }
  public static func timestamps(_ values: [Instant?]) -> Value {
    array(.timestamps(values.count), values) { $0.append($1) }
  }
  /// `numeric[]` from counts of hundredths.
  public static func hundredthsArray(_ values: [Int64?]) -> Value {
    array(.numerics(values.count), values) { $0.append(hundredths: $1) }
  }
  /// `jsonb[]` from whole JSON texts.
  public static func jsons(_ values: [[UInt8]?]) -> Value {
    array(.jsons(values.count), values) { $0.append(json: $1) }
  }

  private static func array<T>(
    _ empty: BinaryArray, _ values: [T], _ append: (inout BinaryArray, T) -> Void
  ) -> Value {
    var array = empty
    for value in values { append(&array, value) }
    return .array(array)
  }
}

extension Value: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByBooleanLiteral,
  ExpressibleByNilLiteral
{
  public init(stringLiteral value: String) { self = .text(value) }
  public init(integerLiteral value: Int64) { self = .int(value) }
  public init(booleanLiteral value: Bool) { self = .bool(value) }
  public init(nilLiteral: ()) { self = .null }
}
