import Basics

/// An array parameter, built element by element in the form in which it travels: nothing is kept twice, and rows that
/// are turned into columns are gone through once.
///
/// Append only elements of the type that it was made for; nil is NULL.
public struct BinaryArray: Sendable, Hashable {
  /// Of the array, and of its elements.
  let type: TypeID
  private let elementType: TypeID
  /// Each element with its length before it.
  private var elements: [UInt8] = []
  private var count = 0
  private var hasNull = false

  private init(_ type: TypeID, of elementType: TypeID, _ capacity: Int, width: Int) {
    self.type = type
    self.elementType = elementType
    elements.reserveCapacity(capacity * (4 + width))
  }

  // `capacity` is how many elements are expected.
  public static func bools(_ capacity: Int) -> Self { Self(.boolArray, of: .bool, capacity, width: 1) }
  public static func int2s(_ capacity: Int) -> Self { Self(.int2Array, of: .int2, capacity, width: 2) }
  public static func int4s(_ capacity: Int) -> Self { Self(.int4Array, of: .int4, capacity, width: 4) }
  public static func ints(_ capacity: Int) -> Self { Self(.int8Array, of: .int8, capacity, width: 8) }
  public static func doubles(_ capacity: Int) -> Self { Self(.float8Array, of: .float8, capacity, width: 8) }
  public static func texts(_ capacity: Int) -> Self { Self(.textArray, of: .text, capacity, width: 16) }
  public static func byteas(_ capacity: Int) -> Self { Self(.byteaArray, of: .bytea, capacity, width: 16) }
  public static func uuids(_ capacity: Int) -> Self { Self(.uuidArray, of: .uuid, capacity, width: 16) }
  public static func timestamps(_ capacity: Int) -> Self {
    Self(.timestamptzArray, of: .timestamptz, capacity, width: 8)
  }
  /// Versions of rows, as `xmin` gives them.
  public static func xids(_ capacity: Int) -> Self { Self(.xidArray, of: .xid, capacity, width: 4) }
  public static func numerics(_ capacity: Int) -> Self { Self(.numericArray, of: .numeric, capacity, width: 12) }
  public static func jsons(_ capacity: Int) -> Self { Self(.jsonbArray, of: .jsonb, capacity, width: 64) }

  /// How many bytes ``write(to:)`` appends at most.
  var size: Int { 20 + elements.count }

  func write(to bytes: inout [UInt8]) {
    BinaryForm.append(Int32(count == 0 ? 0 : 1), to: &bytes)
    BinaryForm.append(Int32(hasNull ? 1 : 0), to: &bytes)
    BinaryForm.append(elementType.oid, to: &bytes)
    if count == 0 { return }
    BinaryForm.append(Int32(count), to: &bytes)
    // Where its subscripts begin.
    BinaryForm.append(Int32(1), to: &bytes)
    bytes.append(contentsOf: elements)
  }
}

extension BinaryArray {
  public mutating func append(_ value: Bool?) {
    guard let value else { return appendNull() }
    appendLength(1)
    elements.append(value ? 1 : 0)
  }

  public mutating func append(_ value: Int16?) { appendInteger(value) }
  public mutating func append(_ value: Int32?) { appendInteger(value) }
  public mutating func append(_ value: Int64?) { appendInteger(value) }
  public mutating func append(_ value: UInt32?) { appendInteger(value) }
  public mutating func append(_ value: Double?) { appendInteger(value?.bitPattern) }
  public mutating func append(_ value: Instant?) { appendInteger(value.map(BinaryForm.timestamp)) }
}

extension BinaryArray {
  public mutating func append(_ value: String?) {
    guard let value else { return appendNull() }
    appendLength(value.utf8.count)
    elements.append(contentsOf: value.utf8)
  }

  public mutating func append(_ value: [UInt8]?) {
    guard let value else { return appendNull() }
    appendLength(value.count)
    elements.append(contentsOf: value)
  }

  public mutating func append(_ value: UUID?) {
    guard let value else { return appendNull() }
    appendLength(16)
    BinaryForm.append(value, to: &elements)
  }

  /// For `numerics`: 450 is 4.50.
  public mutating func append(hundredths: Int64?) {
    guard let hundredths else { return appendNull() }
    let start = elements.count
    appendLength(0)
    BinaryForm.appendNumeric(hundredths: hundredths, to: &elements)
    // Eight bytes and six digits at most: the last byte holds it.
    elements[start + 3] = UInt8(elements.count - start - 4)
  }

  /// For `jsons`: a whole JSON text.
  public mutating func append(json: [UInt8]?) {
    guard let json else { return appendNull() }
    appendLength(1 + json.count)
    // The version of the form.
    elements.append(1)
    elements.append(contentsOf: json)
  }

  private mutating func appendInteger<T: FixedWidthInteger>(_ value: T?) {
    guard let value else { return appendNull() }
    appendLength(T.bitWidth / 8)
    BinaryForm.append(value, to: &elements)
  }

  private mutating func appendNull() {
    hasNull = true
    appendLength(-1)
  }

  private mutating func appendLength(_ length: Int) {
    count += 1
    BinaryForm.append(Int32(length), to: &elements)
  }
}
