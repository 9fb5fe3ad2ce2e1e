import Forms
import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// Who am I, and the organizations I belong to.
public struct OrganizationRoutes: Sendable {
  let store: OrganizationStore

  public init(database: Database) { store = OrganizationStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let one = "/api/orgs/:organizationId"
    return Array(
      [
        gate.user(.get, "/api/auth/me", "Who am I", gives: .one(.me), me),
        gate.user(.get, "/api/orgs", "The organizations I belong to", gives: .list(.ownOrganization), list),
        gate.user(
          .post, "/api/orgs", "Create an organization and own it", takes: .create(NewOrganization.init),
          gives: .created(.organization), create),
        gate.get(one, .viewer, "An organization", gives: .one(.organization), get),
        gate.put(
          one, .admin, "Change an organization", takes: .change(changes), gives: .one(.organization), update),
      ].joined())
  }

  @Sendable func me(_ request: Request, _ principal: Principal) async throws -> Response {
    try .row(await store.me(principal), or: "User")
  }

  @Sendable func list(_ request: Request, _ principal: Principal) async throws -> Response {
    .rows(try await store.list(principal).json)
  }

  @Sendable func create(
    _ request: Request, _ principal: Principal, _ organization: NewOrganization
  ) async throws -> Response {
    do {
      return try await refusing(unknownTimeZone) {
        try .row(await store.create(organization.row, principal, request), .created, or: "Organization")
      }
    } catch let error as DatabaseError where error.violated == "organizations_slug" {
      let slug = organization.slug
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

  private func changes(_ draft: consuming Draft) throws -> Value {
    draft.text("name", length: 1...256)
    draft.text("timezone", length: 1...100)
    draft.choice("complianceMode", "compliance_mode", of: ComplianceMode.self)
    draft.optionalText("logoUrl", "logo_url", upTo: 2048)
    return try draft.row()
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    try await refusing(unknownTimeZone) {
      try .row(await store.update(row, scope, request), or: "Organization")
    }
  }
}
