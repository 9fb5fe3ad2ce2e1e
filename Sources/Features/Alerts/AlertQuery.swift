import Basics
import ColdChain
import Forms
import Places
import PostgreSQL

/// Which alerts are asked for. Bounds are on the time they were triggered and belong to the range.
struct AlertQuery {
  let statuses: [AlertStatus]?
  let severities: [AlertSeverity]?
  let types: [AlertType]?
  let unitId: UUID?
  let areaId: UUID?
  let siteId: UUID?
  let start: Instant?
  let end: Instant?
  let page: Page
  let cursor: TimeCursor?
  let shownIn: Value

  init(_ query: inout Query) {
    statuses = query.choices("status", of: AlertStatus.self)
    severities = query.choices("severity", of: AlertSeverity.self)
    types = query.choices("alertType", of: AlertType.self)
    unitId = query.uuid("unitId")
    areaId = query.uuid("areaId")
    siteId = query.uuid("siteId")
    start = query.instant("start")
    end = query.instant("end")
    page = Page(&query)
    cursor = TimeCursor(&query)
    if cursor != nil, page.offset > 0 { query.problem("offset", "does not go with cursor") }
    shownIn = TemperatureUnit.asked(&query)
  }

  /// `$2` to `$9` of the statements that list and count.
  var filters: [Value] {
    [
      statuses.map { .texts($0.map(\.rawValue)) } ?? .null, severities.map { .texts($0.map(\.rawValue)) } ?? .null,
      types.map { .texts($0.map(\.rawValue)) } ?? .null, .optional(unitId), .optional(areaId), .optional(siteId),
      .optional(start), .optional(end),
    ]
  }
}
