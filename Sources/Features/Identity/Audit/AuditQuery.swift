import Basics
import Forms
import HTTP

public enum AuditCategory: String, Sendable, CaseIterable {
  case alert
  case compliance
  case settings
  case userAction = "user_action"
  case system
}

/// Which entries of the audit log are wanted: the newest first, those before `cursor`.
struct AuditQuery: Sendable {
  let siteId: UUID?
  let areaId: UUID?
  let unitId: UUID?
  let actorId: UUID?
  let entityType: String?
  let entityId: UUID?
  let category: AuditCategory?
  let eventType: String?
  let start: Instant?
  let end: Instant?
  let limit: Int
  /// The number of the last entry that was seen.
  let cursor: Int?

  init(_ query: inout Query) {
    siteId = query.uuid("siteId")
    areaId = query.uuid("areaId")
    unitId = query.uuid("unitId")
    actorId = query.uuid("actorId")
    entityType = query.text("entityType", 1...64)
    entityId = query.uuid("entityId")
    category = query.choice("category", of: AuditCategory.self)
    eventType = query.text("eventType", 1...64)
    start = query.instant("start")
    end = query.instant("end")
    limit = query.int("limit", in: 1...1000, default: 50)
    cursor = query.int("cursor", in: 1...1 << 53)
  }
}
