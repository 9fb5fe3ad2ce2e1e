import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

public struct AreaRoutes: Sendable {
  let store: AreaStore

  public init(database: Database) { store = AreaStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    Array(
      [
        gate.get("/api/orgs/:organizationId/sites/:siteId/areas", .viewer, list),
        gate.post("/api/orgs/:organizationId/sites/:siteId/areas", .admin, create),
        gate.get("/api/orgs/:organizationId/sites/:siteId/areas/:areaId", .viewer, get),
        gate.put("/api/orgs/:organizationId/sites/:siteId/areas/:areaId", .admin, update),
        gate.delete("/api/orgs/:organizationId/sites/:siteId/areas/:areaId", .admin, delete),
        gate.post("/api/orgs/:organizationId/sites/:siteId/areas/:areaId/restore", .admin, restore),
      ].joined())
  }

  /// A site that is not there has no areas.
  @Sendable func list(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .rows(try await store.list(site: try request.uuid("siteId"), scope).json)
  }

  @Sendable func create(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let siteId = try request.uuid("siteId")
    let row = try self.row(try Draft(.create, body: request.body))
    return try .row(await store.create(row, site: siteId, scope, request), .created, or: "Site")
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try AreaPlace(request), scope), or: "Area")
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let place = try AreaPlace(request)
    let row = try self.row(try Draft(.change, body: request.body))
    return try .row(await store.update(place, row, scope, request), or: "Area")
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.delete(try AreaPlace(request), scope, request) else { throw HTTPError.notFound("Area") }
    return .noContent
  }

  @Sendable func restore(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.restore(try AreaPlace(request), scope, request), or: "Deleted area of a site that is there")
  }

  private func row(_ draft: consuming Draft) throws -> Value {
    draft.text("name", length: 1...256)
    draft.optionalText("description", upTo: 1000)
    draft.integer("sortOrder", "sort_order", in: 0...1_000_000, default: 0)
    return try draft.row()
  }
}
