import Basics

// MARK: - Presence

extension Fields {
  /// The value of a field that was given and is not null.
  public func value(_ name: String) -> JSONValue? {
    note(.any(name).optional)
    return given(name)
  }

  func given(_ name: String) -> JSONValue? {
    guard let value = object?[key: name], !value.isNull else { return nil }
    return value
  }

  /// The field was sent, be it as null. While it is described every field is.
  public func present(_ name: String) -> Bool { isDescribing || object?[key: name] != nil }

  /// The field was sent as null: a partial update clears it.
  public func isNull(_ name: String) -> Bool { object?[key: name]?.isNull ?? false }

  /// The value of a required field, or a problem.
  func required(_ name: String, _ schema: @autoclosure () -> Schema) -> JSONValue? {
    note(Schema.Property(name, schema()))
    if let value = given(name) { return value }
    record(name, "is required")
    return nil
  }

  /// The value of a field that may be absent or null.
  func optional(_ name: String, _ schema: @autoclosure () -> Schema, default fallback: @autoclosure () -> String? = nil)
    -> JSONValue?
  {
    note(Schema.Property(name, schema().orNull, isRequired: false, fallback: fallback().map { Array($0.utf8) }))
    return given(name)
  }
}

// MARK: - Text

extension Fields {
  /// `length` counts Unicode scalars, as PostgreSQL's `char_length` does.
  public mutating func string(_ name: String, _ length: ClosedRange<Int>) -> String {
    required(name, .text(length)).flatMap { string(name, $0, length) } ?? ""
  }

  public mutating func optionalString(_ name: String, _ length: ClosedRange<Int>) -> String? {
    optional(name, .text(length)).flatMap { string(name, $0, length) }
  }

  func string(_ name: String, _ value: JSONValue, _ length: ClosedRange<Int>) -> String? {
    guard let text = value.string else { return wrong(name, "must be a string") }
    if text.utf8.contains(0) { return wrong(name, "must not contain the character U+0000") }
    let count = text.unicodeScalars.count
    guard length.contains(count) else {
      if length.lowerBound == 1, count == 0 { return wrong(name, "must not be empty") }
      if length.lowerBound == length.upperBound { return wrong(name, "must have \(length.lowerBound) characters") }
      return wrong(name, "must have \(length.lowerBound) to \(length.upperBound) characters, has \(count)")
    }
    return text
  }

  public mutating func uuid(_ name: String) -> UUID {
    required(name, .uuid).flatMap { uuid(name, $0) } ?? UUID(high: 0, low: 0)
  }

  public mutating func optionalUUID(_ name: String) -> UUID? {
    optional(name, .uuid).flatMap { uuid(name, $0) }
  }

  func uuid(_ name: String, _ value: JSONValue) -> UUID? {
    value.string.flatMap { UUID($0) } ?? wrong(name, "must be a UUID")
  }

  public mutating func instant(_ name: String) -> Instant {
    required(name, .instant).flatMap { instant(name, $0) } ?? Instant(microseconds: 0)
  }

  public mutating func optionalInstant(_ name: String) -> Instant? {
    optional(name, .instant).flatMap { instant(name, $0) }
  }

  private func instant(_ name: String, _ value: JSONValue) -> Instant? {
    value.string.flatMap { Instant(rfc3339: $0) }
      ?? wrong(name, "must be a date-time such as 2026-01-05T07:30:00Z (RFC 3339)")
  }

  /// One of the raw values of `T`; the message names them all.
  public mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, of type: T.Type = T.self) -> T?
  where T.RawValue == String {
    required(name, .choice(T.self)).flatMap { choice(name, $0, from: Array(T.allCases)) }
  }

  public mutating func optionalChoice<T: RawRepresentable & CaseIterable>(_ name: String, of type: T.Type = T.self)
    -> T?
  where T.RawValue == String {
    optional(name, .choice(T.self)).flatMap { choice(name, $0, from: Array(T.allCases)) }
  }

  /// The default stands for an absent field, and is the placeholder for a wrong one.
  public mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, default fallback: T) -> T
  where T.RawValue == String {
    let value = optional(name, .choice(T.self), default: "\"\(fallback.rawValue)\"")
    return value.flatMap { choice(name, $0, from: Array(T.allCases)) } ?? fallback
  }

  func choice<T: RawRepresentable>(_ name: String, _ value: JSONValue, from choices: [T]) -> T?
  where T.RawValue == String {
    if let text = value.string, let choice = choices.first(where: { $0.rawValue == text }) { return choice }
    return wrong(name, "must be one of \(choices.map(\.rawValue).joined(separator: ", "))")
  }
}

// MARK: - Numbers

extension Fields {
  public mutating func int(_ name: String, in range: ClosedRange<Int>) -> Int {
    required(name, .integer(range)).flatMap { int(name, $0, range) } ?? range.lowerBound
  }

  public mutating func optionalInt(_ name: String, in range: ClosedRange<Int>) -> Int? {
    optional(name, .integer(range)).flatMap { int(name, $0, range) }
  }

  private func int(_ name: String, _ value: JSONValue, _ range: ClosedRange<Int>) -> Int? {
    guard value.kind == .number else { return wrong(name, "must be an integer") }
    guard let number = value.int else { return wrong(name, "must be an integer", within: range) }
    guard range.contains(Int(number)) else { return wrong(name, "must be", within: range) }
    return Int(number)
  }

