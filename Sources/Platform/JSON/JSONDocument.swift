/// One parsed document: a flat tape over the bytes it was given.
///
/// Strict RFC 8259: UTF-8 checked, surrogate escapes in pairs only, nothing before or after the one value, and equal keys refused. Reading
/// never recurses, so that depth costs no stack.
public struct JSONDocument: Sendable {
  private let tape: Tape

  public init(_ bytes: [UInt8], limits: JSONLimits = JSONLimits()) throws(JSONError) {
    try self.init(bytes[...], limits: limits)
  }

  /// Keeps the slice: the array it came from lives as long as the document.
  public init(_ bytes: ArraySlice<UInt8>, limits: JSONLimits = JSONLimits()) throws(JSONError) {
    guard bytes.count <= limits.bytes else {
      throw JSONError(offset: limits.bytes, reason: "longer than \(limits.bytes) bytes")
    }
    var builder = TapeBuilder(limits: limits, textLength: bytes.count)
    try builder.build(bytes.span)
    tape = Tape(bytes: bytes, words: builder.words)
  }

  public var root: JSONValue { JSONValue(tape: tape, index: 0) }
}

/// A value of a document: a reference into its tape, cheap to copy. It keeps the document alive.
public struct JSONValue: Sendable {
  public enum Kind: Sendable { case null, bool, number, string, array, object }

  let tape: Tape
  let index: Int

  var entry: Entry { Entry(tape.words[index]) }

  public var kind: Kind {
    switch entry.kind {
    case .null: .null
    case .false, .true: .bool
    case .number: .number
    case .string: .string
    case .array: .array
    case .object: .object
    }
  }

  public var isNull: Bool { entry.kind == .null }

  public var bool: Bool? {
    switch entry.kind {
    case .true: true
    case .false: false
    default: nil
    }
  }

  public var string: String? { entry.kind == .string ? tape.string(entry) : nil }

  /// The content of a string, escapes resolved, without making a `String`. Nil when the value is none.
  public func withStringBytes<R>(_ body: (Span<UInt8>) -> R) -> R? {
    let entry = entry
    guard entry.kind == .string else { return nil }
    if entry.isFlagged {
      let content = tape.unescaped(entry)
      return body(content.span)
    }
    let bytes = tape.bytes
    return body(bytes.span.extracting(entry.start..<entry.start + entry.extent))
  }

  /// The source text of the value, as it came.
  public var rawBytes: ArraySlice<UInt8> {
    let entry = entry
    let base = tape.bytes.startIndex
    switch entry.kind {
    case .string: return tape.bytes[base + entry.start - 1..<base + entry.start + entry.extent + 1]
    case .array, .object: return tape.bytes[base + entry.start..<base + closing.end]
    default: return tape.text(entry)
    }
  }

  // MARK: - Arrays and objects

  private var closing: Closing { Closing(tape.words[index + 1]) }

  /// Elements of an array, members of an object, 0 for anything else.
  public var count: Int { entry.isContainer ? closing.count : 0 }

  /// Nil when the value is no object or has no such member. Looks at one member after another.
  public subscript(_ key: StaticString) -> JSONValue? {
    guard entry.kind == .object else { return nil }
    return key.withUTF8Buffer { member($0) }
  }

  public subscript(key key: String) -> JSONValue? {
    guard entry.kind == .object else { return nil }
    var key = key
    return key.withUTF8 { member($0) }
  }

  private func member(_ name: UnsafeBufferPointer<UInt8>) -> JSONValue? {
    let end = entry.extent
    var at = index + 2
    while at < end {
      if tape.equals(Entry(tape.words[at]), name) { return JSONValue(tape: tape, index: at + 1) }
      at = tape.after(at + 1)
    }
    return nil
  }

  /// Nil when the value is no array or is shorter. Walks from the first element: to see all, use ``elements``.
  public subscript(_ position: Int) -> JSONValue? {
    guard entry.kind == .array, position >= 0, position < count else { return nil }
    var at = index + 2
    for _ in 0..<position { at = tape.after(at) }
    return JSONValue(tape: tape, index: at)
  }

  /// Of an array; empty for anything else.
  public var elements: Elements { Elements(value: self) }

  /// Of an object, in the order of the text; empty for anything else.
  public var members: Members { Members(value: self) }

  public struct Elements: Sequence, IteratorProtocol, Sendable {
    private let tape: Tape
    private var at: Int
    private let end: Int

    init(value: JSONValue) {
      let entry = value.entry
      tape = value.tape
      at = value.index + 2
      end = entry.kind == .array ? entry.extent : 0
    }

    public mutating func next() -> JSONValue? {
      guard at < end else { return nil }
      defer { at = tape.after(at) }
      return JSONValue(tape: tape, index: at)
    }
  }

  public struct Members: Sequence, IteratorProtocol, Sendable {
    private let tape: Tape
    private var at: Int
    private let end: Int

    init(value: JSONValue) {
      let entry = value.entry
      tape = value.tape
      at = value.index + 2
      end = entry.kind == .object ? entry.extent : 0
    }

    public mutating func next() -> (key: String, value: JSONValue)? {
      guard at < end else { return nil }
      defer { at = tape.after(at + 1) }
      return (tape.string(Entry(tape.words[at])), JSONValue(tape: tape, index: at + 1))
    }
  }
}
