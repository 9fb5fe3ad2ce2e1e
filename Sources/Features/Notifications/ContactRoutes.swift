import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// The people who are called when nobody takes an alert.
public struct ContactRoutes: Sendable {
  let store: ContactStore

  public init(database: Database) { store = ContactStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/escalation-contacts"
    let one = all + "/:contactId"
    let contact = Schema.escalationContact
    return Array(
      [
        gate.get(all, .viewer, "Escalation contacts in the order they are called", gives: .list(contact), list),
        gate.post(
          all, .manager, "Add an escalation contact", takes: .create(EscalationContact.row), gives: .created(contact),
          create),
        gate.get(one, .viewer, "An escalation contact", gives: .one(contact), get),
        gate.put(
          one, .manager, "Change an escalation contact", takes: .change(EscalationContact.row), gives: .one(contact),
          update),
        gate.delete(one, .manager, "Remove an escalation contact", delete),
        gate.post(one + "/restore", .manager, "Bring a removed contact back", gives: .one(contact), restore),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .rows(try await store.list(scope).json)
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try request.uuid("contactId"), scope), or: "Escalation contact")
  }

  @Sendable func create(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    try await refusing(Self.refusals) {
      try .row(await store.create(row, scope, request), .created, or: "Escalation contact")
    }
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    let id = try request.uuid("contactId")
    return try await refusing(Self.refusals) {
      try .row(await store.update(id, row, scope, request), or: "Escalation contact")
    }
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.delete(try request.uuid("contactId"), scope, request) else {
      throw HTTPError.notFound("Escalation contact")
    }
    return .noContent
  }

  @Sendable func restore(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("contactId")
    return try await refusing(Self.refusals) {
      try .row(await store.restore(id, scope, request), or: "Removed escalation contact")
    }
  }

  /// What a row as a whole has to keep.
  private static let refusals = [
    "escalation_contacts_email": InvalidFields("email", "is required for the channel email"),
    "escalation_contacts_phone": InvalidFields("phone", "is required for the channel sms"),
    "escalation_contacts_user": InvalidFields("userId", "is not a member of this organization"),
  ]
}
