import Basics

/// PostgreSQL's binary forms of values, as its `*_send` and `*_recv` functions have them: big-endian throughout.
enum BinaryForm {
  /// Microseconds from 1970-01-01 to 2000-01-01, where PostgreSQL's timestamps begin.
  static let epoch: Int64 = 946_684_800_000_000

  @inline(__always)
  static func append<T: FixedWidthInteger>(_ value: T, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
  }

  static func append(_ value: UUID, to bytes: inout [UInt8]) {
    append(value.high, to: &bytes)
    append(value.low, to: &bytes)
  }

  /// Instants before 4714 BC, which PostgreSQL does not know, become -infinity; those it cannot count, infinity.
  static func timestamp(_ instant: Instant) -> Int64 {
    let (value, overflow) = instant.microseconds.subtractingReportingOverflow(epoch)
    return overflow || value < -211_813_488_000_000_000 ? .min : value
  }

  /// PostgreSQL's infinities, and what `Instant` cannot count, become the first and last instant that RFC 3339 can
  /// write.
  static func instant(_ timestamp: Int64) -> Instant {
    if timestamp == .max { return .distantFuture }
    if timestamp == .min { return .distantPast }
    let (value, overflow) = timestamp.addingReportingOverflow(epoch)
    return overflow ? .distantFuture : Instant(microseconds: value)
  }

  static func appendArray<T>(
    _ values: [T?], of type: TypeID, to bytes: inout [UInt8], _ write: (T, inout [UInt8]) -> Void
  ) {
    append(Int32(values.isEmpty ? 0 : 1), to: &bytes)
    append(Int32(values.contains { $0 == nil } ? 1 : 0), to: &bytes)
    append(type.oid, to: &bytes)
    if values.isEmpty { return }
    append(Int32(values.count), to: &bytes)
    append(Int32(1), to: &bytes)
    for value in values {
      let start = bytes.count
      append(Int32(-1), to: &bytes)
      guard let value else { continue }
      write(value, &bytes)
      let length = UInt32(bytes.count - start - 4)
      for place in 0..<4 { bytes[start + place] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(place))) }
    }
  }

  // MARK: - numeric

  /// `numeric` is digits of base 10000: their count, the weight of the first, the sign, the decimal places to show.
  static func appendNumeric(hundredths: Int64, to bytes: inout [UInt8]) {
    let magnitude = hundredths.magnitude
    // The value as digits before the point, most significant first, and one digit after it.
    var scale: UInt64 = 1
    var wholeDigits = magnitude < 100 ? 0 : 1
    while magnitude / 100 / scale >= 10_000 {
      scale *= 10_000
      wholeDigits += 1
    }
    let head = bytes.count
    append(Int16(0), to: &bytes)
    append(Int16(magnitude == 0 ? 0 : wholeDigits - 1), to: &bytes)
    append(hundredths < 0 ? 0x4000 : UInt16(0), to: &bytes)
    append(Int16(2), to: &bytes)
    var count = 0
    var lastNonZero = 0
    func put(_ digit: UInt16) {
      append(digit, to: &bytes)
      count += 1
      if digit != 0 { lastNonZero = count }
    }
    for _ in 0..<wholeDigits {
      put(UInt16(magnitude / 100 / scale % 10_000))
      scale /= 10_000
    }
    put(UInt16(magnitude % 100) * 100)
    bytes.removeLast(2 * (count - lastNonZero))
    bytes[head + 1] = UInt8(lastNonZero)
  }
}
