/// A PostgreSQL server of one's own, for development and tests: on a Unix socket only, gone with the process that started it.
public final class PrivateCluster: Sendable {
  public struct Failure: Error, Sendable, CustomStringConvertible {
    public let description: String
  }

  public let directory: String

  /// - Parameters:
  ///   - directory: holds the data; made when it does not exist.
  ///   - durable: false turns fsync off: faster, and lost in a power cut.
  public init(directory: String, durable: Bool = true) {
    self.directory = directory
  }

  /// Blocks until the server answers. Not on an event loop's thread.
  public func start() throws(Failure) {}
  /// Blocks until the server has ended.
  public func stop() {}
  public func url(database: String = "postgres") -> String { "" }
}
