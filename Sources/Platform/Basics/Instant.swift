import CLinux
import Glibc

/// A point in time: microseconds since 1970-01-01T00:00:00Z, the resolution of PostgreSQL's `timestamptz`.
public struct Instant: Hashable, Comparable, Sendable {
  public var microseconds: Int64

  @inlinable public init(microseconds: Int64) { self.microseconds = microseconds }
  @inlinable public init(seconds: Int64) { self.microseconds = seconds * 1_000_000 }

  @inlinable public static func < (a: Instant, b: Instant) -> Bool { a.microseconds < b.microseconds }
  @inlinable public static func + (a: Instant, b: Duration) -> Instant {
    Instant(microseconds: a.microseconds &+ b.microseconds)
  }
  @inlinable public static func - (a: Instant, b: Duration) -> Instant {
    Instant(microseconds: a.microseconds &- b.microseconds)
  }
  @inlinable public static func - (a: Instant, b: Instant) -> Duration {
    .microseconds(a.microseconds &- b.microseconds)
  }

  /// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: what RFC 3339 can write.
  public static let distantPast = Instant(microseconds: -62_135_596_800_000_000)
  public static let distantFuture = Instant(microseconds: 253_402_300_799_999_999)
}

extension Duration {
  /// Whole microseconds, cut toward zero.
  @inlinable public var microseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds &* 1_000_000 &+ attoseconds / 1_000_000_000_000
  }

  @inlinable public static func minutes(_ count: Int) -> Duration { .seconds(count * 60) }
  @inlinable public static func hours(_ count: Int) -> Duration { .seconds(count * 3600) }
  @inlinable public static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }
}

// MARK: - RFC 3339

extension Instant {
  /// Reads an RFC 3339 date-time: `2026-01-05T07:30:12.612345678Z` or with an offset `+05:30`.
  ///
  /// Digits past the microsecond are cut off. A leap second (`:60`) is the last microsecond of its minute.
  /// Nil for anything else: a missing offset, a day that the month does not have, a year of other than four digits.
  public init?(rfc3339 text: some Collection<UInt8>) {
    var reader = DigitReader(text)
    guard let year = reader.number(4), reader.skip("-"), let month = reader.number(2), reader.skip("-"),
      let day = reader.number(2), reader.skip("T") || reader.skip("t") || reader.skip(" "), let hour = reader.number(2),
      reader.skip(":"), let minute = reader.number(2), reader.skip(":"), let second = reader.number(2),
      year >= 1, (1...12).contains(month), day >= 1, day <= CivilDate.days(inMonth: month, year: year), hour < 24,
      minute < 60,
      second <= 60
    else { return nil }
    var fraction: Int64 = 0
    if reader.skip(".") {
      guard let digits = reader.fraction() else { return nil }
      fraction = digits
    }
    if second == 60 { fraction = 999_999 }
    var offset: Int64 = 0
    if !(reader.skip("Z") || reader.skip("z")) {
      let sign: Int64
      if reader.skip("+") { sign = 1 } else if reader.skip("-") { sign = -1 } else { return nil }
      guard let hours = reader.number(2), reader.skip(":"), let minutes = reader.number(2), hours < 24, minutes < 60
      else {
        return nil
      }
      offset = sign * Int64(hours * 60 + minutes)
    }
    guard reader.atEnd else { return nil }
    let days = CivilDate(year: year, month: month, day: day).daysSinceEpoch
    let minutes = Int64(days) * 1440 + Int64(hour * 60 + minute) - offset
    self.init(microseconds: (minutes * 60 + Int64(min(second, 59))) * 1_000_000 + fraction)
  }

  public init?(rfc3339 text: String) { self.init(rfc3339: text.utf8) }

  /// `2026-01-05T07:30:12.612Z`: UTC with milliseconds, as every answer of the API writes it.
  public var rfc3339: String { String(unsafeUninitializedCapacity: 24) { writeRFC3339(to: $0) } }

