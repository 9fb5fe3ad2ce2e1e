import Basics
import HTTP
import PostgreSQL

struct MemberStore: Sendable {
  let database: Database

  /// Of a membership `m` with its profile `p`.
  private static let columns: SQL = """
    m.user_id AS "userId", coalesce(p.email, '') AS email, p.full_name AS "fullName", m.role,
    m.created_at AS "joinedAt"
    """

  func list(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM user_roles m
        LEFT JOIN profiles p ON p.organization_id = m.organization_id AND p.user_id = m.user_id
        WHERE m.organization_id = $1 ORDER BY m.created_at, m.user_id
        """, [.uuid(scope.organizationId)])
  }

  /// 404 for who is no member; 403 and 409 as ``MembershipState`` says.
  func change(_ userId: UUID, to role: Role, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.transaction { connection in
      try await Self.state(of: userId, scope, on: connection).check(.role(role))
      return try await connection.query(
        """
        WITH old AS (
          SELECT * FROM user_roles WHERE organization_id = $1 AND user_id = $3
        ), m AS (
          UPDATE user_roles t SET role = $4, updated_at = $5 FROM old
          WHERE t.organization_id = old.organization_id AND t.user_id = old.user_id RETURNING t.*
        ), log AS (
          SELECT append_event_log($1, $2, 'member.role_changed', 'member', m.user_id, to_jsonb(old), to_jsonb(m))
          FROM old, m
        )
        SELECT
        """ + " " + Self.columns
          + """
           FROM m CROSS JOIN log
          LEFT JOIN profiles p ON p.organization_id = m.organization_id AND p.user_id = m.user_id
          """,
        [
          .uuid(scope.organizationId), Audit.author(scope, request), .uuid(userId), .text(role.rawValue),
          .timestamp(request.received),
        ])
    }
  }

  /// Also for who leaves by themself. What they did stays signed by their profile.
  func remove(_ userId: UUID, _ scope: OrganizationScope, _ request: Request) async throws {
    let event = userId == scope.userId ? "member.left" : "member.removed"
    try await database.transaction { connection in
      try await Self.state(of: userId, scope, on: connection).check(.removal)
      _ = try await connection.query(
        """
        WITH m AS (
          DELETE FROM user_roles WHERE organization_id = $1 AND user_id = $3 RETURNING *
        ), layouts AS (
          DELETE FROM dashboard_layouts WHERE organization_id = $1 AND user_id = $3
        )
        SELECT append_event_log($1, $2, $4, 'member', m.user_id, to_jsonb(m), NULL) FROM m
        """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(userId), .text(event)])
    }
  }

  /// Holds the organization's row, so that of two changes the second sees what the first has done.
  private static func state(
    of userId: UUID, _ scope: OrganizationScope, on connection: Connection
  ) async throws -> MembershipState {
    let rows = try await connection.pipeline([
      ("SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE", [.uuid(scope.organizationId)]),
      (
        """
        SELECT max(role) FILTER (WHERE user_id = $2), max(role) FILTER (WHERE user_id = $3),
          count(*) FILTER (WHERE role = 'owner')
        FROM user_roles WHERE organization_id = $1
        """, [.uuid(scope.organizationId), .uuid(scope.userId), .uuid(userId)]
      ),
    ])
    guard let row = rows[1].first, let actor = try row.optionalText(0).flatMap(Role.init(rawValue:)) else {
      throw Memberships.notAMember
    }
    guard let target = try row.optionalText(1).flatMap(Role.init(rawValue:)) else { throw HTTPError.notFound("Member") }
    return MembershipState(
      actor: actor, target: target, isSelf: userId == scope.userId, ownerCount: Int(try row.int(2)))
  }
}
