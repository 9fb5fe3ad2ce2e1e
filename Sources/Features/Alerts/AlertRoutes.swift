import Basics
import ColdChain
import Forms
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
    let all = "/api/orgs/:organizationId/alerts"
    let one = all + "/:alertId"
    let shown = TemperatureUnit.asked
    return Array(
      [
        gate.get(all, .viewer, "Alerts, newest first", asks: AlertQuery.init, gives: .list(.alert), list),
        gate.get(one, .viewer, "An alert", asks: shown, gives: .one(.alert), get),
        gate.get(one + "/notes", .viewer, "What people noted on an alert", gives: .list(.alertNote), notes),
        gate.post(
          one + "/acknowledge", .staff, "Take an active alert", asks: shown,
          takes: .fields(mayBeEmpty: true) { $0.optionalString("notes", 0...1000) }, gives: .one(.alert), acknowledge),
        gate.post(
          one + "/resolve", .staff, "End an alert and tell what was done", asks: shown, takes: .fields(Resolution.init),
          gives: .one(.alert), resolve),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: AlertQuery) async throws -> Response {
    let rows = try await store.list(wanted, scope)
    var response = Response.rows(rows.json)
    if let last = rows.last, rows.count == wanted.page.limit {
      let cursor = TimeCursor(at: try last.instant("triggeredAt"), id: try last.uuid("id"))
      response.headers.append((.link, request.next(after: cursor)))
    }
    guard wanted.page.counts else { return response }
    return response.with(.totalCount, "\(try await store.count(wanted, scope))")
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope, _ unit: Value) async throws -> Response {
    try .row(await store.get(try request.uuid("alertId"), shownIn: unit, scope), or: "Alert")
  }

  @Sendable func notes(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("alertId")
    guard try await !store.get(id, shownIn: .null, scope).isEmpty else { throw HTTPError.notFound("Alert") }
    return .rows(try await store.notes(of: id, scope).json)
  }

  @Sendable func acknowledge(
    _ request: Request, _ scope: OrganizationScope, _ unit: Value, _ notes: String?
  ) async throws -> Response {
    let id = try request.uuid("alertId")
    try await work.acknowledge(id, notes: notes, scope, request)
    return try .row(await store.get(id, shownIn: unit, scope), or: "Alert")
  }

  @Sendable func resolve(
    _ request: Request, _ scope: OrganizationScope, _ unit: Value, _ resolution: Resolution
  ) async throws -> Response {
    let id = try request.uuid("alertId")
    try await work.resolve(id, resolution, scope, request)
    return try .row(await store.get(id, shownIn: unit, scope), or: "Alert")
  }
}
