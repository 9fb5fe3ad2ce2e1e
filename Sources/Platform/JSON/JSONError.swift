/// Why a text is not JSON, and where: `offset` counts bytes from its start.
public struct JSONError: Error, Hashable, CustomStringConvertible {
  public let offset: Int
  public let reason: String

  public init(offset: Int, reason: String) {
    self.offset = offset
    self.reason = reason
  }

  public var description: String { "\(reason) at byte \(offset)" }
}

/// What a document may ask of the memory that holds it.
public struct JSONLimits: Sendable {
  /// Largest text, at most ``largestText``.
  public var bytes: Int
  /// Arrays and objects inside one another.
  public var depth: Int
  /// RFC 8259 section 4 leaves equal names in one object to the reader. Two readers that choose differently see two different
  /// documents, so they are refused unless this is set; then ``JSONValue`` finds the first.
  public var allowsDuplicateKeys: Bool

  public init(bytes: Int = 16 << 20, depth: Int = 64, allowsDuplicateKeys: Bool = false) {
    self.bytes = min(bytes, JSONLimits.largestText)
    self.depth = depth
    self.allowsDuplicateKeys = allowsDuplicateKeys
  }

  /// The tape counts bytes and entries in 30 bits.
  public static let largestText = 1 << 29
}