  /// Writes the 24 bytes of ``rfc3339`` and returns 24. The buffer must have room for them.
  public func writeRFC3339(to bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
    let inRange = min(max(self, .distantPast), .distantFuture)
    let milliseconds = inRange.microseconds.flooredDivision(by: 1000)
    let (days, millisecondOfDay) = milliseconds.flooredDivisionAndRemainder(by: 86_400_000)
    let date = CivilDate(daysSinceEpoch: Int(days))
    let ms = UInt32(truncatingIfNeeded: millisecondOfDay)
    var at = 0
    func put(_ value: UInt32, width: Int, then mark: UInt8) {
      var rest = value
      for place in stride(from: width - 1, through: 0, by: -1) {
        bytes[at + place] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      }
      bytes[at + width] = mark
      at += width + 1
    }
    put(UInt32(truncatingIfNeeded: date.year), width: 4, then: 0x2D)
    put(UInt32(truncatingIfNeeded: date.month), width: 2, then: 0x2D)
    put(UInt32(truncatingIfNeeded: date.day), width: 2, then: 0x54)
    put(ms / 3_600_000, width: 2, then: 0x3A)
    put(ms / 60_000 % 60, width: 2, then: 0x3A)
    put(ms / 1000 % 60, width: 2, then: 0x2E)
    put(ms % 1000, width: 3, then: 0x5A)
    return at
  }

  /// Appends ``rfc3339`` without making a string.
  public func appendRFC3339(to bytes: inout [UInt8]) {
    let start = bytes.count
    bytes.append(contentsOf: repeatElement(0, count: 24))
    bytes.withUnsafeMutableBufferPointer { all in
      _ = writeRFC3339(to: UnsafeMutableBufferPointer(rebasing: all[start...]))
    }
  }
}

extension Instant: CustomStringConvertible {
  public var description: String { rfc3339 }
}

/// A day of the proleptic Gregorian calendar.
public struct CivilDate: Hashable, Sendable {
  public var year: Int
  public var month: Int
  public var day: Int

  public init(year: Int, month: Int, day: Int) {
    self.year = year
    self.month = month
    self.day = day
  }

  /// Days since 1970-01-01, negative before it (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  public var daysSinceEpoch: Int {
    let y = month <= 2 ? year - 1 : year
    let era = (y >= 0 ? y : y - 399) / 400
    let yearOfEra = y - era * 400
    let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
  }

  public init(daysSinceEpoch: Int) {
    let z = daysSinceEpoch + 719_468
    let era = (z >= 0 ? z : z - 146_096) / 146_097
    let dayOfEra = z - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shifted = (5 * dayOfYear + 2) / 153
    month = shifted < 10 ? shifted + 3 : shifted - 9
    day = dayOfYear - (153 * shifted + 2) / 5 + 1
    year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  }

  public static func days(inMonth month: Int, year: Int) -> Int {
    switch month {
    case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }
}

/// Reads fixed-width digits. `Int(_: String)` is no parser for the wire: it takes "+5".
private struct DigitReader<Text: Collection> where Text.Element == UInt8 {
  private let text: Text
  private var index: Text.Index

  init(_ text: Text) {
    self.text = text
    index = text.startIndex
  }

  var atEnd: Bool { index == text.endIndex }

  private mutating func digit() -> Int? {
    guard index < text.endIndex, case let digit = text[index] &- 0x30, digit < 10 else { return nil }
    text.formIndex(after: &index)
    return Int(digit)
  }

  mutating func number(_ width: Int) -> Int? {
    var value = 0
    for _ in 0..<width {
      guard let digit = digit() else { return nil }
      value = value * 10 + digit
    }
    return value
  }

  /// 1 to 12 digits after the point, as microseconds.
  mutating func fraction() -> Int64? {
    var value: Int64 = 0
    var count = 0
    while let digit = digit() {
      if count < 6 { value = value * 10 + Int64(digit) }
      count += 1
    }
    guard (1...12).contains(count) else { return nil }
    for _ in 0..<max(0, 6 - count) { value *= 10 }
    return value
  }

  mutating func skip(_ mark: Unicode.Scalar) -> Bool {
    guard index < text.endIndex, text[index] == UInt8(ascii: mark) else { return false }
    text.formIndex(after: &index)
    return true
  }
}

extension Int64 {
  func flooredDivision(by divisor: Int64) -> Int64 { flooredDivisionAndRemainder(by: divisor).quotient }

  func flooredDivisionAndRemainder(by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }
}
