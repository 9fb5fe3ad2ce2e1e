import Basics
import Glibc

/// A body of `multipart/form-data` (RFC 7578, framed by RFC 2046 section 5.1), read strictly: lines end in CRLF, and the
/// last boundary is there. The content of the parts is not copied.
public struct MultipartForm: Sendable {
  public struct Part: Sendable {
    /// As the form calls the field. Empty when the part does not say.
    public let name: String
    /// Nil for a plain field. It is the sender's word and no path.
    public let fileName: String?
    public let contentType: String?
    public let content: ArraySlice<UInt8>
  }

  public let parts: [Part]

  public static let mostParts = 32
  private static let largestHead = 8 << 10

  /// `boundary` is what ``boundary(of:)`` found in the header.
  public init(_ body: ArraySlice<UInt8>, boundary: [UInt8]) throws(HTTPError) {
    guard Self.isBoundary(boundary) else { throw Self.malformed("the boundary is not valid") }
    let mark = Array("\r\n--".utf8) + boundary
    // What stands before the first boundary is for people; it may be missing, with its line break.
    var rest: ArraySlice<UInt8>
    if body.starts(with: mark.dropFirst(2)) {
      rest = body.dropFirst(mark.count - 2)
    } else if let first = Self.find(mark, in: body) {
      rest = body[first.upperBound...]
    } else {
      throw Self.malformed("there is no boundary")
    }
    var parts: [Part] = []
    while true {
      if rest.starts(with: "--".utf8) { break }
      rest = rest.drop { $0 == 0x20 || $0 == 0x09 }
      guard rest.starts(with: "\r\n".utf8) else { throw Self.malformed("a boundary that is not followed by a line") }
      guard parts.count < Self.mostParts else { throw Self.malformed("more than \(Self.mostParts) parts") }
      guard let end = Self.find(mark, in: rest) else { throw Self.malformed("the last boundary is missing") }
      parts.append(try Self.part(rest[..<end.lowerBound]))
      rest = rest[end.upperBound...]
    }
    self.parts = parts
  }

  /// The first part that is a file.
  public var file: Part? { parts.first { $0.fileName != nil } }

  private static func malformed(_ reason: String) -> HTTPError {
    .badRequest("The form cannot be read: \(reason)", code: "MALFORMED_FORM")
  }

  // MARK: - Parts

  /// `bytes` starts with the line break that ends the boundary's line.
  private static func part(_ bytes: ArraySlice<UInt8>) throws(HTTPError) -> Part {
    let head: ArraySlice<UInt8>
    let content: ArraySlice<UInt8>
    // The head and the line break before it overlap when there are no headers at all.
    if let end = find(Array("\r\n\r\n".utf8), in: bytes.prefix(largestHead)) {
      head = bytes[bytes.startIndex..<end.lowerBound]
      content = bytes[end.upperBound...]
    } else {
      throw malformed("a part without an end of its headers within \(largestHead) bytes")
    }
    var disposition: [(name: String, value: String)] = []
    var contentType: String?
    for line in lines(of: head) {
      guard let colon = line.firstIndex(of: 0x3A) else { throw malformed("a header without a colon") }
      let value = line[(colon + 1)...].drop { $0 == 0x20 || $0 == 0x09 }
      if ASCII.equalIgnoringCase(line[..<colon], "content-disposition".utf8) {
        guard let (kind, parameters) = headerParameters(value), kind == "form-data" else {
          throw malformed("a part that is no form-data")
        }
        disposition = parameters
      } else if ASCII.equalIgnoringCase(line[..<colon], "content-type".utf8) {
        contentType = String(validating: value, as: UTF8.self)
      }
    }
    return Part(
      name: disposition.first { $0.name == "name" }?.value ?? "",
      fileName: disposition.first { $0.name == "filename" }?.value, contentType: contentType, content: content)
  }

  private static func lines(of head: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
    head.split(separator: 0x0A).map { $0.last == 0x0D ? $0.dropLast() : $0 }.filter { !$0.isEmpty }
  }

  // MARK: - The header

