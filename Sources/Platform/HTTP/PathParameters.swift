/// What the `:name` segments of a route matched, still percent-encoded in the bytes of the request.
public struct PathParameters: Sendable {
  /// A route has at most this many.
  public static let countMax = 6

  let names: [String]
  let bytes: [UInt8]
  /// Start and end of each value in `bytes`.
  let spans: InlineArray<6, (UInt32, UInt32)>

  public static let none = PathParameters(names: [], bytes: [], spans: .init(repeating: (0, 0)))

  /// `spans` holds at least as many entries as there are names. The escapes in them have been checked.
  public init(names: [String], bytes: [UInt8], spans: InlineArray<6, (UInt32, UInt32)>) {
    self.names = names
    self.bytes = bytes
    self.spans = spans
  }

  /// For tests of handlers: values as they stand in the path.
  public init(_ values: KeyValuePairs<String, String>) {
    precondition(values.count <= Self.countMax)
    var bytes: [UInt8] = []
    var spans = InlineArray<6, (UInt32, UInt32)>(repeating: (0, 0))
    for (index, (_, value)) in values.enumerated() {
      let start = UInt32(bytes.count)
      bytes += value.utf8
      spans[index] = (start, UInt32(bytes.count))
    }
    self.init(names: values.map(\.key), bytes: bytes, spans: spans)
  }

  /// Decoded. Nil when the route has no parameter of that name.
  public subscript(_ name: String) -> String? {
    guard let raw = raw(name) else { return nil }
    return PercentEncoding.decode(raw) ?? ""
  }

  func raw(_ name: String) -> ArraySlice<UInt8>? {
    guard let index = names.firstIndex(of: name) else { return nil }
    let (start, end) = spans[index]
    return bytes[Int(start)..<Int(end)]
  }
}
