import Forms
import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// Who did what, for those who answer for the organization.
public struct AuditRoutes: Sendable {
  let store: AuditStore

  public init(database: Database) { store = AuditStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/audit"
    return Array(
      [
        gate.get(
          all, .admin, "What was done, the newest first; Link leads on", asks: AuditQuery.init,
          gives: .list(.auditEntry), list),
        gate.get(all + "/verify", .admin, "Recompute the chain of the audit log", gives: .one(.auditVerdict), verify),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: AuditQuery) async throws -> Response {
    let rows = try await store.list(wanted, scope)
    let response = Response.rows(rows.json)
    guard rows.count == wanted.limit, let last = rows.last else { return response }
    return response.with(.link, request.next(after: try last.int("seq")))
  }

  @Sendable func verify(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.verify(scope), or: "Audit log")
  }
}

extension Schema {
  private enum Severity: String, CaseIterable { case info, success, warning, critical }
  private enum ActorType: String, CaseIterable {
    case user, system
    case apiKey = "api_key"
  }

  static let auditEntry = Schema.object(
    "AuditEntry",
    [
      .uuid("id"), .integer("seq"), .text("eventType"), .choice("category", AuditCategory.self),
      .choice("severity", Severity.self), .text("title"), .instant("recordedAt"), .uuid("organizationId"),
      .uuid("siteId").orNull, .uuid("areaId").orNull, .uuid("unitId").orNull, .text("entityType"),
      .uuid("entityId").orNull, .text("actorId").orNull, .choice("actorType", ActorType.self),
      .object("eventData", [.any("before"), .any("after")]), .text("ipAddress").orNull, .text("userAgent").orNull,
      .text("requestId").orNull, .text("siteName").orNull, .text("areaName").orNull, .text("unitName").orNull,
      .text("actorName").orNull, .text("actorEmail").orNull,
    ])

  /// `firstBroken`: the number of the first entry at which the chain breaks.
  static let auditVerdict = Schema.object(
    "AuditVerdict", [.bool("valid"), .integer("firstBroken").orNull, .integer("entries"), .text("lastHash").orNull])
}
