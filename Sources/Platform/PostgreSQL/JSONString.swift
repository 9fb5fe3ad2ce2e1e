extension TextBuffer {
  /// A JSON string: quotes, and the escapes that RFC 8259 section 7 demands. The bytes are UTF-8, as the server has
  /// checked.
  mutating func appendJSONString(_ bytes: UnsafeBufferPointer<UInt8>) {
    appendByte(0x22)
    var start = 0
    for place in 0..<bytes.count {
      let byte = bytes[place]
      if byte >= 0x20, byte != 0x22, byte != 0x5C { continue }
      append(UnsafeBufferPointer(rebasing: bytes[start..<place]))
      appendEscaped(byte)
      start = place + 1
    }
    append(UnsafeBufferPointer(rebasing: bytes[start...]))
    appendByte(0x22)
  }

  private mutating func appendEscaped(_ byte: UInt8) {
    appendByte(0x5C)
    switch byte {
    case 0x22, 0x5C: appendByte(byte)
    case 0x08: appendByte(0x62)
    case 0x09: appendByte(0x74)
    case 0x0A: appendByte(0x6E)
    case 0x0C: appendByte(0x66)
    case 0x0D: appendByte(0x72)
    default:
      append("u00")
      appendByte(byte >> 4 + 0x30)
      appendByte(byte & 0xF < 10 ? byte & 0xF + 0x30 : byte & 0xF + 0x57)
    }
  }
}