  /// The boundary of a `Content-Type`. Nil when it is another type, or has none.
  public static func boundary(of contentType: some Collection<UInt8>) -> [UInt8]? {
    guard contentType.count <= 1024, let (type, parameters) = headerParameters(Array(contentType)[...]),
      type == "multipart/form-data", let value = parameters.first(where: { $0.name == "boundary" })?.value
    else { return nil }
    let boundary = Array(value.utf8)
    return isBoundary(boundary) ? boundary : nil
  }

  /// `bchars` of RFC 2046 section 5.1.1, 1 to 70 of them, the last no space.
  private static func isBoundary(_ bytes: [UInt8]) -> Bool {
    (1...70).contains(bytes.count) && bytes.last != 0x20
      && bytes.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: "'()+_,-./:=? ".utf8.contains(byte)
        }
      }
  }

  /// `value; name=token; name="quoted"`, the value and the names in lower case. Nil when it cannot be read.
  private static func headerParameters(
    _ bytes: ArraySlice<UInt8>
  ) -> (value: String, parameters: [(name: String, value: String)])? {
    var reader = ParameterReader(bytes)
    guard let value = reader.value() else { return nil }
    var parameters: [(String, String)] = []
    while !reader.atEnd {
      guard parameters.count < 16, let parameter = reader.parameter() else { return nil }
      parameters.append(parameter)
    }
    return (value, parameters)
  }

  // MARK: - Searching

  /// Where `mark`, which starts with CR, is first.
  private static func find(_ mark: [UInt8], in bytes: ArraySlice<UInt8>) -> Range<Int>? {
    bytes.withUnsafeBufferPointer { buffer -> Range<Int>? in
      guard let base = buffer.baseAddress else { return nil }
      var at = 0
      while at + mark.count <= buffer.count {
        guard let found = memchr(base + at, CInt(mark[0]), buffer.count - mark.count - at + 1) else { return nil }
        at = UnsafeRawPointer(found) - UnsafeRawPointer(base)
        if memcmp(base + at, mark, mark.count) == 0 {
          return bytes.startIndex + at..<bytes.startIndex + at + mark.count
        }
        at += 1
      }
      return nil
    }
  }
}

/// Reads the parameters of `Content-Type` and `Content-Disposition`.
private struct ParameterReader {
  private let bytes: ArraySlice<UInt8>
  private var at: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    at = bytes.startIndex
  }

  var atEnd: Bool { at == bytes.endIndex }

  private var next: UInt8? { atEnd ? nil : bytes[at] }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x09 { at += 1 }
  }

  private mutating func skip(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    at += 1
    return true
  }

  private mutating func token(allowing more: UInt8? = nil) -> ArraySlice<UInt8>? {
    let start = at
    while let byte = next, isTokenByte(byte) || byte == more { at += 1 }
    return start == at ? nil : bytes[start..<at]
  }

  /// What stands before the first parameter: `multipart/form-data`.
  mutating func value() -> String? {
    skipSpace()
    guard let token = token(allowing: 0x2F) else { return nil }
    skipSpace()
    return String(decoding: token.map(lowercased), as: UTF8.self)
  }

  /// `; name=value`, with space where RFC 9110 section 5.6.6 has it.
  mutating func parameter() -> (name: String, value: String)? {
    guard skip(0x3B) else { return nil }
    skipSpace()
    guard let name = token(), skip(0x3D), let raw = next == 0x22 ? quoted() : token().map(Array.init),
      let value = String(validating: raw, as: UTF8.self)
    else { return nil }
    skipSpace()
    return (String(decoding: name.map(lowercased), as: UTF8.self), value)
  }

  /// Browsers write a quote inside as `%22`; a backslash escapes a quote or a backslash and nothing else, because file
  /// names of Windows hold them.
  private mutating func quoted() -> [UInt8]? {
    at += 1
    var value: [UInt8] = []
    while let byte = next {
      at += 1
      if byte == 0x22 { return value }
      if byte == 0x5C, let escaped = next, escaped == 0x22 || escaped == 0x5C {
        value.append(escaped)
        at += 1
      } else {
        value.append(byte)
      }
    }
    return nil
  }
}
