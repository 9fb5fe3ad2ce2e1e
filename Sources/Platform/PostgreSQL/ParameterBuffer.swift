import Basics
import CPostgreSQL

/// The parameters of one statement as libpq takes them: bytes in one buffer, and for each its type, place, length and
/// form.
struct ParameterBuffer {
  private(set) var bytes: [UInt8] = []
  private(set) var types: [Oid] = []
  private(set) var lengths: [CInt] = []
  /// 0 for text, 1 for binary.
  private(set) var formats: [CInt] = []
  /// -1 is NULL.
  private(set) var offsets: [Int] = []

  /// Throws when a text holds a zero byte, which PostgreSQL cannot store and C would cut at.
  init(_ values: [Value]) throws(DatabaseError) {
    guard values.count <= 65_535 else { throw DatabaseError(.usage, "a statement takes at most 65535 parameters") }
    bytes.reserveCapacity(values.reduce(0) { $0 + $1.sizeHint })
    types.reserveCapacity(values.count)
    lengths.reserveCapacity(values.count)
    formats.reserveCapacity(values.count)
    offsets.reserveCapacity(values.count)
    for (place, value) in values.enumerated() {
      let start = bytes.count
      let isText = value.isSentAsText
      if case .null = value {
        offsets.append(-1)
      } else {
        offsets.append(start)
        value.write(to: &bytes)
      }
      let length = bytes.count - start
      if isText {
        guard !bytes[start...].contains(0) else {
          throw DatabaseError(
            .usage, "parameter $\(place + 1) holds a zero byte, which PostgreSQL cannot store in text")
        }
        bytes.append(0)
      }
      guard length < 1 << 30 else { throw DatabaseError(.usage, "parameter $\(place + 1) is larger than 1 GiB") }
      types.append(value.type.oid)
      lengths.append(CInt(length))
      formats.append(isText ? 0 : 1)
    }
  }

  /// Calls `body` with the arrays that `PQsendQueryParams` and `PQsendQueryPrepared` ask for.
  func withArguments<R>(
    _ body: (
      CInt, UnsafePointer<Oid>?, UnsafePointer<UnsafePointer<CChar>?>?, UnsafePointer<CInt>?, UnsafePointer<CInt>?
    ) -> R
  ) -> R {
    guard !types.isEmpty else { return body(0, nil, nil, nil, nil) }
    return bytes.withUnsafeBytes { bytes in
      withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: offsets.count) { pointers in
        // An empty buffer has no address, but libpq takes a nil pointer for NULL.
        let base = bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 8)
        for (place, offset) in offsets.enumerated() {
          pointers.initializeElement(
            at: place,
            to: offset < 0 ? nil : (base?.advanced(by: offset)).map { $0.assumingMemoryBound(to: CChar.self) })
        }
        return body(CInt(types.count), types, pointers.baseAddress, lengths, formats)
      }
    }
  }
}

extension Value {
  /// The type that the server is told.
  var type: TypeID {
    switch self {
    case .null, .text, .json: .unspecified
    case .bool: .bool
    case .int: .int8
    case .int4: .int4
    case .double: .float8
    case .bytes: .bytea
    case .uuid: .uuid
    case .timestamp: .timestamptz
    case .numeric, .hundredths: .numeric
    case .array(let array): array.type
    }
  }

  var isSentAsText: Bool {
    switch self {
    case .text, .json, .numeric: true
    default: false
    }
  }

  var isNull: Bool {
    if case .null = self { true } else { false }
  }

  /// About how many bytes ``write(to:)`` appends.
  fileprivate var sizeHint: Int {
    switch self {
    case .text(let value), .numeric(let value): value.utf8.count + 1
    case .bytes(let value), .json(let value): value.count + 1
    case .array(let array): array.size
    default: 16
    }
  }

  /// Appends the value in the form that ``isSentAsText`` tells. Nothing for NULL.
  func write(to bytes: inout [UInt8]) {
    switch self {
    case .null: break
    case .bool(let value): bytes.append(value ? 1 : 0)
    case .int(let value): BinaryForm.append(value, to: &bytes)
    case .int4(let value): BinaryForm.append(value, to: &bytes)
    case .double(let value): BinaryForm.append(value.bitPattern, to: &bytes)
    case .text(let value), .numeric(let value): bytes.append(contentsOf: value.utf8)
    case .bytes(let value), .json(let value): bytes.append(contentsOf: value)
    case .uuid(let value): BinaryForm.append(value, to: &bytes)
    case .timestamp(let value): BinaryForm.append(BinaryForm.timestamp(value), to: &bytes)
    case .hundredths(let value): BinaryForm.appendNumeric(hundredths: value, to: &bytes)
    case .array(let array): array.write(to: &bytes)
    }
  }
}
