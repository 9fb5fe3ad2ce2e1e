import Basics
import HTTP
import PostgreSQL

struct OrganizationStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    o.id, o.name, o.slug, o.timezone, o.compliance_mode AS "complianceMode", o.sensor_limit AS "sensorLimit",
    o.logo_url AS "logoUrl", o.created_at AS "createdAt", o.updated_at AS "updatedAt"
    """

  func me(_ principal: Principal) async throws -> Rows {
    try await database.query(
      """
      WITH mine AS (
        SELECT r.organization_id, r.role, r.created_at FROM user_roles r
        JOIN organizations o ON o.id = r.organization_id AND o.deleted_at IS NULL WHERE r.user_id = $1
      )
      SELECT $1::uuid AS "userId", $2::text AS email, $3::text AS "displayName",
        (SELECT organization_id FROM mine ORDER BY created_at, organization_id LIMIT 1) AS "primaryOrganizationId",
        coalesce((
          SELECT jsonb_agg(jsonb_build_object('organizationId', organization_id, 'role', role)
            ORDER BY created_at, organization_id) FROM mine
        ), '[]') AS organizations
      """, [.uuid(principal.userId), .optional(principal.email), .optional(principal.name)])
  }

  func list(_ principal: Principal) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
        , r.role FROM user_roles r JOIN organizations o ON o.id = r.organization_id AND o.deleted_at IS NULL
        WHERE r.user_id = $1 ORDER BY o.name, o.id
        """, [.uuid(principal.userId)])
  }

  /// Makes the organization with the caller as its owner.
  func create(_ row: Value, _ principal: Principal, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH o AS (
        INSERT INTO organizations (name, slug, timezone, compliance_mode)
        SELECT p.name, p.slug, p.timezone, p.compliance_mode FROM jsonb_populate_record(NULL::organizations, $2) p
        RETURNING *
      ), role AS (
        INSERT INTO user_roles (organization_id, user_id, role) SELECT o.id, $3, 'owner' FROM o
      ), profile AS (
        INSERT INTO profiles (organization_id, user_id, email, full_name) SELECT o.id, $3, $4, $5 FROM o
      ), log AS (
        SELECT append_event_log(o.id, $1, 'organization.created', 'organization', o.id, NULL, to_jsonb(o)) FROM o
      )
      SELECT
      """ + " " + Self.columns + " FROM o, log",
      [
        Audit.author(principal, request), row, .uuid(principal.userId), .text(principal.email ?? ""),
        .optional(principal.name),
      ])
  }

  /// Those of `slugs` that nobody has, at most three.
  func free(of slugs: [String]) async throws -> [String] {
    try await database.query(
      """
      SELECT slug FROM unnest($1::text[]) WITH ORDINALITY AS wanted (slug, place)
      WHERE NOT EXISTS (SELECT FROM organizations o WHERE o.slug = wanted.slug AND o.deleted_at IS NULL)
      ORDER BY place LIMIT 3
      """, [.texts(slugs)]
    ).map { try $0.text(0) }
  }

  func get(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + " FROM organizations o WHERE o.id = $1 AND o.deleted_at IS NULL",
      [.uuid(scope.organizationId)])
  }

  func update(_ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT * FROM organizations WHERE id = $1 AND deleted_at IS NULL FOR UPDATE
      ), o AS (
        UPDATE organizations t
        SET (name, timezone, compliance_mode, logo_url) =
          (SELECT p.name, p.timezone, p.compliance_mode, p.logo_url FROM jsonb_populate_record(t, $3) p),
          updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      ), log AS (
        SELECT append_event_log($1, $2, 'organization.updated', 'organization', o.id, to_jsonb(old), to_jsonb(o))
        FROM old, o
      )
      SELECT
      """ + " " + Self.columns + " FROM o, log", [.uuid(scope.organizationId), Audit.author(scope, request), row])
  }
}
