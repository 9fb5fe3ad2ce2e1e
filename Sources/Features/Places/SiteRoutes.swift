import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

public struct SiteRoutes: Sendable {
  let store: SiteStore

  public init(database: Database) { store = SiteStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/sites"
    let one = all + "/:siteId"
    return Array(
      [
        gate.get(
          all, .viewer, "Sites by name; the deleted ones, newest first", asks: { $0.bool("deleted") },
          gives: .list(.site), list),
        gate.post(all, .admin, "Create a site", takes: .create(row), gives: .created(.site), create),
        gate.get(one, .viewer, "A site", gives: .one(.site), get),
        gate.put(one, .admin, "Change a site", takes: .change(row), gives: .one(.site), update),
        gate.delete(one, .admin, "Delete a site", delete),
        gate.post(one + "/restore", .admin, "Bring a deleted site back", gives: .one(.site), restore),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ deleted: Bool) async throws -> Response {
    .rows(try await (deleted ? store.listDeleted(scope) : store.list(scope)).json)
  }

  @Sendable func create(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    try await refusing(unknownTimeZone) {
      try .row(await store.create(row, scope, request), .created, or: "Site")
    }
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try request.uuid("siteId"), scope), or: "Site")
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    let id = try request.uuid("siteId")
    return try await refusing(unknownTimeZone) {
      try .row(await store.update(id, row, scope, request), or: "Site")
    }
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.delete(try request.uuid("siteId"), scope, request) else { throw HTTPError.notFound("Site") }
    return .noContent
  }

  @Sendable func restore(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.restore(try request.uuid("siteId"), scope, request), or: "Deleted site")
  }

  private func row(_ draft: consuming Draft) throws -> Value {
    draft.text("name", length: 1...256)
    draft.optionalText("address", upTo: 500)
    draft.optionalText("city", upTo: 128)
    draft.optionalText("state", upTo: 64)
    draft.optionalText("postalCode", "postal_code", upTo: 20)
    draft.optionalText("country", upTo: 64)
    draft.text("timezone", length: 1...100, default: "UTC")
    draft.optionalChoice("complianceMode", "compliance_mode", of: ComplianceMode.self)
    draft.optionalInteger("manualLogCadenceSeconds", "manual_log_cadence_seconds", in: 60...31_536_000)
    draft.optionalBool("correctiveActionRequired", "corrective_action_required")
    draft.optionalDouble("latitude", "latitude", in: -90...90)
    draft.optionalDouble("longitude", "longitude", in: -180...180)
    return try draft.row()
  }
}
