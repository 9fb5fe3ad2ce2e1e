import Basics
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// Maintenance, defrost and cleaning: times in which nobody is told of alerts.
public struct SuppressionRoutes: Sendable {
  let store: SuppressionStore

  public init(database: Database) { store = SuppressionStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/suppressions"
    let one = all + "/:suppressionId"
    return Array(
      [
        gate.get(
          all, .viewer, "Windows without notifications, newest first", asks: SuppressionFilter.init,
          gives: .list(.suppression), list),
        gate.post(
          all, .manager, "Hold notifications back for a time, once or every week",
          takes: .create(SuppressionDraft.init),
          gives: .created(.suppression), create),
        gate.get(one, .viewer, "A window without notifications", gives: .one(.suppression), get),
        gate.put(
          one, .manager, "Change a window without notifications", takes: .change(SuppressionDraft.row),
          gives: .one(.suppression), update),
        gate.delete(one, .manager, "Delete a window without notifications", delete),
        gate.get(
          "/api/orgs/:organizationId/units/:unitId/suppression-windows", .viewer,
          "When nobody is told of a unit's alerts", asks: WindowSpan.init, gives: .list(.suppressionWindow), windows),
      ].joined())
  }

  @Sendable func list(
    _ request: Request, _ scope: OrganizationScope, _ wanted: SuppressionFilter
  ) async throws -> Response {
    .rows(try await store.list(wanted, scope).json)
  }

  @Sendable func create(
    _ request: Request, _ scope: OrganizationScope, _ draft: SuppressionDraft
  ) async throws -> Response {
    try await refusing(SuppressionDraft.refusals) {
      try .row(await store.create(draft, scope, request), .created, or: "Suppression")
    }
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try request.uuid("suppressionId"), scope), or: "Suppression")
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    let id = try request.uuid("suppressionId")
    return try await refusing(SuppressionDraft.refusals) {
      try .row(await store.update(id, row, scope, request), or: "Suppression")
    }
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.delete(try request.uuid("suppressionId"), scope, request) else {
      throw HTTPError.notFound("Suppression")
    }
    return .noContent
  }

  @Sendable func windows(_ request: Request, _ scope: OrganizationScope, _ wanted: WindowSpan) async throws -> Response
  {
    let start = wanted.start ?? wanted.end.map { $0 - .days(7) } ?? request.received
    let end = wanted.end ?? start + .days(7)
    guard start < end else { throw HTTPError.validation(InvalidFields("end", "must be after start")) }
    guard let rows = try await store.windows(of: try request.uuid("unitId"), start..<end, scope) else {
      throw HTTPError.notFound("Unit")
    }
    return .rows(rows.json)
  }
}
