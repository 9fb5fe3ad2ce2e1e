import Basics

/// Bytes of text that grow, written through a pointer: what rows become on their way to JSON.
struct TextBuffer: ~Copyable {
  private var base: UnsafeMutablePointer<UInt8>
  private var capacity: Int
  private(set) var count = 0

  init(capacity: Int) {
    self.capacity = max(64, capacity)
    base = .allocate(capacity: self.capacity)
  }

  deinit { base.deallocate() }

  var array: [UInt8] { [UInt8](UnsafeBufferPointer(start: base, count: count)) }
  var string: String { String(decoding: UnsafeBufferPointer(start: base, count: count), as: UTF8.self) }
  mutating func removeAll() { count = 0 }
  mutating func dropLast() { count = max(0, count - 1) }

  func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) -> R) -> R {
    body(UnsafeBufferPointer(start: base, count: count))
  }

  @inline(__always)
  mutating func reserve(_ more: Int) {
    if capacity - count < more { grow(more) }
  }

  @inline(never)
  private mutating func grow(_ more: Int) {
    capacity = max(capacity * 2, count + more)
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    larger.update(from: base, count: count)
    base.deallocate()
    base = larger
  }

  @inline(__always)
  mutating func appendByte(_ byte: UInt8) {
    reserve(1)
    base[count] = byte
    count += 1
  }

  @inline(__always)
  mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let source = bytes.baseAddress else { return }
    reserve(bytes.count)
    (base + count).update(from: source, count: bytes.count)
    count += bytes.count
  }

  mutating func append(_ text: StaticString) {
    append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  mutating func appendText(_ text: String) {
    var text = text
    text.withUTF8 { append($0) }
  }

  // MARK: - Values

  mutating func append(_ value: Int64) {
    reserve(20)
    var magnitude = value.magnitude
    if value < 0 {
      base[count] = 0x2D
      count += 1
    }
    var length = 1
    var bound: UInt64 = 10
    while magnitude >= bound {
      length += 1
      let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
      if overflow { break }
      bound = next
    }
    for place in stride(from: count + length - 1, through: count, by: -1) {
      base[place] = 0x30 + UInt8(truncatingIfNeeded: magnitude % 10)
      magnitude /= 10
    }
    count += length
  }

  /// A number of fixed width with leading zeros.
  mutating func append(_ value: Int, width: Int) {
    reserve(width)
    var rest = value
    for place in stride(from: count + width - 1, through: count, by: -1) {
      base[place] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    }
    count += width
  }

  /// Finite; a whole number without a point.
  mutating func append(_ value: Double) {
    if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 {
      append(whole)
    } else {
      appendText(value.description)
    }
  }

  mutating func append(_ value: UUID) {
    reserve(36)
    let digits = value.digits
    let start = UnsafeMutableRawPointer(base + count)
    func put(_ four: UInt64, at offset: Int) {
      start.storeBytes(of: UInt32(truncatingIfNeeded: four).bigEndian, toByteOffset: offset, as: UInt32.self)
    }
    func dash(_ place: Int) { base[count + place] = 0x2D }
    start.storeBytes(of: digits[0].bigEndian, as: UInt64.self)
    dash(8)
    put(digits[1] >> 32, at: 9)
    dash(13)
    put(digits[1], at: 14)
    dash(18)
    put(digits[2] >> 32, at: 19)
    dash(23)
    put(digits[2], at: 24)
    start.storeBytes(of: digits[3].bigEndian, toByteOffset: 28, as: UInt64.self)
    count += 36
  }

  /// RFC 3339, UTC, milliseconds: 24 bytes. What it cannot write becomes the nearest that it can.
  mutating func append(_ value: Instant) {
    reserve(24)
    count += value.writeRFC3339(to: UnsafeMutableBufferPointer(start: base + count, count: 24))
  }

  mutating func append(_ date: CivilDate) {
    append(date.year, width: 4)
    appendByte(0x2D)
    append(date.month, width: 2)
    appendByte(0x2D)
    append(date.day, width: 2)
  }

  /// Microseconds of a day as `07:30:12` or `07:30:12.5`.
  mutating func appendTime(_ microseconds: Int64) {
    append(Int(microseconds / 3_600_000_000), width: 2)
    appendByte(0x3A)
    append(Int(microseconds / 60_000_000 % 60), width: 2)
    appendByte(0x3A)
    append(Int(microseconds / 1_000_000 % 60), width: 2)
    let fraction = Int(microseconds % 1_000_000)
    guard fraction > 0 else { return }
    appendByte(0x2E)
    append(fraction, width: 6)
    dropTrailingZeros()
  }

  /// Finite, without trailing zeros after the point: 4.50 is `4.5`.
  mutating func append(_ value: NumericCell) {
    if value.digitCount == 0 { return appendByte(0x30) }
    if value.sign == .negative { appendByte(0x2D) }
    if value.weight < 0 { appendByte(0x30) }
    for place in stride(from: 0, through: value.weight, by: 1) {
      let digit = value.digit(place)
      if place == 0 { append(Int64(digit)) } else { append(digit, width: 4) }
    }
    let firstFraction = value.weight + 1
    guard firstFraction < value.digitCount else { return }
    appendByte(0x2E)
    for place in firstFraction..<value.digitCount { append(value.digit(place), width: 4) }
    dropTrailingZeros()
  }

  private mutating func dropTrailingZeros() {
    while count > 0, base[count - 1] == 0x30 { count -= 1 }
    if count > 0, base[count - 1] == 0x2E { count -= 1 }
  }
}