  /// At most two digits after the point.
  public mutating func decimal(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2 {
    required(name, .decimal(range)).flatMap { decimal(name, $0, range) } ?? range.lowerBound
  }

  public mutating func optionalDecimal(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2? {
    optional(name, .decimal(range)).flatMap { decimal(name, $0, range) }
  }

  /// More digits than two are rounded, a half away from zero: for what sensors measured, not for what people decided.
  public mutating func optionalRoundedDecimal(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2? {
    optional(name, .number(range.doubles)).flatMap { rounded(name, $0, range) }
  }

  public mutating func roundedDecimal(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2 {
    required(name, .number(range.doubles)).flatMap { rounded(name, $0, range) } ?? range.lowerBound
  }

  private func rounded(_ name: String, _ value: JSONValue, _ range: ClosedRange<Decimal2>) -> Decimal2? {
    bounded(name, value.decimal(scale: 2, rounding: .halfAwayFromZero), value.kind == .number, range)
  }

  private func decimal(_ name: String, _ value: JSONValue, _ range: ClosedRange<Decimal2>) -> Decimal2? {
    guard value.kind == .number else { return wrong(name, "must be a number") }
    let exact = value.decimal(scale: 2)
    if exact == nil, value.decimal(scale: 2, rounding: .halfAwayFromZero) != nil {
      return wrong(name, "must have at most two decimal places")
    }
    return bounded(name, exact, true, range)
  }

  private func bounded(_ name: String, _ hundredths: Int64?, _ isNumber: Bool, _ range: ClosedRange<Decimal2>)
    -> Decimal2?
  {
    guard isNumber else { return wrong(name, "must be a number") }
    guard let number = hundredths.map({ Decimal2(hundredths: $0) }), range.contains(number) else {
      return wrong(name, "must be", within: range)
    }
    return number
  }

  public mutating func double(_ name: String, in range: ClosedRange<Double>) -> Double {
    required(name, .number(range)).flatMap { double(name, $0, range) } ?? range.lowerBound
  }

  public mutating func optionalDouble(_ name: String, in range: ClosedRange<Double>) -> Double? {
    optional(name, .number(range)).flatMap { double(name, $0, range) }
  }

  /// A number, or a string that holds one: older clients send coordinates so.
  public mutating func optionalDoubleOrNumericString(_ name: String, in range: ClosedRange<Double>) -> Double? {
    optional(name, .number(range, inText: true)).flatMap { double(name, $0.numberInString ?? $0, range) }
  }

  /// A number, or a string that holds one, with at most two digits after the point.
  public mutating func decimalOrNumericString(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2 {
    required(name, .decimal(range, inText: true)).flatMap { decimal(name, $0.numberInString ?? $0, range) }
      ?? range.lowerBound
  }

  public mutating func optionalDecimalOrNumericString(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2? {
    optional(name, .decimal(range, inText: true)).flatMap { decimal(name, $0.numberInString ?? $0, range) }
  }

  private func double(_ name: String, _ value: JSONValue, _ range: ClosedRange<Double>) -> Double? {
    guard value.kind == .number else { return wrong(name, "must be a number") }
    guard let number = value.double, range.contains(number) else { return wrong(name, "must be", within: range) }
    return number
  }

  public mutating func bool(_ name: String) -> Bool {
    required(name, .bool).flatMap { bool(name, $0) } ?? false
  }

  public mutating func bool(_ name: String, default fallback: Bool) -> Bool {
    optional(name, .bool, default: "\(fallback)").flatMap { bool(name, $0) } ?? fallback
  }

  public mutating func optionalBool(_ name: String) -> Bool? {
    optional(name, .bool).flatMap { bool(name, $0) }
  }

  private func bool(_ name: String, _ value: JSONValue) -> Bool? {
    value.bool ?? wrong(name, "must be true or false")
  }
}

// MARK: - Problems

extension Fields {
  func wrong<T>(_ name: String, _ message: String) -> T? {
    record(name, message)
    return nil
  }

  private func wrong<T, B: CustomStringConvertible>(_ name: String, _ message: String, within range: ClosedRange<B>)
    -> T?
  {
    wrong(name, "\(message) between \(range.lowerBound) and \(range.upperBound)")
  }
}

extension Schema {
  /// At most two digits after the point.
  public static func decimal(_ range: ClosedRange<Decimal2>, inText: Bool = false) -> Schema {
    Schema(.number(range.doubles, inText: inText)).noted("At most two decimal places.")
  }

  fileprivate static func number(_ range: ClosedRange<Double>, inText: Bool) -> Schema {
    Schema(.number(range, inText: inText))
  }
}

extension ClosedRange<Decimal2> {
  fileprivate var doubles: ClosedRange<Double> { lowerBound.double...upperBound.double }
}

extension JSONValue {
  /// A string or key in the value has the character U+0000, which PostgreSQL's text and jsonb cannot hold.
  var hasNulCharacter: Bool {
    let end = tape.after(index)
    var at = index
    while at < end {
      let entry = Entry(tape.words[at])
      if entry.kind == .string, entry.isFlagged, tape.unescaped(entry).contains(0) { return true }
      at += entry.isContainer ? 2 : 1
    }
    return false
  }

  /// The number that a string holds by the grammar of JSON, nothing around it.
  var numberInString: JSONValue? {
    let document = withStringBytes { text -> JSONDocument? in
      guard text.count <= 64, text.byte(0) == UInt8(ascii: "-") || text.byte(0) &- 0x30 < 10 else { return nil }
      return try? JSONDocument(text.withUnsafeBufferPointer { Array($0) })
    }
    guard let number = document??.root, number.rawBytes.count == self.rawBytes.count - 2 else { return nil }
    return number
  }
}
