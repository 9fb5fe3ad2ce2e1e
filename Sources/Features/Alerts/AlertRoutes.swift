import Basics
import ColdChain
import HTTP
import HTTPServer
import Identity
import JSON
import Places
import PostgreSQL

/// The work that conditions give to people: found, taken, finished.
public struct AlertRoutes: Sendable {
  let store: AlertReads
  let work: AlertWork

  public init(database: Database) {
    store = AlertReads(database: database)
    work = AlertWork(database: database)
  }

  public func routes(_ gate: Gate) -> [Route] {
    Array(
      [
        gate.get("/api/orgs/:organizationId/alerts", .viewer, list),
        gate.get("/api/orgs/:organizationId/alerts/:alertId", .viewer, get),
        gate.get("/api/orgs/:organizationId/alerts/:alertId/notes", .viewer, notes),
        gate.post("/api/orgs/:organizationId/alerts/:alertId/acknowledge", .staff, acknowledge),
        gate.post("/api/orgs/:organizationId/alerts/:alertId/resolve", .staff, resolve),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let wanted = try AlertQuery(request)
    let response = Response.rows(try await store.list(wanted, scope).json)
    guard wanted.page.counts else { return response }
    return response.with(.totalCount, "\(try await store.count(wanted, scope))")
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let unit = try temperatureUnit(request)
    return try .row(await store.get(try request.uuid("alertId"), shownIn: unit, scope), or: "Alert")
  }

  @Sendable func notes(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("alertId")
    guard try await !store.get(id, shownIn: .null, scope).isEmpty else { throw HTTPError.notFound("Alert") }
    return .rows(try await store.notes(of: id, scope).json)
  }

  @Sendable func acknowledge(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("alertId")
    let unit = try temperatureUnit(request)
    var fields = try Fields(body: request.body.isEmpty ? Array("{}".utf8)[...] : request.body)
    let notes = fields.optionalString("notes", 0...1000)
    try fields.check()
    try await work.acknowledge(id, notes: notes, scope, request)
    return try .row(await store.get(id, shownIn: unit, scope), or: "Alert")
  }

  @Sendable func resolve(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("alertId")
    let unit = try temperatureUnit(request)
    var fields = try Fields(body: request.body)
    let resolution = Resolution(
      text: fields.string("resolution", 1...2000),
      correctiveAction: fields.optionalString("correctiveAction", 1...2000),
      productDisposition: fields.optionalChoice("productDisposition", of: ProductDisposition.self),
      rootCause: fields.optionalString("rootCause", 1...2000),
      preventiveMeasures: fields.optionalString("preventiveMeasures", 1...2000))
    try fields.check()
    try await work.resolve(id, resolution, scope, request)
    return try .row(await store.get(id, shownIn: unit, scope), or: "Alert")
  }

  private func temperatureUnit(_ request: Request) throws(HTTPError) -> Value {
    var query = Query(request)
    let unit = TemperatureUnit.asked(&query)
    try query.check()
    return unit
  }
}
