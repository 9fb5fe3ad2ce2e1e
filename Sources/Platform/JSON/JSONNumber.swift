import Glibc

/// A decimal number as it was written: `±significand × 10^exponent`, up to 19 digits of it.
struct DecimalText {
  var isNegative = false
  var significand: UInt64 = 0
  var exponent = 0
  /// A digit other than 0 did not fit into the significand.
  var isCut = false

  /// `text` must be a number by RFC 8259 section 6, as ``Swift/Span/numberEnd(_:)`` finds it.
  init(_ text: Span<UInt8>) {
    var at = 0
    var seenPoint = false
    if text.byte(0) == UInt8(ascii: "-") {
      isNegative = true
      at = 1
    }
    while at < text.count {
      let digit = text[at] &- 0x30
      if digit < 10 {
        if significand < 1_000_000_000_000_000_000 {
          significand = significand * 10 + UInt64(digit)
          if seenPoint { exponent -= 1 }
        } else {
          if digit != 0 { isCut = true }
          if !seenPoint { exponent += 1 }
        }
      } else if text[at] == UInt8(ascii: ".") {
        seenPoint = true
      } else {
        exponent += DecimalText.exponent(text, at + 1)
        return
      }
      at += 1
    }
  }

  /// What follows the `e`. Held to ±10^12, which no count of digits can make up for.
  private static func exponent(_ text: Span<UInt8>, _ start: Int) -> Int {
    var value = 0
    for place in start..<text.count where text[place] &- 0x30 < 10 {
      value = min(value * 10 + Int(text[place] - 0x30), 1_000_000_000_000)
    }
    return text.byte(start) == UInt8(ascii: "-") ? -value : value
  }

  /// The number × 10^`scale` as an integer. Nil when it does not fit. Without `rounding`, also nil when digits would be lost;
  /// with it, to the nearest, a half away from zero.
  func scaled(by scale: Int, rounding: Bool) -> Int64? {
    var magnitude = significand
    if magnitude == 0, !isCut { return 0 }
    var shift = exponent + scale
    while shift > 0 {
      guard !isCut, case let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10), !overflow else {
        return nil
      }
      magnitude = product
      shift -= 1
    }
    var lost = isCut
    var roundsUp = false
    while shift < 0, magnitude > 0 {
      let (quotient, digit) = magnitude.quotientAndRemainder(dividingBy: 10)
      if digit != 0 { lost = true }
      roundsUp = digit >= 5
      magnitude = quotient
      shift += 1
    }
    if shift < 0 { roundsUp = false }
    if lost, !rounding { return nil }
    if roundsUp { magnitude += 1 }
    if isNegative { return magnitude > 1 << 63 ? nil : Int64(truncatingIfNeeded: 0 &- magnitude) }
    return Int64(exactly: magnitude)
  }

  /// The nearest double when that takes one exact operation (Clinger, "How to Read Floating Point Numbers Accurately", 1990).
  var simpleDouble: Double? {
    guard !isCut, significand <= 1 << 53, abs(exponent) <= 22 else { return nil }
    let magnitude = Double(significand)
    let power = DecimalText.powersOfTen[abs(exponent)]
    let value = exponent < 0 ? magnitude / power : magnitude * power
    return isNegative ? -value : value
  }

  /// 10^0 to 10^22: all of them exact.
  private static let powersOfTen: [Double] = [
    1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21,
    1e22,
  ]
}

/// How digits go that a scale has no room for.
public enum JSONRounding: Sendable {
  /// To the nearest; a half away from zero, as sensors and people round.
  case halfAwayFromZero
}

extension JSONValue {
  /// An integer that fits; `1.0` and `1e2` are integers. Nil for anything else.
  public var int: Int64? { decimal(scale: 0) }

  /// A number with exactly `scale` digits after the point, as an integer: `4.25` with scale 2 is 425. Nil when it has more
  /// digits than that other than zeros, does not fit, or the value is no number.
  public func decimal(scale: Int) -> Int64? {
    decimalText?.scaled(by: scale, rounding: false)
  }

  /// As ``decimal(scale:)``, with digits past the scale rounded instead of refused.
  public func decimal(scale: Int, rounding: JSONRounding) -> Int64? {
    decimalText?.scaled(by: scale, rounding: true)
  }

  /// The nearest finite double. Nil for a number past the largest one, and for anything that is no number.
  public var double: Double? {
    guard let text = decimalText else { return nil }
    if let value = text.simpleDouble { return value }
    // Correctly rounded for any length. The program never leaves the C locale.
    var copy = rawBytes.map { CChar(bitPattern: $0) }
    copy.append(0)
    let value = strtod(copy, nil)
    return value.isFinite ? value : nil
  }

  private var decimalText: DecimalText? {
    let entry = entry
    guard entry.kind == .number else { return nil }
    let bytes = tape.bytes
    return DecimalText(bytes.span.extracting(entry.start..<entry.start + entry.extent))
  }
}

extension Span<UInt8> {
  /// Where the number ends that starts at `start` (RFC 8259 section 6).
  func numberEnd(_ start: Int) throws(JSONError) -> (end: Int, isInteger: Bool) {
    var at = start
    if byte(at) == UInt8(ascii: "-") { at += 1 }
    if byte(at) == UInt8(ascii: "0") {
      at += 1
      if byte(at) &- 0x30 < 10 { throw JSONError(offset: at, reason: "a digit after a leading zero") }
    } else {
      at = try digitsEnd(at)
    }
    var isInteger = true
    if byte(at) == UInt8(ascii: ".") {
      at = try digitsEnd(at + 1)
      isInteger = false
    }
    if byte(at) | 0x20 == UInt8(ascii: "e") {
      at += 1
      if byte(at) == UInt8(ascii: "+") || byte(at) == UInt8(ascii: "-") { at += 1 }
      at = try digitsEnd(at)
      isInteger = false
    }
    return (at, isInteger)
  }

  @inline(__always)
  private func digitsEnd(_ start: Int) throws(JSONError) -> Int {
    var at = start
    while at < count, self[at] &- 0x30 < 10 { at += 1 }
    guard at > start else { throw unexpected(at, wanted: "a digit") }
    return at
  }
}
