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

  // MARK: - numeric

  /// `numeric` is digits of base 10000: their count, the weight of the first, the sign, the decimal places to show.
  static func appendNumeric(hundredths: Int64, to bytes: inout [UInt8]) {
    let magnitude = hundredths.magnitude
    let whole = magnitude / 100
    var wholeDigits = whole == 0 ? 0 : 1
    var scale: UInt64 = 1
    while whole / scale >= 10_000 {
      scale *= 10_000
      wholeDigits += 1
    }
    let fraction = magnitude % 100 * 100
    // Zeros at the end are left out.
    var digits = wholeDigits + 1
    if fraction == 0 {
      digits = wholeDigits
      var rest = whole
      while rest > 0, rest % 10_000 == 0 {
        rest /= 10_000
        digits -= 1
      }
    }
    let weight = magnitude == 0 ? 0 : wholeDigits - 1
    append(Int32(digits) << 16 | Int32(UInt16(bitPattern: Int16(weight))), to: &bytes)
    append((hundredths < 0 ? 0x4000_0000 : UInt32(0)) | 2, to: &bytes)
    for place in 0..<digits {
      append(UInt16(place < wholeDigits ? whole / scale % 10_000 : fraction), to: &bytes)
      scale = max(1, scale / 10_000)
    }
  }
}
