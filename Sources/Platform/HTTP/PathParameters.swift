/// What the `:name` segments of a route matched, still percent-encoded in the bytes of the request.
public struct PathParameters: Sendable {
  /// A route has at most this many.
  public static let countMax = 6

  let names: [String]
  let bytes: [UInt8]
  /// Where the path starts in `bytes`.
  let start: Int
  let spans: PathSpans

  public static let none = PathParameters(names: [], bytes: [], start: 0, spans: PathSpans())

  /// `spans` are counted from `start` and hold as many entries as there are names. Their escapes have been checked.
  public init(names: [String], bytes: [UInt8], start: Int, spans: PathSpans) {
    self.names = names
    self.bytes = bytes
    self.start = start
    self.spans = spans
  }

  /// For tests of handlers: values as they stand in the path.
  public init(_ values: KeyValuePairs<String, String>) {
    precondition(values.count <= Self.countMax)
    var bytes: [UInt8] = []
    var spans = PathSpans()
    for (_, value) in values {
      let start = bytes.count
      bytes += value.utf8
      spans.append(start..<bytes.count)
    }
    self.init(names: values.map(\.key), bytes: bytes, start: 0, spans: spans)
  }

  /// Decoded. Nil when the route has no parameter of that name.
  public subscript(_ name: String) -> String? {
    guard let raw = raw(name) else { return nil }
    return PercentEncoding.decode(raw) ?? ""
  }

  func raw(_ name: String) -> ArraySlice<UInt8>? {
    guard let index = names.firstIndex(of: name) else { return nil }
    let span = spans[index]
    return bytes[start + span.lowerBound..<start + span.upperBound]
  }
}

/// Up to ``PathParameters/countMax`` stretches of a path, without a heap of their own.
public struct PathSpans: Sendable {
  private var ends = InlineArray<6, (UInt16, UInt16)>(repeating: (0, 0))
  public private(set) var count = 0

  public init() {}

  public subscript(_ index: Int) -> Range<Int> { Int(ends[index].0)..<Int(ends[index].1) }

  public mutating func append(_ span: Range<Int>) {
    ends[count] = (UInt16(span.lowerBound), UInt16(span.upperBound))
    count += 1
  }

  public mutating func removeLast() { count -= 1 }
}
