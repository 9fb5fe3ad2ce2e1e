import Basics
import Forms
import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// Who is in an organization and as what, and how others come in.
public struct MemberRoutes: Sendable {
  let members: MemberStore
  let invitations: InvitationStore

  public init(database: Database) {
    members = MemberStore(database: database)
    invitations = InvitationStore(database: database)
  }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/members"
    let open = "/api/orgs/:organizationId/invitations"
    return Array(
      [
        gate.get(all, .viewer, "The members", gives: .list(.member), list),
        gate.put(
          all + "/:userId", .admin, "Give a member another role", takes: .fields { $0.choice("role", of: Role.self) },
          gives: .one(.member), change),
        gate.delete(all + "/:userId", .viewer, "Remove a member, or leave", remove),
        gate.get(open, .admin, "Invitations, the newest first", gives: .list(.invitation), listInvitations),
        gate.post(
          open, .admin, "Invite somebody; only this answer ever holds the token", takes: .fields(NewInvitation.init),
          gives: .created(.newInvitation), invite),
        gate.delete(open + "/:invitationId", .admin, "Revoke an open invitation", revoke),
        gate.user(
          .post, "/api/invitations/accept", "Become a member by an invitation",
          takes: .fields { $0.string("token", 1...256) },
          gives: .one(.acceptedInvitation).or(.status(.notFound)).or(.status(.gone)), accept),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .rows(try await members.list(scope).json)
  }

  @Sendable func change(_ request: Request, _ scope: OrganizationScope, _ role: Role?) async throws -> Response {
    guard let role else { throw InvalidFields("role", "is required") }
    return try .row(
      await members.change(try request.uuid("userId"), to: role, scope, request), or: "Member")
  }

  /// Anyone may leave; the store knows who may remove whom.
  @Sendable func remove(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try await members.remove(try request.uuid("userId"), scope, request)
    return .noContent
  }

  // MARK: - Invitations

  @Sendable func listInvitations(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .rows(try await invitations.list(scope).json)
  }

  @Sendable func invite(_ request: Request, _ scope: OrganizationScope, _ new: NewInvitation) async throws -> Response {
    guard let email = new.email, let role = new.role else { throw InvalidFields("email", "is required") }
    guard scope.role.mayGrant(role) else {
      throw HTTPError.forbidden("Nobody can give a role higher than their own")
    }
    let expiresAt = new.expiresAt ?? request.received + NewInvitation.usualLifetime
    guard expiresAt > request.received, expiresAt <= request.received + NewInvitation.longestLifetime else {
      throw InvalidFields("expiresAt", "must be in the future, at most 30 days from now")
    }
    do {
      let rows = try await invitations.create(
        email: email, role: role, expiresAt: expiresAt, InvitationToken.make(), scope, request)
      guard !rows.isEmpty else { throw HTTPError.conflict("\(email.text) is a member already") }
      return try .row(rows, .created, or: "Invitation")
    } catch let error as DatabaseError where error.violated == "invitations_open" {
      throw HTTPError.conflict("There is an open invitation to \(email.text): revoke it first")
    }
  }

  @Sendable func revoke(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try await invitations.revoke(try request.uuid("invitationId"), scope, request)
    return .noContent
  }

  @Sendable func accept(_ request: Request, _ principal: Principal, _ token: String) async throws -> Response {
    try .row(await invitations.accept(token, principal, request), or: "Invitation")
  }
}

/// What is asked of a new invitation.
struct NewInvitation {
  static let usualLifetime = Duration.days(7)
  static let longestLifetime = Duration.days(30)

  /// Nil only with a problem.
  let email: EmailAddress?
  let role: Role?
  let expiresAt: Instant?

  init(_ fields: inout Fields) {
    let schema = Schema.text(3...254).noted("Must be an e-mail address.", example: "inspector@example.com")
    fields.note(Schema.Property("email", schema))
    let text = fields.string("email", 3...254)
    email = EmailAddress(text)
    if email == nil, !text.isEmpty { fields.problem("email", "must be an e-mail address") }
    role = fields.choice("role", of: Role.self)
    expiresAt = fields.optionalInstant("expiresAt")
  }
}

extension Schema {
  private enum Status: String, CaseIterable { case pending, accepted, revoked, expired }

  static let member = Schema.object(
    "Member",
    [
      .uuid("userId"), .text("email"), .text("fullName").orNull, .choice("role", Role.self), .instant("joinedAt"),
    ])

  static let invitation = Schema.object("Invitation", invitationFields)
  static let newInvitation = Schema.object("NewInvitation", invitationFields + [.text("token")])

  private static let invitationFields: [Property] = [
    .uuid("id"), .text("email"), .choice("role", Role.self), .uuid("invitedBy"), .instant("createdAt"),
    .instant("expiresAt"), .instant("acceptedAt").orNull, .uuid("acceptedBy").orNull, .instant("revokedAt").orNull,
    .choice("status", Status.self),
  ]

  static let acceptedInvitation = Schema.object(
    "AcceptedInvitation", [.uuid("organizationId"), .text("organizationName"), .choice("role", Role.self)])
}
