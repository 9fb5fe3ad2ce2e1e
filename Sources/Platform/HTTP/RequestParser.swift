/// Reads the head of an HTTP/1 request.
public struct RequestParser: Sendable {
  public private(set) var head = RequestHead()

  public init() {}

  public mutating func parse(_ bytes: Span<UInt8>) throws -> Bool { false }
}
