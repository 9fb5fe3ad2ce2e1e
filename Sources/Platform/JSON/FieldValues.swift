import Basics

// MARK: - Presence

extension Fields {
  /// The value of a field that was given and is not null.
  public func value(_ name: String) -> JSONValue? {
    guard let value = object[key: name], !value.isNull else { return nil }
    return value
  }

  /// The field was sent, be it as null.
  public func present(_ name: String) -> Bool { object[key: name] != nil }

  /// The field was sent as null: a partial update clears it.
  public func isNull(_ name: String) -> Bool { object[key: name]?.isNull ?? false }

  /// The value of a required field, or a problem.
  func required(_ name: String) -> JSONValue? {
    if let value = value(name) { return value }
    record(name, "is required")
    return nil
  }
}

// MARK: - Text

extension Fields {
  /// `length` counts Unicode scalars, as PostgreSQL's `char_length` does.
  public mutating func string(_ name: String, _ length: ClosedRange<Int>) -> String {
    required(name).flatMap { string(name, $0, length) } ?? ""
  }

  public mutating func optionalString(_ name: String, _ length: ClosedRange<Int>) -> String? {
    value(name).flatMap { string(name, $0, length) }
  }

  private func string(_ name: String, _ value: JSONValue, _ length: ClosedRange<Int>) -> String? {
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
    required(name).flatMap { uuid(name, $0) } ?? UUID(high: 0, low: 0)
  }

  public mutating func optionalUUID(_ name: String) -> UUID? {
    value(name).flatMap { uuid(name, $0) }
  }

  private func uuid(_ name: String, _ value: JSONValue) -> UUID? {
    value.string.flatMap { UUID($0) } ?? wrong(name, "must be a UUID")
  }

  public mutating func instant(_ name: String) -> Instant {
    required(name).flatMap { instant(name, $0) } ?? Instant(microseconds: 0)
  }

  public mutating func optionalInstant(_ name: String) -> Instant? {
    value(name).flatMap { instant(name, $0) }
  }

  private func instant(_ name: String, _ value: JSONValue) -> Instant? {
    value.string.flatMap { Instant(rfc3339: $0) }
      ?? wrong(name, "must be a date-time such as 2026-01-05T07:30:00Z (RFC 3339)")
  }

  /// One of the raw values of `T`; the message names them all.
  public mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, of type: T.Type = T.self) -> T?
  where T.RawValue == String {
    required(name).flatMap { choice(name, $0, from: Array(T.allCases)) }
  }

  public mutating func optionalChoice<T: RawRepresentable & CaseIterable>(_ name: String, of type: T.Type = T.self)
    -> T?
  where T.RawValue == String {
    value(name).flatMap { choice(name, $0, from: Array(T.allCases)) }
  }

  /// The default stands for an absent field, and is the placeholder for a wrong one.
  public mutating func choice<T: RawRepresentable & CaseIterable>(_ name: String, default fallback: T) -> T
  where T.RawValue == String {
    value(name).flatMap { choice(name, $0, from: Array(T.allCases)) } ?? fallback
  }

  private func choice<T: RawRepresentable>(_ name: String, _ value: JSONValue, from choices: [T]) -> T?
  where T.RawValue == String {
    if let text = value.string, let choice = choices.first(where: { $0.rawValue == text }) { return choice }
    return wrong(name, "must be one of \(choices.map(\.rawValue).joined(separator: ", "))")
  }
}

// MARK: - Numbers

extension Fields {
  public mutating func int(_ name: String, in range: ClosedRange<Int>) -> Int {
    required(name).flatMap { int(name, $0, range) } ?? range.lowerBound
  }

  public mutating func optionalInt(_ name: String, in range: ClosedRange<Int>) -> Int? {
    value(name).flatMap { int(name, $0, range) }
  }

  private func int(_ name: String, _ value: JSONValue, _ range: ClosedRange<Int>) -> Int? {
    guard value.kind == .number else { return wrong(name, "must be an integer") }
    guard let number = value.int else { return wrong(name, "must be an integer", within: range) }
    guard range.contains(Int(number)) else { return wrong(name, "must be", within: range) }
    return Int(number)
  }

