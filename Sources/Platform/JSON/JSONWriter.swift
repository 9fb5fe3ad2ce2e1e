import Basics

/// Writes compact JSON into ``bytes``, commas where they belong. There is no tree: what is written is written.
public struct JSONWriter: Sendable {
  public var bytes: [UInt8] = []
  private var needsComma = false

  public init(capacity: Int = 256) { bytes.reserveCapacity(capacity) }

  /// What one closure writes.
  public static func bytes(_ write: (inout JSONWriter) throws -> Void) rethrows -> [UInt8] {
    var writer = JSONWriter()
    try write(&writer)
    return writer.bytes
  }

  // MARK: - Arrays and objects

  public mutating func object(_ body: (inout JSONWriter) throws -> Void) rethrows {
    beginObject()
    try body(&self)
    endObject()
  }

  public mutating func array(_ body: (inout JSONWriter) throws -> Void) rethrows {
    beginArray()
    try body(&self)
    endArray()
  }

  public mutating func beginObject() { begin(UInt8(ascii: "{")) }
  public mutating func endObject() { end(UInt8(ascii: "}")) }
  public mutating func beginArray() { begin(UInt8(ascii: "[")) }
  public mutating func endArray() { end(UInt8(ascii: "]")) }

  private mutating func begin(_ mark: UInt8) {
    separate()
    bytes.append(mark)
    needsComma = false
  }

  private mutating func end(_ mark: UInt8) {
    bytes.append(mark)
    needsComma = true
  }

  public mutating func key(_ name: String) {
    separate()
    quote(name)
    bytes.append(UInt8(ascii: ":"))
    needsComma = false
  }

  private mutating func separate() {
    if needsComma { bytes.append(UInt8(ascii: ",")) }
    needsComma = true
  }

  // MARK: - Values

  public mutating func null() { raw("null".utf8) }
  public mutating func bool(_ value: Bool) { raw(value ? "true".utf8 : "false".utf8) }

  public mutating func string(_ value: String) {
    separate()
    quote(value)
  }

  /// `utf8` must be UTF-8: it is escaped, not checked.
  public mutating func string(utf8: some Sequence<UInt8>) {
    separate()
    bytes.append(0x22)
    for byte in utf8 { append(escaping: byte) }
    bytes.append(0x22)
  }

  public mutating func number(_ value: Int) { number(Int64(value)) }

  public mutating func number(_ value: Int64) {
    separate()
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    bytes.appendDecimal(value.magnitude)
  }

  /// The shortest digits that read back as `value`, without `.0`. JSON has no infinities and no NaN: they become null.
  public mutating func number(_ value: Double) {
    guard value.isFinite else { return null() }
    if value.magnitude < 1e15, value == value.rounded(.towardZero), !(value == 0 && value.sign == .minus) {
      return number(Int64(value))
    }
    separate()
    var text = value.description
    if text.hasSuffix(".0") { text.removeLast(2) }
    bytes.append(contentsOf: text.utf8)
  }

  public mutating func decimal(_ value: Decimal2) {
    separate()
    value.append(to: &bytes)
  }

  public mutating func uuid(_ value: UUID) {
    separate()
    bytes.append(0x22)
    value.append(to: &bytes)
    bytes.append(0x22)
  }

  /// RFC 3339 in UTC with milliseconds.
  public mutating func instant(_ value: Instant) {
    separate()
    bytes.append(0x22)
    value.appendRFC3339(to: &bytes)
    bytes.append(0x22)
  }

  /// A value that is JSON already.
  public mutating func raw(_ json: some Collection<UInt8>) {
    separate()
    bytes.append(contentsOf: json)
  }

  public mutating func value(_ value: JSONValue) { raw(value.rawBytes) }

  // MARK: - Strings

  private mutating func quote(_ text: String) {
    bytes.append(0x22)
    var text = text
    text.withUTF8 { utf8 in
      let span = utf8.span
      var start = 0
      while true {
        // Outside ASCII nothing needs an escape.
        var stop = span.plainEnd(start)
        while stop < utf8.count, utf8[stop] >= 0x80 { stop = span.plainEnd(stop + 1) }
        bytes.append(contentsOf: UnsafeBufferPointer(rebasing: utf8[start..<stop]))
        guard stop < utf8.count else { break }
        append(escaping: utf8[stop])
        start = stop + 1
      }
    }
    bytes.append(0x22)
  }

  private mutating func append(escaping byte: UInt8) {
    let short: UInt8
    switch byte {
    case 0x22, 0x5C: short = byte
    case 0x08: short = UInt8(ascii: "b")
    case 0x09: short = UInt8(ascii: "t")
    case 0x0A: short = UInt8(ascii: "n")
    case 0x0C: short = UInt8(ascii: "f")
    case 0x0D: short = UInt8(ascii: "r")
    case 0..<0x20:
      bytes.append(contentsOf: "\\u00".utf8)
      bytes.append(Hex.digit(byte >> 4))
      bytes.append(Hex.digit(byte & 0xF))
      return
    default: return bytes.append(byte)
    }
    bytes.append(0x5C)
    bytes.append(short)
  }
}

// MARK: - Members

/// A key and its value in one call. Nil is written as null.
extension JSONWriter {
  public mutating func field(_ name: String, _ value: String?) {
    key(name)
    if let value { string(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: Int?) {
    key(name)
    if let value { number(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: Int64?) {
    key(name)
    if let value { number(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: Double?) {
    key(name)
    if let value { number(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: Decimal2?) {
    key(name)
    if let value { decimal(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: Bool?) {
    key(name)
    if let value { bool(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: UUID?) {
    key(name)
    if let value { uuid(value) } else { null() }
  }

  public mutating func field(_ name: String, _ value: Instant?) {
    key(name)
    if let value { instant(value) } else { null() }
  }

  public mutating func object(_ name: String, _ body: (inout JSONWriter) throws -> Void) rethrows {
    key(name)
    try object(body)
  }

  public mutating func array(_ name: String, _ body: (inout JSONWriter) throws -> Void) rethrows {
    key(name)
    try array(body)
  }
}
