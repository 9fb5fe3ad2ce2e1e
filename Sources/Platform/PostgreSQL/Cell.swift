import Basics

/// A value that is not NULL, in binary form. Valid as long as its result.
struct Cell {
  let bytes: UnsafeBufferPointer<UInt8>
  let type: TypeID

  @inline(__always)
  func load<T: FixedWidthInteger>(_: T.Type, at offset: Int = 0) -> T? {
    guard bytes.count >= offset + MemoryLayout<T>.size else { return nil }
    return T(bigEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: offset, as: T.self))
  }

  var bool: Bool? { type == .bool && bytes.count == 1 ? bytes[0] != 0 : nil }

  var int: Int64? {
    switch type {
    case .int8: load(Int64.self)
    case .int4: load(Int32.self).map { Int64($0) }
    case .int2: load(Int16.self).map { Int64($0) }
    case .oidType: load(UInt32.self).map { Int64($0) }
    default: nil
    }
  }

  var double: Double? {
    switch type {
    case .float8: load(UInt64.self).map { Double(bitPattern: $0) }
    case .float4: load(UInt32.self).map { Double(Float(bitPattern: $0)) }
    case .numeric: NumericCell(self)?.double
    default: int.map { Double($0) }
    }
  }

  var uuid: UUID? {
    guard type == .uuid, bytes.count == 16, let high = load(UInt64.self), let low = load(UInt64.self, at: 8) else {
      return nil
    }
    return UUID(high: high, low: low)
  }

  var instant: Instant? { type == .timestamptz ? load(Int64.self).map(BinaryForm.instant) : nil }

  /// Without the version byte of jsonb.
  var content: UnsafeBufferPointer<UInt8> {
    type == .jsonb && !bytes.isEmpty ? UnsafeBufferPointer(rebasing: bytes[1...]) : bytes
  }

  var raw: [UInt8]? { [UInt8](content) }

  var hundredths: Int64? {
    if type == .numeric { return NumericCell(self)?.hundredths }
    guard let int, case let (value, overflow) = int.multipliedReportingOverflow(by: 100), !overflow else { return nil }
    return value
  }

  var text: String? {
    if type.isText || type == .jsonb { return String(decoding: content, as: UTF8.self) }
    switch type {
    case .numeric, .int2, .int4, .int8, .uuid, .float8, .float4, .date, .time:
      var buffer = TextBuffer(capacity: 64)
      buffer.appendPlain(self)
      return buffer.string
    default: return nil
    }
  }
}

/// The head of a one-dimensional array, and its elements.
struct ArrayCell {
  enum Element {
    case null
    case cell(Cell)
  }

  let count: Int
  private let cell: Cell
  private let elementType: TypeID

  /// Nil for more than one dimension, and for bytes that are no array.
  init?(_ cell: Cell) {
    // An array of the user's own type has an OID that nobody knows beforehand; but no text begins with a zero byte.
    guard cell.type.isArray || cell.type.oid >= 16_384 && cell.bytes.first == 0, let dimensions = cell.load(Int32.self),
      let type = cell.load(UInt32.self, at: 8)
    else { return nil }
    self.cell = cell
    elementType = TypeID(type)
    switch dimensions {
    case 0: count = 0
    case 1:
      guard let size = cell.load(Int32.self, at: 12), size >= 0, Int(size) * 4 <= cell.bytes.count else { return nil }
      count = Int(size)
    default: return nil
    }
  }

  var reader: Reader { Reader(cell: cell, type: elementType, left: count) }

  struct Reader {
    let cell: Cell
    let type: TypeID
    var left: Int
    var offset = 20

    mutating func next() -> Element? {
      guard left > 0, let length = cell.load(Int32.self, at: offset) else { return nil }
      left -= 1
      offset += 4
      if length < 0 { return .null }
      guard offset + Int(length) <= cell.bytes.count else { return nil }
      let bytes = UnsafeBufferPointer(rebasing: cell.bytes[offset..<offset + Int(length)])
      offset += Int(length)
      return .cell(Cell(bytes: bytes, type: type))
    }
  }
}

/// A `numeric`: digits of base 10000, the first with the given weight.
struct NumericCell {
  enum Sign { case positive, negative, notANumber, infinity, minusInfinity }

  let sign: Sign
  let weight: Int
  let digitCount: Int
  private let cell: Cell

  init?(_ cell: Cell) {
    guard let count = cell.load(UInt16.self), let weight = cell.load(Int16.self, at: 2),
      let sign = cell.load(UInt16.self, at: 4),
      cell.bytes.count >= 8 + 2 * Int(count)
    else { return nil }
    switch sign {
    case 0x0000: self.sign = .positive
    case 0x4000: self.sign = .negative
    case 0xD000: self.sign = .infinity
    case 0xF000: self.sign = .minusInfinity
    default: self.sign = .notANumber
    }
    self.weight = Int(weight)
    digitCount = Int(count)
    self.cell = cell
  }

  var isFinite: Bool { sign == .positive || sign == .negative }

  /// The digit at a place counted from the first; 0 outside.
  func digit(_ place: Int) -> Int {
    guard place >= 0, place < digitCount else { return 0 }
    return cell.load(UInt16.self, at: 8 + 2 * place).map { Int($0) } ?? 0
  }

  var hundredths: Int64? {
    guard isFinite, weight < 5 else { return nil }
    var value: Int64 = 0
    for place in stride(from: 0, through: weight, by: 1) {
      let (scaled, overflow) = value.multipliedReportingOverflow(by: 10_000)
      let (sum, carried) = scaled.addingReportingOverflow(Int64(digit(place)))
      guard !overflow, !carried else { return nil }
      value = sum
    }
    let fraction = weight >= -1 ? digit(weight + 1) : 0
    let finest = weight >= -1 ? weight + 2 : 0
    guard fraction % 100 == 0, finest >= digitCount else { return nil }
    let (scaled, overflow) = value.multipliedReportingOverflow(by: 100)
    let (sum, carried) = scaled.addingReportingOverflow(Int64(fraction / 100))
    guard !overflow, !carried else { return nil }
    return sign == .negative ? -sum : sum
  }

  /// The nearest double.
  var double: Double? {
    switch sign {
    case .notANumber: return .nan
    case .infinity: return .infinity
    case .minusInfinity: return -.infinity
    default:
      var buffer = TextBuffer(capacity: 64)
      buffer.append(self)
      return Double(buffer.string)
    }
  }
}
