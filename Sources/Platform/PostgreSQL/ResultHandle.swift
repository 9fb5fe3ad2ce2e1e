import CPostgreSQL

/// Owns a `PGresult`.
// @unchecked: a result is never changed once libpq has handed it out, and libpq's readers keep no state in it.
final class ResultHandle: @unchecked Sendable {
  let pointer: OpaquePointer
  let rowCount: Int
  let columnCount: Int
  /// The type of each column.
  let types: [TypeID]

  init(_ pointer: OpaquePointer, types: [TypeID]? = nil) {
    self.pointer = pointer
    rowCount = Int(PQntuples(pointer))
    columnCount = Int(PQnfields(pointer))
    self.types = types ?? (0..<PQnfields(pointer)).map { TypeID(PQftype(pointer, $0)) }
  }

  deinit { PQclear(pointer) }

  @inline(__always)
  func cell(_ row: Int, _ column: Int) -> Cell? {
    bytes(row, column).map { Cell(bytes: $0, type: types[column]) }
  }

  /// Nil for NULL.
  @inline(__always)
  func bytes(_ row: Int, _ column: Int) -> UnsafeBufferPointer<UInt8>? {
    let length = Int(PQgetlength(pointer, CInt(row), CInt(column)))
    guard length > 0 || PQgetisnull(pointer, CInt(row), CInt(column)) == 0,
      let value = PQgetvalue(pointer, CInt(row), CInt(column))
    else { return nil }
    return UnsafeBufferPointer(start: UnsafeRawPointer(value).assumingMemoryBound(to: UInt8.self), count: length)
  }

  func name(_ column: Int) -> String {
    guard let name = PQfname(pointer, CInt(column)) else { return "" }
    return String(cString: name)
  }

  func column(named name: String) -> Int? { (0..<columnCount).first { self.name($0) == name } }

  /// Rows that the command changed; for a query, those that it returned.
  var affected: Int { Self.affected(pointer) }

  static func affected(_ result: OpaquePointer) -> Int {
    guard let text = PQcmdTuples(result) else { return 0 }
    var count = 0
    var next = text
    while next.pointee != 0 {
      count = count &* 10 &+ Int(next.pointee - 0x30)
      next += 1
    }
    return count
  }
}

/// A column by its place, from 0, or by its name.
public enum Column: Sendable, ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
  case index(Int)
  case name(String)
  public init(integerLiteral value: Int) { self = .index(value) }
  public init(stringLiteral value: StaticString) { self = .name(value.description) }
}
