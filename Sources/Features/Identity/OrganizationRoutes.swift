import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// Who am I, and the organizations I belong to.
public struct OrganizationRoutes: Sendable {
  let store: OrganizationStore

  public init(database: Database) { store = OrganizationStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    Array(
      [
        gate.user(.get, "/api/auth/me", me),
        gate.user(.get, "/api/orgs", list),
        gate.user(.post, "/api/orgs", create),
        gate.get("/api/orgs/:organizationId", .viewer, get),
        gate.put("/api/orgs/:organizationId", .owner, update),
        gate.get("/api/orgs/:organizationId/members", .viewer, members),
        gate.get("/api/orgs/:organizationId/audit/verify", .admin, verifyAudit),
      ].joined())
  }

  @Sendable func me(_ request: Request, _ principal: Principal) async throws -> Response {
    try .row(await store.me(principal), or: "User")
  }

  @Sendable func list(_ request: Request, _ principal: Principal) async throws -> Response {
    .rows(try await store.list(principal).json)
  }

  @Sendable func create(_ request: Request, _ principal: Principal) async throws -> Response {
    var draft = try Draft(.create, body: request.body)
    let name = draft.fields.string("name", 1...256)
    draft.text("name", length: 1...256)
    draft.text("timezone", length: 1...100, default: "UTC")
    draft.choice("complianceMode", "compliance_mode", of: ComplianceMode.self, default: .standard)
    var slug = Slug(from: name)
    if draft.sets("slug") {
      let text = draft.fields.string("slug", 1...64)
      if let given = Slug(text) {
        slug = given
      } else {
        draft.fields.problem("slug", "must be lower-case letters, digits and inner hyphens")
      }
    }
    draft.set("slug", slug.text)
    let row = try draft.row()
    do {
      return try await refusing(unknownTimeZone) {
        try .row(await store.create(row, principal, request), .created, or: "Organization")
      }
    } catch let error as DatabaseError where error.violated == "organizations_slug" {
      var conflict = HTTPError.conflict("The slug \(slug.text) is taken")
      conflict.details = try await store.free(of: slug.suggestions).enumerated().map {
        HTTPError.Detail(path: "suggestions/\($0.offset)", message: $0.element)
      }
      throw conflict
    }
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(scope), or: "Organization")
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    var draft = try Draft(.change, body: request.body)
    draft.text("name", length: 1...256)
    draft.text("timezone", length: 1...100)
    draft.choice("complianceMode", "compliance_mode", of: ComplianceMode.self)
    draft.optionalText("logoUrl", "logo_url", upTo: 2048)
    let row = try draft.row()
    return try await refusing(unknownTimeZone) {
      try .row(await store.update(row, scope, request), or: "Organization")
    }
  }

  @Sendable func members(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .rows(try await store.members(scope).json)
  }

  /// Recomputes the chain of the audit log.
  @Sendable func verifyAudit(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let broken = try await Audit.firstBroken(in: scope, database: store.database)
    return .json(
      bytes: JSONWriter.bytes { json in
        json.object { json in
          json.field("valid", broken == nil)
          json.field("firstBroken", broken)
        }
      })
  }
}

public enum ComplianceMode: String, Sendable, CaseIterable {
  case standard
  case haccp
}
