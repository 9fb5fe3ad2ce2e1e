import Basics
import HTTP
import Identity
import PostgreSQL

struct SiteStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    s.id, s.organization_id AS "organizationId", s.name, s.address, s.city, s.state, s.postal_code AS "postalCode",
    s.country, s.timezone, s.compliance_mode AS "complianceMode",
    s.manual_log_cadence_seconds AS "manualLogCadenceSeconds",
    s.corrective_action_required AS "correctiveActionRequired", s.latitude, s.longitude, s.is_active AS "isActive",
    (SELECT count(*) FROM areas a
      WHERE a.organization_id = s.organization_id AND a.site_id = s.id AND a.deleted_at IS NULL) AS "areasCount",
    (SELECT count(*) FROM areas a JOIN units u ON u.organization_id = a.organization_id AND u.area_id = a.id
        AND u.deleted_at IS NULL
      WHERE a.organization_id = s.organization_id AND a.site_id = s.id AND a.deleted_at IS NULL) AS "unitsCount",
    s.created_at AS "createdAt", s.updated_at AS "updatedAt"
    """

  func list(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + " FROM sites s WHERE organization_id = $1 AND deleted_at IS NULL ORDER BY name, id",
      [.uuid(scope.organizationId)])
  }

  /// The deleted ones, which can be restored, newest first.
  func listDeleted(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
        , s.deleted_at AS "deletedAt" FROM sites s WHERE organization_id = $1 AND deleted_at IS NOT NULL
        ORDER BY deleted_at DESC, id
        """, [.uuid(scope.organizationId)])
  }

  func get(_ id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + " FROM sites s WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
      [.uuid(scope.organizationId), .uuid(id)])
  }

  func create(_ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH s AS (
        INSERT INTO sites (organization_id, name, address, city, state, postal_code, country, timezone, compliance_mode,
          manual_log_cadence_seconds, corrective_action_required, latitude, longitude)
        SELECT $1, p.name, p.address, p.city, p.state, p.postal_code, p.country, p.timezone, p.compliance_mode,
          p.manual_log_cadence_seconds, p.corrective_action_required, p.latitude, p.longitude
        FROM jsonb_populate_record(NULL::sites, $3) p
        RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'site.created', 'site', s.id, NULL, to_jsonb(s)) FROM s
      )
      SELECT
      """ + " " + Self.columns + " FROM s, log", [.uuid(scope.organizationId), Audit.author(scope, request), row])
  }

  func update(_ id: UUID, _ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT * FROM sites WHERE organization_id = $1 AND id = $4 AND deleted_at IS NULL FOR UPDATE
      ), s AS (
        UPDATE sites t
        SET (name, address, city, state, postal_code, country, timezone, compliance_mode, manual_log_cadence_seconds,
          corrective_action_required, latitude, longitude) =
          (SELECT p.name, p.address, p.city, p.state, p.postal_code, p.country, p.timezone, p.compliance_mode,
            p.manual_log_cadence_seconds, p.corrective_action_required, p.latitude, p.longitude
          FROM jsonb_populate_record(t, $3) p),
          updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      ), log AS (
        SELECT append_event_log($1, $2, 'site.updated', 'site', s.id, to_jsonb(old), to_jsonb(s)) FROM old, s
      )
      SELECT
      """ + " " + Self.columns + " FROM s, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(id)])
  }

  /// What lies below it stays as it is, and out of sight until the site is restored.
  func delete(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH s AS (
        UPDATE sites SET deleted_at = now(), updated_at = now()
        WHERE organization_id = $1 AND id = $3 AND deleted_at IS NULL RETURNING *
      )
      SELECT append_event_log($1, $2, 'site.deleted', 'site', s.id, to_jsonb(s), NULL) FROM s
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
    return !rows.isEmpty
  }

  func restore(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH s AS (
        UPDATE sites SET deleted_at = NULL, updated_at = now()
        WHERE organization_id = $1 AND id = $3 AND deleted_at IS NOT NULL RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'site.restored', 'site', s.id, NULL, to_jsonb(s)) FROM s
      )
      SELECT
      """ + " " + Self.columns + " FROM s, log", [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
  }
}
