import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// What was sent to whom, what became of it, and why somebody was not told.
public struct DeliveryRoutes: Sendable {
  let store: DeliveryStore

  public init(database: Database) { store = DeliveryStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    gate.get(
      "/api/orgs/:organizationId/notifications", .viewer, "Messages that were owed, newest first",
      asks: DeliveryFilter.init, gives: .list(.delivery), list)
  }

  @Sendable func list(
    _ request: Request, _ scope: OrganizationScope, _ wanted: DeliveryFilter
  ) async throws -> Response {
    let response = Response.rows(try await store.list(wanted, scope).json)
    guard wanted.page.counts else { return response }
    return response.with(.totalCount, "\(try await store.count(wanted, scope))")
  }
}
