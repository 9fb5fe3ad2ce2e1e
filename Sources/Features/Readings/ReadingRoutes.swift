import Basics
import HTTP
import HTTPServer
import Identity
import Places
import PostgreSQL

/// What a unit measured, in event time.
public struct ReadingRoutes: Sendable {
  let store: ReadingStore

  public init(database: Database) { store = ReadingStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    [
      "/api/orgs/:organizationId/sites/:siteId/areas/:areaId/units/:unitId/readings",
      "/api/orgs/:organizationId/units/:unitId/readings",
    ].flatMap {
      gate.get($0, .viewer, "What a unit measured", asks: ReadingQuery.init, gives: .list(.reading), list)
    }
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: ReadingQuery) async throws -> Response {
    let place = try UnitPlace(request)
    guard try await store.hasUnit(place, scope) else { throw HTTPError.notFound("Unit") }
    let rows = try await store.list(place.unitId, wanted, scope)
    var response = Response.rows(rows.json)
    if wanted.page.counts {
      response.headers.append((.totalCount, "\(try await store.count(place.unitId, wanted, scope))"))
    }
    if let last = rows.last, rows.count == wanted.page.limit, !wanted.latest {
      let cursor = ReadingCursor(recordedAt: try last.instant("recordedAt"), id: try last.uuid("id"))
      response.headers.append((.link, "<\(request.path)?\(wanted.link(after: cursor))>; rel=\"next\""))
    }
    return response
  }
}
