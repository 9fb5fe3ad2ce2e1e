import Basics
import Forms
import HTTP
import PostgreSQL

struct InvitationStore: Sendable {
  let database: Database

  /// Of an invitation `i`. Never the hash of its token.
  private static let columns: SQL = """
    i.id, i.email, i.role, i.invited_by AS "invitedBy", i.created_at AS "createdAt", i.expires_at AS "expiresAt",
    i.accepted_at AS "acceptedAt", i.accepted_by AS "acceptedBy", i.revoked_at AS "revokedAt",
    CASE WHEN i.accepted_at IS NOT NULL THEN 'accepted' WHEN i.revoked_at IS NOT NULL THEN 'revoked'
      WHEN i.expires_at <= now() THEN 'expired' ELSE 'pending' END AS status
    """

  func list(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + " FROM invitations i WHERE i.organization_id = $1 ORDER BY i.created_at DESC, i.id LIMIT 1000",
      [.uuid(scope.organizationId)])
  }

  /// The token is in no other answer. One of the same address that has expired makes room; an open one is a conflict.
  func create(
    email: EmailAddress, role: Role, expiresAt: Instant, _ token: InvitationToken, _ scope: OrganizationScope,
    _ request: Request
  ) async throws -> Rows {
    let organization = Value.uuid(scope.organizationId)
    let made: SQL =
      """
      WITH i AS (
        INSERT INTO invitations (organization_id, email, role, token_hash, invited_by, created_at, expires_at)
        SELECT $1, $3, $4, $5, $6, $7, $8 WHERE NOT EXISTS (
          SELECT FROM user_roles m
          JOIN profiles p ON p.organization_id = m.organization_id AND p.user_id = m.user_id
          WHERE m.organization_id = $1 AND lower(p.email) = lower($3))
        RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'invitation.created', 'invitation', i.id, NULL, to_jsonb(i) - 'token_hash')
        FROM i
      )
      SELECT
      """ + " " + Self.columns + ", $9::text AS token FROM i, log"
    return try await database.pipeline([
      (
        """
        UPDATE invitations SET revoked_at = $3
        WHERE organization_id = $1 AND lower(email) = lower($2) AND accepted_at IS NULL AND revoked_at IS NULL
          AND expires_at <= $3
        """, [organization, .text(email.text), .timestamp(request.received)]
      ),
      (
        made,
        [
          organization, Audit.author(scope, request), .text(email.text), .text(role.rawValue), .bytes(token.hash),
          .uuid(scope.userId), .timestamp(request.received), .timestamp(expiresAt), .text(token.text),
        ]
      ),
    ])[1]
  }

  /// 404 when there is none that is open; 403 for one to a role that the caller could not have given.
  func revoke(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws {
    try await database.transaction { connection in
      let rows = try await connection.query(
        """
        SELECT role FROM invitations
        WHERE organization_id = $1 AND id = $2 AND accepted_at IS NULL AND revoked_at IS NULL FOR UPDATE
        """, [.uuid(scope.organizationId), .uuid(id)])
      guard let row = rows.first, let role = Role(rawValue: try row.text(0)) else {
        throw HTTPError.notFound("Invitation")
      }
      guard scope.role.mayGrant(role) else {
        throw HTTPError.forbidden("An invitation to the role \(role.rawValue) is not yours to revoke")
      }
      _ = try await connection.query(
        """
        WITH i AS (UPDATE invitations SET revoked_at = $4, revoked_by = $5 WHERE id = $3 RETURNING *)
        SELECT append_event_log($1, $2, 'invitation.revoked', 'invitation', i.id, NULL, to_jsonb(i) - 'token_hash')
        FROM i
        """,
        [
          .uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .timestamp(request.received),
          .uuid(scope.userId),
        ])
    }
  }

  /// Makes the caller a member. 404 for a token that never was; 410 when it was used or revoked, when its time is over
  /// or when its inviter could not give that role any more; 409 for who is a member already.
  func accept(_ token: String, _ principal: Principal, _ request: Request) async throws -> Rows {
    try await database.transaction { connection in
      let rows = try await connection.query(
        """
        SELECT i.id, i.organization_id, i.role, r.role,
          i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > $2
        FROM invitations i
        JOIN organizations o ON o.id = i.organization_id AND o.deleted_at IS NULL
        LEFT JOIN user_roles r ON r.organization_id = i.organization_id AND r.user_id = i.invited_by
        WHERE i.token_hash = $1 FOR UPDATE OF i
        """, [.bytes(InvitationToken.hash(of: token)), .timestamp(request.received)])
      guard let row = rows.first, let role = Role(rawValue: try row.text(2)) else {
        throw HTTPError.notFound("Invitation")
      }
      let inviter = try row.optionalText(3).flatMap(Role.init(rawValue:))
      guard try row.bool(4), inviter?.mayGrant(role) == true else {
        throw HTTPError.gone("The invitation is not valid any more: ask for a new one")
      }
      let joined = try await connection.query(
        Self.joining,
        [
          .uuid(try row.uuid(1)), Audit.author(principal, request), .uuid(try row.uuid(0)), .uuid(principal.userId),
          .text(role.rawValue), .text(principal.email ?? ""), .optional(principal.name), .timestamp(request.received),
        ])
      guard !joined.isEmpty else { throw HTTPError.conflict("You are a member of this organization already") }
      return joined
    }
  }

  private static let joining: SQL = """
    WITH m AS (
      INSERT INTO user_roles (organization_id, user_id, role) VALUES ($1, $4, $5)
      ON CONFLICT (organization_id, user_id) DO NOTHING RETURNING *
    ), profile AS (
      INSERT INTO profiles (organization_id, user_id, email, full_name) SELECT $1, $4, $6, $7 FROM m
      ON CONFLICT (organization_id, user_id) DO UPDATE SET updated_at = $8
    ), i AS (
      UPDATE invitations t SET accepted_at = $8, accepted_by = $4 FROM m WHERE t.id = $3 RETURNING t.*
    ), log AS (
      SELECT append_event_log($1, $2, 'invitation.accepted', 'invitation', i.id, NULL, to_jsonb(i) - 'token_hash') AS one,
        append_event_log($1, $2, 'member.added', 'member', m.user_id, NULL, to_jsonb(m)) AS two
      FROM i, m
    )
    SELECT o.id AS "organizationId", o.name AS "organizationName", m.role FROM m, log, organizations o WHERE o.id = $1
    """
}
