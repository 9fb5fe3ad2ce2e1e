import Basics
import JSON
import PostgreSQL

/// What a request body sets, as the columns of a row: the body of a POST with its defaults, or of a PUT, which keeps
/// what it does not name.
///
/// The statement takes it as `jsonb_populate_record(<row>, $n)`: columns that the draft does not hold keep their value.
public struct Draft {
  public enum Purpose: Sendable { case create, change }

  public let purpose: Purpose
  public var fields: Fields
  var columns = JSONWriter()

  public init(_ purpose: Purpose, body: ArraySlice<UInt8>) throws(InvalidBody) {
    self.init(purpose, try Fields(body: body))
  }

  private init(_ purpose: Purpose, _ fields: Fields) {
    self.purpose = purpose
    self.fields = fields
    columns.beginObject()
  }

  /// The object that `read` takes, as ``Fields/describe(_:)`` does it.
  public static func describe(_ purpose: Purpose, _ read: (consuming Draft) throws -> Void) rethrows -> Schema {
    try Fields.describe { try read(Draft(purpose, $0)) }
  }

  /// The row, when nothing was wrong with any field.
  public mutating func row() throws(InvalidFields) -> Value {
    try fields.check()
    columns.endObject()
    return .json(columns.bytes)
  }

  /// Sets a column that the body does not name.
  public mutating func set(_ column: String, _ value: String?) { columns.field(column, value) }

  // MARK: - Columns that are never null

  public mutating func text(
    _ name: String, _ column: String? = nil, length: ClosedRange<Int>, default fallback: String? = nil
  ) {
    guard asked(name, .text(length), fallback.map { text in JSONWriter.bytes { $0.string(text) } }) else {
      if purpose == .create { columns.field(column ?? name, fallback) }
      return
    }
    columns.field(column ?? name, fields.string(name, length))
  }

  /// Kept as what `parse` makes of it; nil is answered as "`name` must be `what`".
  public mutating func text(
    _ name: String, _ column: String, length: ClosedRange<Int>, must what: String, as example: String? = nil,
    _ parse: (String) -> String?
  ) {
    guard asked(name, .text(length).noted("Must be \(what).", example: example)) else { return }
    parsed(name, column, fields.string(name, length), what, parse)
  }

  public mutating func integer(
    _ name: String, _ column: String, in range: ClosedRange<Int>, default fallback: Int? = nil
  ) {
    guard asked(name, .integer(range), fallback.map { Array("\($0)".utf8) }) else {
      if purpose == .create { columns.field(column, fallback) }
      return
    }
    columns.field(column, fields.int(name, in: range))
  }

  public mutating func decimal(
    _ name: String, _ column: String, in range: ClosedRange<Decimal2>, default fallback: Decimal2
  ) {
    guard asked(name, .decimal(range), Array("\(fallback)".utf8)) else {
      if purpose == .create { columns.field(column, fallback) }
      return
    }
    columns.field(column, fields.decimal(name, in: range))
  }

  public mutating func bool(_ name: String, _ column: String, default fallback: Bool) {
    guard asked(name, .bool, Array("\(fallback)".utf8)) else {
      if purpose == .create { columns.field(column, fallback) }
      return
    }
    columns.field(column, fields.bool(name))
  }

  @discardableResult
  public mutating func choice<T: RawRepresentable & CaseIterable>(
    _ name: String, _ column: String? = nil, of type: T.Type, default fallback: T? = nil
  ) -> T? where T.RawValue == String {
    guard asked(name, .choice(type), fallback.map { Array("\"\($0.rawValue)\"".utf8) }) else {
      if purpose == .create { columns.field(column ?? name, fallback?.rawValue) }
      return fallback
    }
    let value = fields.choice(name, of: type)
    columns.field(column ?? name, value?.rawValue)
    return value
  }

  /// The body gives a value, or must. A new row takes the fallback of a field that is absent; a row that changes keeps
  /// its value.
  func asked(_ name: String, _ schema: @autoclosure () -> Schema, _ fallback: @autoclosure () -> [UInt8]? = nil)
    -> Bool
  {
    if fields.present(name), !fields.isDescribing { return true }
    let fallback = purpose == .create ? fallback() : nil
    let isRequired = purpose == .create && fallback == nil
    fields.note(Schema.Property(name, schema(), isRequired: isRequired, fallback: fallback))
    return isRequired && !fields.isDescribing
  }

  // MARK: - Columns that may be null

  public mutating func optionalText(_ name: String, _ column: String? = nil, upTo length: Int) {
    guard sets(name) else { return }
    columns.field(column ?? name, fields.optionalString(name, 0...length))
  }

  /// Kept as what `parse` makes of it; nil is answered as "`name` must be `what`".
  public mutating func optionalText(
    _ name: String, _ column: String, length: ClosedRange<Int>, must what: String, _ parse: (String) -> String?
  ) {
    guard sets(name) else { return }
    guard let text = fields.optionalString(name, length) else { return columns.field(column, nil as String?) }
    parsed(name, column, text, what, parse)
  }

  /// An empty text is a problem that has been told already.
  private mutating func parsed(
    _ name: String, _ column: String, _ text: String, _ what: String, _ parse: (String) -> String?
  ) {
    let value = parse(text)
    if value == nil, !text.isEmpty { fields.problem(name, "must be \(what)") }
    columns.field(column, value)
  }

  public mutating func optionalInteger(_ name: String, _ column: String, in range: ClosedRange<Int>) {
    guard sets(name) else { return }
    columns.field(column, fields.optionalInt(name, in: range))
  }

  public mutating func optionalBool(_ name: String, _ column: String) {
    guard sets(name) else { return }
    columns.field(column, fields.optionalBool(name))
  }

  public mutating func optionalDecimal(_ name: String, _ column: String, in range: ClosedRange<Decimal2>) {
    guard sets(name) else { return }
    columns.field(column, fields.optionalDecimal(name, in: range))
  }

  public mutating func optionalChoice<T: RawRepresentable & CaseIterable>(
    _ name: String, _ column: String, of type: T.Type
  ) where T.RawValue == String {
    guard sets(name) else { return }
    columns.field(column, fields.optionalChoice(name, of: type)?.rawValue)
  }

  /// A number, or the numeric string that older clients send.
  public mutating func optionalDouble(_ name: String, _ column: String, in range: ClosedRange<Double>) {
    guard sets(name) else { return }
    columns.field(column, fields.optionalDoubleOrNumericString(name, in: range))
  }

  /// The source text of an object whose members are the sender's own, at most `limit` bytes.
  public mutating func optionalRawObject(_ name: String, _ column: String, bytes limit: Int) {
    guard sets(name) else { return }
    columns.key(column)
    if let bytes = fields.optionalRawObject(name, bytes: limit) { columns.raw(bytes) } else { columns.null() }
  }

  /// Nil when it is absent or null.
  @discardableResult
  public mutating func optionalUUIDs(_ name: String, _ column: String, count: ClosedRange<Int>) -> [UUID]? {
    guard sets(name) else { return nil }
    let ids = fields.optionalUUIDs(name, count: count)
    columns.key(column)
    guard let ids else {
      columns.null()
      return nil
    }
    columns.array { json in for id in ids { json.uuid(id) } }
    return ids
  }

  // MARK: - What the body names

  /// The body gives a value or null. While it is described it gives every one.
  public func sets(_ name: String) -> Bool { fields.present(name) }
}
