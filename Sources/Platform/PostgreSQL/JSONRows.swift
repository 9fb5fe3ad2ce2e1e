import Basics
import CPostgreSQL

/// Rows as JSON, with the column names as the names of the fields. Nothing is built in between.
///
/// Integers, floats and numerics are numbers (4.50 is `4.5`; NaN and the infinities, which JSON does not have, are
/// null); bool is true or false; json and jsonb go in as they are; timestamptz is RFC 3339 in UTC with milliseconds;
/// bytea is base64; arrays are arrays; NULL is null; everything else is a string. A type that has no rule here
/// (interval, inet, ranges) must be cast to text in the statement; until then its value is null.
public struct JSONRows: Sendable {
  let results: [ResultHandle]

  public var count: Int { results.reduce(0) { $0 + $1.rowCount } }

  /// One JSON array of objects.
  public var bytes: [UInt8] {
    var buffer = TextBuffer(capacity: 256 + count * 256)
    var names = JSONNames()
    buffer.appendByte(0x5B)
    var first = true
    for result in results { buffer.append(result, 0..<result.rowCount, &names, &first) }
    buffer.appendByte(0x5D)
    return buffer.array
  }

  /// Appends the array to what is written so far.
  public func write(into output: inout [UInt8]) { output.append(contentsOf: bytes) }

  /// The array in pieces of about `size` bytes, each handed over before the next is made.
  public func write(chunksOf size: Int = 32_768, _ body: ([UInt8]) async throws -> Void) async rethrows {
    var chunk = JSONArrayChunks()
    for result in results {
      var start = 0
      while start < result.rowCount {
        let end = min(result.rowCount, start + 32)
        chunk.append(result, start..<end)
        start = end
        if chunk.count >= size { try await body(chunk.take()) }
      }
    }
    try await body(chunk.finish())
  }

  /// The first row as one object.
  public var firstObject: [UInt8]? {
    guard let result = results.first, result.rowCount > 0 else { return nil }
    var buffer = TextBuffer(capacity: 512)
    var names = JSONNames()
    var first = true
    buffer.append(result, 0..<1, &names, &first)
    return buffer.array
  }
}

/// A JSON array of rows that arrives in batches.
public struct JSONArrayChunks: ~Copyable {
  private var buffer = TextBuffer(capacity: 40_000)
  private var names = JSONNames()
  private var first = true
  private var opened = false

  public init() {}

  public var count: Int { buffer.count }

  public mutating func append(_ rows: RowBatch) {
    for result in rows.results { append(result, 0..<result.rowCount) }
  }

  mutating func append(_ result: ResultHandle, _ rows: Range<Int>) {
    if !opened { buffer.appendByte(0x5B) }
    opened = true
    buffer.append(result, rows, &names, &first)
  }

  /// What has come together since the last time.
  public mutating func take() -> [UInt8] {
    let bytes = buffer.array
    buffer.removeAll()
    return bytes
  }

  /// The rest, with the closing bracket.
  public mutating func finish() -> [UInt8] {
    if !opened { buffer.appendByte(0x5B) }
    buffer.appendByte(0x5D)
    return take()
  }
}

/// What stands before the value of each column, `{"name":` and then `,"name":`, made once for results that follow each other.
struct JSONNames {
  fileprivate var text: [UInt8] = []
  /// Where that of each column ends.
  fileprivate var ends: [Int] = []

  mutating func prepare(for result: ResultHandle) {
    if !ends.isEmpty { return }
    var buffer = TextBuffer(capacity: 512)
    for column in 0..<result.columnCount {
      buffer.appendByte(column == 0 ? 0x7B : 0x2C)
      var name = result.name(column)
      name.withUTF8 { buffer.appendJSONString($0) }
      buffer.appendByte(0x3A)
      ends.append(buffer.count)
    }
    text = buffer.array
  }
}

extension TextBuffer {
  /// The arrays are opened once, not for each of some thousand cells.
  mutating func append(_ result: ResultHandle, _ rows: Range<Int>, _ names: inout JSONNames, _ first: inout Bool) {
    names.prepare(for: result)
    names.text.withUnsafeBufferPointer { text in
      names.ends.withUnsafeBufferPointer { ends in
        result.types.withUnsafeBufferPointer { types in
          for row in rows {
            if !first { appendByte(0x2C) }
            first = false
            if ends.isEmpty { appendByte(0x7B) }
            var start = 0
            for column in 0..<ends.count {
              append(UnsafeBufferPointer(rebasing: text[start..<ends[column]]))
              start = ends[column]
              if let bytes = result.bytes(row, column) {
                appendJSON(Cell(bytes: bytes, type: types[column]))
              } else {
                append("null")
              }
            }
            appendByte(0x7D)
          }
        }
      }
    }
  }

  mutating func appendJSON(_ cell: Cell) {
    switch cell.type {
    case .json, .jsonb: append(cell.content)
    case .bool: append(cell.bool == true ? "true" : "false")
    case .int2, .int4, .int8, .oidType, .float4, .float8, .numeric: appendPlain(cell)
    case .uuid, .timestamptz, .date, .time, .timestamp:
      appendByte(0x22)
      appendPlain(cell)
      appendByte(0x22)
    case .bytea:
      appendByte(0x22)
      reserve((cell.bytes.count + 2) / 3 * 4)
      Base64.encode(cell.bytes) { appendByte($0) }
      appendByte(0x22)
    default:
      if cell.type.isArray {
        appendJSONArray(cell)
      } else if cell.type.isText {
        if let array = ArrayCell(cell) { appendJSONArray(array) } else { appendJSONString(cell.bytes) }
      } else {
        append("null")
      }
    }
  }

  private mutating func appendJSONArray(_ cell: Cell) {
    guard let array = ArrayCell(cell) else { return append("null") }
    appendJSONArray(array)
  }

  private mutating func appendJSONArray(_ array: ArrayCell) {
    appendByte(0x5B)
    var reader = array.reader
    var first = true
    while let element = reader.next() {
      if !first { appendByte(0x2C) }
      first = false
      switch element {
      case .null: append("null")
      case .cell(let cell): appendJSON(cell)
      }
    }
    appendByte(0x5D)
  }

  /// Without quotes. For what is no number, uuid or time: nothing.
  mutating func appendPlain(_ cell: Cell) {
    switch cell.type {
    case .int2, .int4, .int8, .oidType:
      if let int = cell.int { append(int) } else { append("null") }
    case .float8: appendFinite(cell.double)
    case .float4:
      // By the float's own digits: 0.1 and not 0.10000000149011612.
      if let bits = cell.load(UInt32.self), case let value = Float(bitPattern: bits), value.isFinite {
        if let whole = Int64(exactly: value), whole.magnitude < 1 << 24 {
          append(whole)
        } else {
          appendText(value.description)
        }
      } else {
        append("null")
      }
    case .numeric:
      if let number = NumericCell(cell), number.isFinite { append(number) } else { append("null") }
    case .uuid: if let uuid = cell.uuid { append(uuid) }
    case .timestamptz: if let instant = cell.instant { append(instant) }
    case .timestamp:
      // Without a zone, so without the Z.
      if let value = cell.load(Int64.self) {
        append(BinaryForm.instant(value))
        dropLast()
      }
    case .date:
      if let days = cell.load(Int32.self) {
        append(CivilDate(daysSinceEpoch: min(max(-719_162, Int(days) + 10_957), 2_932_896)))
      }
    case .time: if let value = cell.load(Int64.self) { appendTime(value) }
    default: break
    }
  }

  private mutating func appendFinite(_ value: Double?) {
    if let value, value.isFinite { append(value) } else { append("null") }
  }
}
