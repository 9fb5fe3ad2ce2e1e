import Basics

/// Takes whole answers off the front of what a connection received. Knows what this server sends: a length, or no body.
struct ResponseReader {
  struct Answer {
    let status: Int
    let body: ArraySlice<UInt8>
    /// The server closes after this one.
    let closes: Bool
  }

  enum Problem: Error { case malformed, tooLarge }

  private var bytes: [UInt8] = []
  private var start = 0

  private static let longest = 64 << 20

  private static let version = Array("HTTP/1.1 ".utf8)
  private static let contentLength = Array("content-length".utf8)
  private static let transferEncoding = Array("transfer-encoding".utf8)
  private static let connection = Array("connection".utf8)
  private static let close = Array("close".utf8)

  mutating func append(_ chunk: some Collection<UInt8>) { bytes.append(contentsOf: chunk) }

  /// Nil when the next answer is not whole yet.
  mutating func next() throws(Problem) -> Answer? {
    guard let head = headEnd() else {
      guard bytes.count - start < 64 * 1024 else { throw .tooLarge }
      return nil
    }
    guard head - start > 16, bytes[start..<(start + 9)].elementsEqual(Self.version),
      let status = ASCII.unsigned(bytes[(start + 9)..<(start + 12)])
    else { throw .malformed }
    var length = 0
    var closes = false
    var line = start
    while let end = bytes[line..<head].firstIndex(of: UInt8(ascii: "\n")) {
      defer { line = end + 1 }
      guard let mark = bytes[line..<end].firstIndex(of: UInt8(ascii: ":")) else { continue }
      let name = bytes[line..<mark]
      let value = bytes[(mark + 1)..<end].drop { $0 == 0x20 }.prefix { $0 > 0x20 }
      if ASCII.equalIgnoringCase(name, Self.contentLength) {
        guard let count = ASCII.unsigned(value) else { throw .malformed }
        length = count
      } else if ASCII.equalIgnoringCase(name, Self.transferEncoding) {
        throw .malformed
      } else if ASCII.equalIgnoringCase(name, Self.connection) {
        closes = ASCII.equalIgnoringCase(value, Self.close)
      }
    }
    guard length <= Self.longest else { throw .tooLarge }
    guard bytes.count - head >= length else { return nil }
    let answer = Answer(status: status, body: bytes[head..<(head + length)], closes: closes)
    start = head + length
    return answer
  }

  /// Gives back the room of answers that were taken.
  mutating func compact() {
    guard start > 0 else { return }
    bytes.removeSubrange(..<start)
    start = 0
  }

  /// Where the body starts.
  private func headEnd() -> Int? {
    var at = start
    while at + 3 < bytes.count {
      if bytes[at + 3] > 0x0D {
        at += 4
      } else if bytes[at] == 0x0D, bytes[at + 1] == 0x0A, bytes[at + 2] == 0x0D, bytes[at + 3] == 0x0A {
        return at + 4
      } else {
        at += 1
      }
    }
    return nil
  }
}
