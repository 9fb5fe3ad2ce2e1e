import Basics

/// The grammar of RFC 8259 below the level of values. Offsets count from the start of the text.
extension Span<UInt8> {
  /// 0, which no rule of the grammar accepts, after the end.
  @inline(__always)
  func byte(_ at: Int) -> UInt8 { at < count ? self[at] : 0 }

  @inline(__always)
  func skippingSpace(_ start: Int) -> Int {
    var at = start
    while at < count, case let byte = self[at], byte <= 0x20,
      byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    {
      at += 1
    }
    return at
  }

  @inline(never)
  func unexpected(_ at: Int, wanted: String) -> JSONError {
    guard at < count else { return JSONError(offset: count, reason: "the text ends where \(wanted) should be") }
    return JSONError(offset: at, reason: "expected \(wanted)")
  }

  // MARK: - Strings

  /// Where the closing quote of the string is whose content starts at `start`.
  @inline(__always)
  func stringEnd(_ start: Int) throws(JSONError) -> (end: Int, hasEscapes: Bool) {
    let at = plainEnd(start)
    if byte(at) == UInt8(ascii: "\"") { return (at, false) }
    return try unusualStringEnd(at)
  }

  /// The first byte from `start` on that is a quote, a backslash, a control character or outside ASCII.
  @inline(__always)
  func plainEnd(_ start: Int) -> Int {
    var at = start
    let raw = bytes
    while at &+ 8 <= count {
      let word = UInt64(littleEndian: raw.unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
      // The high bit of each byte that stops us. Borrows only reach bytes above the first such one.
      let ones: UInt64 = 0x0101_0101_0101_0101
      let quote = (word ^ ones &* 0x22) &- ones
      let backslash = (word ^ ones &* 0x5C) &- ones
      let control = word &- ones &* 0x20
      let stop = (quote | backslash | control | word) & (ones &* 0x80)
      if stop != 0 { return at &+ stop.trailingZeroBitCount / 8 }
      at &+= 8
    }
    while at < count, case let byte = self[at], byte >= 0x20, byte < 0x80, byte != 0x22, byte != 0x5C { at += 1 }
    return at
  }

  @inline(never)
  private func unusualStringEnd(_ start: Int) throws(JSONError) -> (end: Int, hasEscapes: Bool) {
    var at = start
    var hasEscapes = false
    while true {
      guard at < count else { throw JSONError(offset: count, reason: "the text ends inside a string") }
      switch self[at] {
      case UInt8(ascii: "\""): return (at, hasEscapes)
      case UInt8(ascii: "\\"):
        hasEscapes = true
        at = try escapeEnd(at)
      case 0..<0x20: throw JSONError(offset: at, reason: "a control character in a string")
      case 0x80...0xFF: at += try sequenceLength(at)
      default: at = plainEnd(at)
      }
    }
  }

  private func escapeEnd(_ at: Int) throws(JSONError) -> Int {
    switch byte(at + 1) {
    case 0x22, 0x5C, 0x2F, 0x62, 0x66, 0x6E, 0x72, 0x74: return at + 2
    case UInt8(ascii: "u"):
      guard let unit = hexUnit(at + 2) else { throw JSONError(offset: at, reason: "a bad \\u escape") }
      if unit & 0xF800 != 0xD800 { return at + 6 }
      guard unit < 0xDC00, byte(at + 6) == UInt8(ascii: "\\"), byte(at + 7) == UInt8(ascii: "u"),
        let low = hexUnit(at + 8), low & 0xFC00 == 0xDC00
      else { throw JSONError(offset: at, reason: "half of a surrogate pair") }
      return at + 12
    default: throw JSONError(offset: at, reason: "a bad escape")
    }
  }

  private func hexUnit(_ at: Int) -> UInt32? {
    var unit: UInt32 = 0
    for place in at..<at + 4 {
      guard let digit = Hex.value(of: byte(place)) else { return nil }
      unit = unit << 4 | UInt32(digit)
    }
    return unit
  }

  /// Bytes of the well-formed UTF-8 sequence at `at` (Unicode table 3-7), which starts outside ASCII.
  private func sequenceLength(_ at: Int) throws(JSONError) -> Int {
    let first = byte(at)
    let second = byte(at + 1)
    let valid: Bool
    let length: Int
    switch first {
    case 0xC2...0xDF: (length, valid) = (2, second & 0xC0 == 0x80)
    case 0xE0: (length, valid) = (3, (0xA0...0xBF).contains(second))
    case 0xED: (length, valid) = (3, (0x80...0x9F).contains(second))
    case 0xE1...0xEF: (length, valid) = (3, second & 0xC0 == 0x80)
    case 0xF0: (length, valid) = (4, (0x90...0xBF).contains(second))
    case 0xF1...0xF3: (length, valid) = (4, second & 0xC0 == 0x80)
    case 0xF4: (length, valid) = (4, (0x80...0x8F).contains(second))
    default: (length, valid) = (1, false)
    }
    guard valid, length < 3 || byte(at + 2) & 0xC0 == 0x80, length < 4 || byte(at + 3) & 0xC0 == 0x80 else {
      throw JSONError(offset: at, reason: "not UTF-8")
    }
    return length
  }

  /// Resolves the escapes of a string's content. Only for content that ``stringEnd(_:)`` accepted.
  func unescaped() -> [UInt8] {
    var result: [UInt8] = []
    result.reserveCapacity(count)
    var at = 0
    while at < count {
      guard self[at] == UInt8(ascii: "\\") else {
        result.append(self[at])
        at += 1
        continue
      }
      let mark = byte(at + 1)
      at += 2
      switch mark {
      case UInt8(ascii: "b"): result.append(0x08)
      case UInt8(ascii: "f"): result.append(0x0C)
      case UInt8(ascii: "n"): result.append(0x0A)
      case UInt8(ascii: "r"): result.append(0x0D)
      case UInt8(ascii: "t"): result.append(0x09)
      case UInt8(ascii: "u"):
        var code = hexUnit(at) ?? 0xFFFD
        at += 4
        if code & 0xFC00 == 0xD800, let low = hexUnit(at + 2) {
          code = 0x10000 + (code & 0x3FF) << 10 + low & 0x3FF
          at += 6
        }
        result.append(contentsOf: UTF8.encode(Unicode.Scalar(code) ?? "\u{FFFD}") ?? UTF8.encodedReplacementCharacter)
      default: result.append(mark)
      }
    }
    return result
  }

  // MARK: - Keys

  /// Equal for equal keys; different for most others. For keys without escapes.
  func fingerprint(_ key: Entry) -> UInt64 {
    var word: UInt64 = 0
    if key.start + 8 <= count {
      word = UInt64(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: key.start, as: UInt64.self))
      if key.extent < 8 { word &= (1 << UInt64(key.extent * 8)) - 1 }
    } else {
      for place in 0..<key.extent { word |= UInt64(self[key.start + place]) << UInt64(place * 8) }
    }
    if key.extent > 8 {
      let tail = bytes.unsafeLoadUnaligned(fromByteOffset: key.start + key.extent - 8, as: UInt64.self)
      word = word &* 31 &+ UInt64(littleEndian: tail)
    }
    return word ^ UInt64(key.extent) << 56
  }

  func equal(_ a: Entry, _ b: Entry) -> Bool {
    guard a.extent == b.extent else { return false }
    for place in 0..<a.extent where self[a.start + place] != self[b.start + place] { return false }
    return true
  }
}
