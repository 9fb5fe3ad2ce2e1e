import Basics
import ColdChain
import Identity
import Places
import PostgreSQL

/// Which readings of a unit are asked for. Bounds are in event time and belong to the range.
struct ReadingQuery {
  enum Order: String, CaseIterable {
    case ascending = "asc"
    case descending = "desc"
  }

  let start: Instant?
  let end: Instant?
  let order: Order
  let page: Page
  /// Only the newest one.
  let latest: Bool
  let cursor: ReadingCursor?
  let shownIn: Value

  init(_ query: inout Query) {
    start = query.instant("start")
    end = query.instant("end")
    if let start, let end, start > end { query.problem("end", "must not be before start") }
    latest = query.bool("latest")
    order = query.choice("order", default: .ascending)
    page = Page(&query)
    shownIn = TemperatureUnit.asked(&query)
    let text = query.text("cursor", 1...64)
    cursor = text.flatMap(ReadingCursor.init)
    if cursor == nil, text != nil { query.problem("cursor", "is not one that this server gave") }
    if cursor != nil, page.offset > 0 { query.problem("offset", "does not go with cursor") }
  }

  /// The query string of the page after `cursor`.
  func link(after cursor: ReadingCursor) -> String {
    var parts = ["limit=\(page.limit)", "order=\(order.rawValue)", "cursor=\(cursor)"]
    if let start { parts.append("start=\(start.rfc3339)") }
    if let end { parts.append("end=\(end.rfc3339)") }
    if case .text(let unit) = shownIn { parts.append("temperatureUnit=\(unit)") }
    return parts.joined(separator: "&")
  }
}

/// The place between two readings: where a page ended. Readings that come in behind it do not shift it.
struct ReadingCursor: Equatable, CustomStringConvertible {
  let recordedAt: Instant
  let id: UUID

  init(recordedAt: Instant, id: UUID) {
    self.recordedAt = recordedAt
    self.id = id
  }

  init?(_ text: String) {
    guard let bytes = Base64.decode(text, as: .url), bytes.count == 24, let id = UUID(bytes: bytes[8...]) else {
      return nil
    }
    recordedAt = Instant(microseconds: Int64(bitPattern: bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }))
    self.id = id
    guard (Instant.distantPast...Instant.distantFuture).contains(recordedAt) else { return nil }
  }

  var description: String {
    let time = UInt64(bitPattern: recordedAt.microseconds)
    return Base64.encode((0..<8).map { UInt8(truncatingIfNeeded: time >> (56 - $0 * 8)) } + id.bytes, as: .url)
  }
}
