import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

public struct AreaRoutes: Sendable {
  let store: AreaStore

  public init(database: Database) { store = AreaStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/sites/:siteId/areas"
    let one = all + "/:areaId"
    return Array(
      [
        gate.get(
          all, .viewer, "Areas of a site in their order; the deleted ones, newest first", asks: { $0.bool("deleted") },
          gives: .list(.area), list),
        gate.post(all, .admin, "Create an area", takes: .create(row), gives: .created(.area), create),
        gate.get(one, .viewer, "An area", gives: .one(.area), get),
        gate.put(one, .admin, "Change an area", takes: .change(row), gives: .one(.area), update),
        gate.delete(one, .admin, "Delete an area", delete),
        gate.post(one + "/restore", .admin, "Bring a deleted area back", gives: .one(.area), restore),
      ].joined())
  }

  /// A site that is not there has no areas.
  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ deleted: Bool) async throws -> Response {
    let site = try request.uuid("siteId")
    return .rows(try await (deleted ? store.listDeleted(site: site, scope) : store.list(site: site, scope)).json)
  }

  @Sendable func create(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    let siteId = try request.uuid("siteId")
    return try .row(await store.create(row, site: siteId, scope, request), .created, or: "Site")
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try AreaPlace(request), scope), or: "Area")
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    let place = try AreaPlace(request)
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
