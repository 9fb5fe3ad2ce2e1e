/// Takes the pieces of a streamed answer. It lives on the loop of its connection.
public final class BodyWriter {
  private let sink: any BodySink

  public init(_ sink: any BodySink) { self.sink = sink }

  /// Returns at once while little is unsent and waits while the client is slow.
  /// Throws when the client is gone, stays too slow, or the server is out of time.
  public func write(_ bytes: [UInt8]) async throws { try await sink.write(bytes) }

  public func write(_ text: String) async throws { try await sink.write(Array(text.utf8)) }
}

/// Where a ``BodyWriter`` writes: a connection, or a test.
public protocol BodySink: AnyObject {
  func write(_ bytes: [UInt8]) async throws
}

/// Gives the pieces of a request body as they come. It lives on the loop of its connection: it may be handed to the task that
/// writes the answer, which runs there too, and its source checks that it is read on no other.
public final class BodyReader: @unchecked Sendable {
  private let source: any BodySource

  public init(_ source: any BodySource) { self.source = source }

  /// The next piece, never empty; nil after the last one. Nothing more is read from the client until it is asked for.
  /// Throws when the body is malformed, over the limit of its route, or cut off.
  public func next() async throws -> [UInt8]? { try await source.next() }
}

/// What a ``BodyReader`` reads from: a connection, or a test.
public protocol BodySource: AnyObject {
  func next() async throws -> [UInt8]?
}
