import Basics

/// Takes the chunked coding (RFC 9112 section 7.1) off a body, wherever its bytes are cut. Copies nothing: it tells where the data is.
public struct ChunkedDecoder: Sendable {
  private enum Phase: UInt8 {
    case sizeStart, size, extensions, sizeLineFeed, data, dataReturn, dataLineFeed
    case trailerStart, trailerName, trailerValue, trailerLineFeed, endLineFeed
    case finished
  }

  /// Bytes that are no data: so many, and so many more for each byte of data.
  private static let overheadBase = 8 << 10
  private static let overheadPerByte = 6

  private var phase = Phase.sizeStart
  private var digits = 0
  private var remaining = 0
  private var overhead = 0
  private var total = 0

  public init() {}

  public var isFinished: Bool { phase == .finished }

  /// The next stretch of data in `input` between `position`, which moves behind it, and `inputEnd`. Empty when there is no more
  /// or the body is complete.
  public mutating func decode(
    _ input: Span<UInt8>, from position: inout Int, to inputEnd: Int
  ) throws(ParseError) -> Range<Int> {
    while position < inputEnd, phase != .finished {
      if phase == .data {
        let end = min(inputEnd, position + remaining)
        let found = position..<end
        remaining -= found.count
        total += found.count
        position = end
        if remaining == 0 { phase = .dataReturn }
        return found
      }
      try readFraming(input[position])
      position += 1
      overhead += 1
      guard overhead <= Self.overheadBase + Self.overheadPerByte * total else { throw .malformed("chunk overhead") }
    }
    return position..<position
  }

  private mutating func readFraming(_ byte: UInt8) throws(ParseError) {
    switch phase {
    case .sizeStart, .size: try readSize(byte)
    case .extensions:
      if byte == 0x0D { phase = .sizeLineFeed } else if !isFieldValueByte(byte) { throw .malformed("chunk extension") }
    case .sizeLineFeed: try lineFeed(byte, then: remaining == 0 ? .trailerStart : .data)
    case .dataReturn:
      guard byte == 0x0D else { throw .malformed("chunk longer than its size") }
      phase = .dataLineFeed
    case .dataLineFeed: try lineFeed(byte, then: .sizeStart)
    case .trailerStart:
      if byte == 0x0D {
        phase = .endLineFeed
      } else if isTokenByte(byte) {
        phase = .trailerName
      } else {
        throw .malformed("trailer")
      }
    case .trailerName:
      if byte == 0x3A { phase = .trailerValue } else if !isTokenByte(byte) { throw .malformed("trailer") }
    case .trailerValue:
      if byte == 0x0D { phase = .trailerLineFeed } else if !isFieldValueByte(byte) { throw .malformed("trailer") }
    case .trailerLineFeed: try lineFeed(byte, then: .trailerStart)
    case .endLineFeed: try lineFeed(byte, then: .finished)
    case .data, .finished: break
    }
  }

  /// 1 to 16 hexadecimal digits, then the end of the line or an extension.
  private mutating func readSize(_ byte: UInt8) throws(ParseError) {
    if let digit = Hex.value(of: byte) {
      if phase == .sizeStart {
        phase = .size
        digits = 0
        remaining = 0
      }
      digits += 1
      guard digits <= 16, remaining < 1 << 56 else { throw .malformed("chunk size") }
      remaining = remaining << 4 | Int(digit)
    } else if phase == .size, byte == 0x0D {
      phase = .sizeLineFeed
    } else if phase == .size, byte == 0x3B {
      phase = .extensions
    } else {
      throw .malformed("chunk size")
    }
  }

  private mutating func lineFeed(_ byte: UInt8, then next: Phase) throws(ParseError) {
    guard byte == 0x0A else { throw .malformed("chunk line end") }
    phase = next
  }
}
