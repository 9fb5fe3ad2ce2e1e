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
  private var columns = JSONWriter()

  public init(_ purpose: Purpose, body: ArraySlice<UInt8>) throws(InvalidBody) {
    self.purpose = purpose
    fields = try Fields(body: body)
    columns.beginObject()
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
    guard asked(name, required: fallback == nil) else {
      if purpose == .create { columns.field(column ?? name, fallback) }
      return
    }
    columns.field(column ?? name, fields.string(name, length))
  }

  public mutating func integer(
    _ name: String, _ column: String, in range: ClosedRange<Int>, default fallback: Int? = nil
  ) {
    guard asked(name, required: fallback == nil) else {
      if purpose == .create { columns.field(column, fallback) }
      return
    }
    columns.field(column, fields.int(name, in: range))
  }

  public mutating func decimal(
    _ name: String, _ column: String, in range: ClosedRange<Decimal2>, default fallback: Decimal2
  ) {
    guard asked(name, required: false) else {
      if purpose == .create { columns.field(column, fallback) }
      return
    }
    columns.field(column, fields.decimal(name, in: range))
  }

  public mutating func bool(_ name: String, _ column: String, default fallback: Bool) {
    guard asked(name, required: false) else {
      if purpose == .create { columns.field(column, fallback) }
      return
    }
    columns.field(column, fields.bool(name))
  }

  @discardableResult
  public mutating func choice<T: RawRepresentable & CaseIterable>(
    _ name: String, _ column: String? = nil, of type: T.Type, default fallback: T? = nil
  ) -> T? where T.RawValue == String {
    guard asked(name, required: fallback == nil) else {
      if purpose == .create { columns.field(column ?? name, fallback?.rawValue) }
      return fallback
    }
    let value = fields.choice(name, of: type)
    columns.field(column ?? name, value?.rawValue)
    return value
  }

  // MARK: - Columns that may be null

  public mutating func optionalText(_ name: String, _ column: String? = nil, upTo length: Int) {
    guard sets(name) else { return }
    columns.field(column ?? name, fields.optionalString(name, 0...length))
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

  // MARK: - What the body names

  /// The body gives a value, or must.
  private func asked(_ name: String, required: Bool) -> Bool { sets(name) || (required && purpose == .create) }

  /// The body gives a value or null.
  public func sets(_ name: String) -> Bool { fields.present(name) }
}
