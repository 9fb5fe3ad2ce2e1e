import Alerts
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// Who is told of which alert, by what and when: for the organization, a site, a unit.
public struct PolicyRoutes: Sendable {
  let store: PolicyStore

  public init(database: Database) { store = PolicyStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/notification-policies"
    let one = all + "/:policyId"
    let policy = Schema.notificationPolicy
    return Array(
      [
        gate.get(
          all, .viewer, "Notification policies, the widest first", asks: PolicyFilter.init, gives: .list(policy), list),
        gate.post(
          all, .admin, "Make a notification policy", takes: .create(PolicyDraft.init(creating:)),
          gives: .created(policy),
          create),
        gate.get(one, .viewer, "A notification policy", gives: .one(policy), get),
        gate.put(
          one, .admin, "Change a notification policy", takes: .change(PolicyDraft.changing), gives: .one(policy), update
        ),
        gate.delete(one, .admin, "Delete a notification policy: the next wider one holds", delete),
        gate.get(
          "/api/orgs/:organizationId/units/:unitId/effective-notification-policies", .viewer,
          "The policy that holds for each type of alert on a unit, and where it comes from",
          asks: { $0.choice("alertType", of: AlertType.self) }, gives: .list(.effectivePolicy), effective),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: PolicyFilter) async throws -> Response {
    .rows(try await store.list(wanted, scope).json)
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try request.uuid("policyId"), scope), or: "Notification policy")
  }

  @Sendable func create(_ request: Request, _ scope: OrganizationScope, _ draft: PolicyDraft) async throws -> Response {
    let found = try await store.isPlace(site: draft.siteId, unit: draft.unitId, scope)
    if !found.site { throw InvalidFields("siteId", "is not a site of this organization") }
    if !found.unit { throw InvalidFields("unitId", "is not a unit of this organization") }
    do {
      return try await refusing(Self.refusals) {
        try .row(await store.create(draft.row, scope, request), .created, or: "Notification policy")
      }
    } catch let error as DatabaseError where error.violated == "notification_policies_scope" {
      throw HTTPError.conflict("There is a policy for this type of alert at this place already")
    }
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    let id = try request.uuid("policyId")
    return try await refusing(Self.refusals) {
      try .row(await store.update(id, row, scope, request), or: "Notification policy")
    }
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.delete(try request.uuid("policyId"), scope, request) else {
      throw HTTPError.notFound("Notification policy")
    }
    return .noContent
  }

  @Sendable func effective(
    _ request: Request, _ scope: OrganizationScope, _ type: AlertType?
  ) async throws -> Response {
    let rows = try await store.effective(unit: try request.uuid("unitId"), type: type, scope)
    guard !rows.isEmpty else { throw HTTPError.notFound("Unit") }
    return .rows(rows.json)
  }

  /// What a row as a whole has to keep.
  private static let refusals = [
    "notification_policies_quiet_hours": InvalidFields(
      "quietHoursStartLocal", "and quietHoursEndLocal are required with quiet hours"),
    "notification_policies_reminders": InvalidFields("reminderIntervalMinutes", "is required with reminders"),
  ]
}
