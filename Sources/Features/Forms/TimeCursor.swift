import Basics

/// The place between two rows of a list in the order of time: where a page ended. Rows that come in before it or behind
/// it do not shift it.
public struct TimeCursor: Sendable, Equatable, CustomStringConvertible {
  public let at: Instant
  public let id: UUID

  public init(at: Instant, id: UUID) {
    self.at = at
    self.id = id
  }

  /// `?cursor=`. Nil, with a problem, for one that no answer named.
  public init?(_ query: inout Query) {
    guard let text = query.text("cursor", 1...64) else { return nil }
    guard let cursor = TimeCursor(text) else {
      query.problem("cursor", "is not one that this server gave")
      return nil
    }
    self = cursor
  }

  public init?(_ text: String) {
    guard let bytes = Base64.decode(text, as: .url), bytes.count == 24, let id = UUID(bytes: bytes[8...]) else {
      return nil
    }
    at = Instant(microseconds: Int64(bitPattern: bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }))
    self.id = id
    guard (Instant.distantPast...Instant.distantFuture).contains(at) else { return nil }
  }

  public var description: String {
    let time = UInt64(bitPattern: at.microseconds)
    return Base64.encode((0..<8).map { UInt8(truncatingIfNeeded: time >> (56 - $0 * 8)) } + id.bytes, as: .url)
  }
}