  /// At most two digits after the point.
  public mutating func decimal(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2 {
    required(name).flatMap { decimal(name, $0, range) } ?? range.lowerBound
  }

  public mutating func optionalDecimal(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2? {
    value(name).flatMap { decimal(name, $0, range) }
  }

  /// More digits than two are rounded, a half away from zero: for what sensors measured, not for what people decided.
  public mutating func optionalRoundedDecimal(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2? {
    value(name).flatMap { value in
      bounded(name, value.decimal(scale: 2, rounding: .halfAwayFromZero), value.kind == .number, range)
    }
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
    required(name).flatMap { double(name, $0, range) } ?? range.lowerBound
  }

  public mutating func optionalDouble(_ name: String, in range: ClosedRange<Double>) -> Double? {
    value(name).flatMap { double(name, $0, range) }
  }

  /// A number, or a string that holds one: older clients send coordinates so.
  public mutating func optionalDoubleOrNumericString(_ name: String, in range: ClosedRange<Double>) -> Double? {
    value(name).flatMap { double(name, $0.numberInString ?? $0, range) }
  }

  /// A number, or a string that holds one, with at most two digits after the point.
  public mutating func decimalOrNumericString(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2 {
    required(name).flatMap { decimal(name, $0.numberInString ?? $0, range) } ?? range.lowerBound
  }

  public mutating func optionalDecimalOrNumericString(_ name: String, in range: ClosedRange<Decimal2>) -> Decimal2? {
    value(name).flatMap { decimal(name, $0.numberInString ?? $0, range) }
  }

  private func double(_ name: String, _ value: JSONValue, _ range: ClosedRange<Double>) -> Double? {
    guard value.kind == .number else { return wrong(name, "must be a number") }
    guard let number = value.double, range.contains(number) else { return wrong(name, "must be", within: range) }
    return number
  }

  public mutating func bool(_ name: String) -> Bool {
    required(name).flatMap { bool(name, $0) } ?? false
  }

  public mutating func bool(_ name: String, default fallback: Bool) -> Bool {
    optionalBool(name) ?? fallback
  }

  public mutating func optionalBool(_ name: String) -> Bool? {
    value(name).flatMap { bool(name, $0) }
  }

  private func bool(_ name: String, _ value: JSONValue) -> Bool? {
    value.bool ?? wrong(name, "must be true or false")
  }
}

// MARK: - What lies inside

extension Fields {
  /// The objects of a required array. An element that is no object is a problem, and left out.
  public mutating func objects(_ name: String, count: ClosedRange<Int>) -> [Fields] {
    required(name).map { objects(name, $0, count) } ?? []
  }

  public mutating func optionalObjects(_ name: String, count: ClosedRange<Int>) -> [Fields]? {
    value(name).map { objects(name, $0, count) }
  }

  private func objects(_ name: String, _ value: JSONValue, _ count: ClosedRange<Int>) -> [Fields] {
    elements(name, value, count).compactMap { place, element in
      let fields = inside("\(name)/\(place)", element)
      return element.kind == .object ? fields : nil
    }
  }

  /// The fields of one object.
  public mutating func optionalObject(_ name: String) -> Fields? {
    value(name).flatMap { $0.kind == .object ? inside(name, $0) : wrong(name, "must be an object") }
  }

  /// The source text of an object whose members are the sender's own.
  public mutating func optionalRawObject(_ name: String, bytes limit: Int) -> [UInt8]? {
    guard let value = value(name) else { return nil }
    guard value.kind == .object else { return wrong(name, "must be an object") }
    guard value.rawBytes.count <= limit else { return wrong(name, "must be at most \(limit) bytes of JSON") }
    if value.hasNulCharacter { return wrong(name, "must not contain the character U+0000") }
    return Array(value.rawBytes)
  }

  /// `length` is that of each element.
  public mutating func strings(_ name: String, count: ClosedRange<Int>, _ length: ClosedRange<Int>) -> [String] {
    required(name).map { strings(name, $0, count, length) } ?? []
  }

  public mutating func optionalStrings(_ name: String, count: ClosedRange<Int>, _ length: ClosedRange<Int>) -> [String]?
  {
    value(name).map { strings(name, $0, count, length) }
  }

  private func strings(_ name: String, _ value: JSONValue, _ count: ClosedRange<Int>, _ length: ClosedRange<Int>)
    -> [String]
  {
    elements(name, value, count).compactMap { place, element in string("\(name)/\(place)", element, length) }
  }

  public mutating func uuids(_ name: String, count: ClosedRange<Int>) -> [UUID] {
    required(name).map { uuids(name, $0, count) } ?? []
  }

  public mutating func optionalUUIDs(_ name: String, count: ClosedRange<Int>) -> [UUID]? {
    value(name).map { uuids(name, $0, count) }
  }

  private func uuids(_ name: String, _ value: JSONValue, _ count: ClosedRange<Int>) -> [UUID] {
    elements(name, value, count).compactMap { place, element in uuid("\(name)/\(place)", element) }
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

// MARK: - Problems

extension Fields {
  private func wrong<T>(_ name: String, _ message: String) -> T? {
    record(name, message)
    return nil
  }

  private func wrong<T, B: CustomStringConvertible>(_ name: String, _ message: String, within range: ClosedRange<B>)
    -> T?
  {
    wrong(name, "\(message) between \(range.lowerBound) and \(range.upperBound)")
  }
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
