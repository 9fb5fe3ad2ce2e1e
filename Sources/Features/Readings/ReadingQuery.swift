import Basics
import ColdChain
import Forms
import Places
import PostgreSQL

/// Which readings of a unit are asked for. Bounds are in event time and belong to the range.
struct ReadingQuery {
  enum Order: String, CaseIterable {
    case ascending = "asc"
    case descending = "desc"
  }

  private(set) var start: Instant?
  let end: Instant?
  let order: Order
  let page: Page
  let resolution: ReadingResolution
  /// Also of a span for which single readings would do.
  private(set) var bucketsOnly = false
  /// Only the newest one.
  let latest: Bool
  let cursor: TimeCursor?
  /// Nil: as the unit is shown.
  let shownIn: TemperatureUnit?

  init(_ query: inout Query) { self.init(&query, .raw) }

  /// Buckets, by default as long as the span suggests.
  static func ofBuckets(_ query: inout Query) -> ReadingQuery {
    var wanted = ReadingQuery(&query, .auto)
    if wanted.resolution == .raw { query.problem("resolution", "must be 15m, 1h, 1d or auto") }
    wanted.bucketsOnly = true
    return wanted
  }

  private init(_ query: inout Query, _ fallback: ReadingResolution) {
    start = query.instant("start")
    end = query.instant("end")
    if let start, let end, start > end { query.problem("end", "must not be before start") }
    resolution = query.choice("resolution", default: fallback)
    latest = query.bool("latest")
    order = query.choice("order", default: .ascending)
    page = Page(&query)
    shownIn = query.choice("temperatureUnit", of: TemperatureUnit.self)
    cursor = TimeCursor(&query)
    if cursor != nil, page.offset > 0 { query.problem("offset", "does not go with cursor") }
    if resolution != .raw, latest || cursor != nil {
      query.problem(latest ? "latest" : "cursor", "goes only with resolution raw")
    }
  }

  /// The same from `start` on.
  func from(_ start: Instant) -> ReadingQuery {
    var copy = self
    copy.start = start
    return copy
  }
}
