import Basics

/// The answer to one statement, whole, in libpq's memory.
public struct Rows: RandomAccessCollection, Sendable {
  let result: ResultHandle

  public var startIndex: Int { 0 }
  public var endIndex: Int { result.rowCount }
  public subscript(index: Int) -> Row {
    precondition(index >= 0 && index < result.rowCount, "no row \(index) in \(result.rowCount)")
    return Row(result: result, row: index)
  }

  /// Rows that the command inserted, changed or deleted; for a query, those that it returned.
  public var affected: Int { result.affected }
  public var columnNames: [String] { (0..<result.columnCount).map(result.name) }

  /// The rows as JSON: see ``JSONRows``.
  public var json: JSONRows { JSONRows(results: [result]) }
}

/// One row. Its getters throw `.usage` for a column that does not exist, is NULL, or is of another type.
public struct Row: Sendable {
  let result: ResultHandle
  let row: Int

  public var count: Int { result.columnCount }

  public func bool(_ column: Column) throws(DatabaseError) -> Bool { try required(column, optionalBool(column)) }
  public func int(_ column: Column) throws(DatabaseError) -> Int64 { try required(column, optionalInt(column)) }
  public func double(_ column: Column) throws(DatabaseError) -> Double { try required(column, optionalDouble(column)) }
  /// Text, an enumeration, json, a uuid or a number, as text.
  public func text(_ column: Column) throws(DatabaseError) -> String { try required(column, optionalText(column)) }
  public func string(_ column: Column) throws(DatabaseError) -> String { try text(column) }
  public func uuid(_ column: Column) throws(DatabaseError) -> UUID { try required(column, optionalUUID(column)) }
  /// A `timestamptz`. Infinity is `Instant.distantFuture`, -infinity `Instant.distantPast`.
  public func instant(_ column: Column) throws(DatabaseError) -> Instant {
    try required(column, optionalInstant(column))
  }
  /// `bytea`; for every other type the bytes as the server sent them, without the version byte of jsonb.
  public func bytes(_ column: Column) throws(DatabaseError) -> [UInt8] { try required(column, optionalBytes(column)) }
  /// A `numeric` as a count of hundredths. Throws when it has finer digits, is NaN or infinite, or does not fit.
  public func hundredths(_ column: Column) throws(DatabaseError) -> Int64 {
    try required(column, optionalHundredths(column))
  }

  public func optionalBool(_ column: Column) throws(DatabaseError) -> Bool? { try read(column, "bool") { $0.bool } }
  public func optionalInt(_ column: Column) throws(DatabaseError) -> Int64? {
    try read(column, "an integer") { $0.int }
  }
  public func optionalDouble(_ column: Column) throws(DatabaseError) -> Double? {
    try read(column, "a number") { $0.double }
  }
  public func optionalText(_ column: Column) throws(DatabaseError) -> String? { try read(column, "text") { $0.text } }
  public func optionalString(_ column: Column) throws(DatabaseError) -> String? { try optionalText(column) }
  public func optionalUUID(_ column: Column) throws(DatabaseError) -> UUID? { try read(column, "uuid") { $0.uuid } }
  public func optionalInstant(_ column: Column) throws(DatabaseError) -> Instant? {
    try read(column, "timestamptz") { $0.instant }
  }
  public func optionalBytes(_ column: Column) throws(DatabaseError) -> [UInt8]? { try read(column, "bytes") { $0.raw } }
  public func optionalHundredths(_ column: Column) throws(DatabaseError) -> Int64? {
    try read(column, "a number of hundredths") { $0.hundredths }
  }

  public func isNull(_ column: Column) throws(DatabaseError) -> Bool { result.cell(row, try place(column)) == nil }

  // MARK: - Arrays

  public func bools(_ column: Column) throws(DatabaseError) -> [Bool?] { try array(column, "bool[]") { $0.bool } }
  public func ints(_ column: Column) throws(DatabaseError) -> [Int64?] {
    try array(column, "an array of integers") { $0.int }
  }
  public func doubles(_ column: Column) throws(DatabaseError) -> [Double?] {
    try array(column, "an array of numbers") { $0.double }
  }
  public func texts(_ column: Column) throws(DatabaseError) -> [String?] { try array(column, "text[]") { $0.text } }
  public func uuids(_ column: Column) throws(DatabaseError) -> [UUID?] { try array(column, "uuid[]") { $0.uuid } }
  public func instants(_ column: Column) throws(DatabaseError) -> [Instant?] {
    try array(column, "timestamptz[]") { $0.instant }
  }
  public func byteas(_ column: Column) throws(DatabaseError) -> [[UInt8]?] { try array(column, "bytea[]") { $0.raw } }
  public func hundredthsArray(_ column: Column) throws(DatabaseError) -> [Int64?] {
    try array(column, "an array of hundredths") { $0.hundredths }
  }

  // MARK: - Reading

  private func place(_ column: Column) throws(DatabaseError) -> Int {
    switch column {
    case .index(let index):
      guard index >= 0, index < result.columnCount else {
        throw DatabaseError(.usage, "no column \(index): the row has \(result.columnCount)")
      }
      return index
    case .name(let name):
      guard let index = result.column(named: name) else { throw DatabaseError(.usage, "no column \"\(name)\"") }
      return index
    }
  }

  @inline(__always)
  private func read<T>(_ column: Column, _ what: StaticString, _ decode: (Cell) -> T?) throws(DatabaseError) -> T? {
    let place = try place(column)
    guard let cell = result.cell(row, place) else { return nil }
    guard let value = decode(cell) else { throw mismatch(place, what) }
    return value
  }

  private func array<T>(_ column: Column, _ what: StaticString, _ decode: (Cell) -> T?) throws(DatabaseError) -> [T?] {
    let place = try place(column)
    guard let cell = result.cell(row, place) else {
      throw DatabaseError(.usage, "column \"\(result.name(place))\" is NULL where a value is expected")
    }
    guard let array = ArrayCell(cell) else { throw mismatch(place, what) }
    var values: [T?] = []
    values.reserveCapacity(array.count)
    var reader = array.reader
    while let element = reader.next() {
      switch element {
      case .null: values.append(nil)
      case .cell(let cell):
        guard let value = decode(cell) else { throw mismatch(place, what) }
        values.append(value)
      }
    }
    guard values.count == array.count else { throw mismatch(place, what) }
    return values
  }

  private func mismatch(_ place: Int, _ what: StaticString) -> DatabaseError {
    DatabaseError(
      .usage, "column \"\(result.name(place))\" (type \(result.types[place].oid)) cannot be read as \(what)")
  }

  private func required<T>(_ column: Column, _ value: T?) throws(DatabaseError) -> T {
    guard let value else {
      throw DatabaseError(.usage, "column \"\(result.name(try place(column)))\" is NULL where a value is expected")
    }
    return value
  }
}
