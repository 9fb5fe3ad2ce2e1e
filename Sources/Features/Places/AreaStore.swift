import Basics
import HTTP
import Identity
import PostgreSQL

struct AreaStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    a.id, a.site_id AS "siteId", a.name, a.description, a.sort_order AS "sortOrder", a.is_active AS "isActive",
    (SELECT count(*) FROM units u
      WHERE u.organization_id = a.organization_id AND u.area_id = a.id AND u.deleted_at IS NULL) AS "unitsCount",
    a.created_at AS "createdAt", a.updated_at AS "updatedAt"
    """

  func list(site: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM areas a JOIN sites s ON s.id = a.site_id AND s.deleted_at IS NULL
        WHERE a.organization_id = $1 AND a.site_id = $2 AND a.deleted_at IS NULL ORDER BY a.sort_order, a.name, a.id
        """, [.uuid(scope.organizationId), .uuid(site)])
  }

  /// The deleted ones, which can be restored, newest first.
  func listDeleted(site: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
        , a.deleted_at AS "deletedAt" FROM areas a
        WHERE a.organization_id = $1 AND a.site_id = $2 AND a.deleted_at IS NOT NULL
        ORDER BY a.deleted_at DESC, a.id
        """, [.uuid(scope.organizationId), .uuid(site)])
  }

  func get(_ place: AreaPlace, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM areas a JOIN sites s ON s.id = a.site_id AND s.deleted_at IS NULL
        WHERE a.organization_id = $1 AND a.site_id = $2 AND a.id = $3 AND a.deleted_at IS NULL
        """, [.uuid(scope.organizationId), .uuid(place.siteId), .uuid(place.areaId)])
  }

  /// No row when the site is not there.
  func create(_ row: Value, site: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH site AS (
        SELECT id FROM sites WHERE organization_id = $1 AND id = $4 AND deleted_at IS NULL FOR SHARE
      ), a AS (
        INSERT INTO areas (organization_id, site_id, name, description, sort_order)
        SELECT $1, site.id, p.name, p.description, p.sort_order FROM site, jsonb_populate_record(NULL::areas, $3) p
        RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'area.created', 'area', a.id, NULL, to_jsonb(a)) FROM a
      )
      SELECT
      """ + " " + Self.columns + " FROM a, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(site)])
  }

  func update(_ place: AreaPlace, _ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT a.* FROM areas a JOIN sites s ON s.id = a.site_id AND s.deleted_at IS NULL
        WHERE a.organization_id = $1 AND a.site_id = $4 AND a.id = $5 AND a.deleted_at IS NULL FOR UPDATE OF a
      ), a AS (
        UPDATE areas t
        SET (name, description, sort_order) =
          (SELECT p.name, p.description, p.sort_order FROM jsonb_populate_record(t, $3) p), updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      ), log AS (
        SELECT append_event_log($1, $2, 'area.updated', 'area', a.id, to_jsonb(old), to_jsonb(a)) FROM old, a
      )
      SELECT
      """ + " " + Self.columns + " FROM a, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(place.siteId), .uuid(place.areaId)])
  }

  func delete(_ place: AreaPlace, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH a AS (
        UPDATE areas a SET deleted_at = now(), updated_at = now() FROM sites s
        WHERE a.organization_id = $1 AND a.site_id = $3 AND a.id = $4 AND a.deleted_at IS NULL
          AND s.id = a.site_id AND s.deleted_at IS NULL
        RETURNING a.*
      )
      SELECT append_event_log($1, $2, 'area.deleted', 'area', a.id, to_jsonb(a), NULL) FROM a
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(place.siteId), .uuid(place.areaId)])
    return !rows.isEmpty
  }

  /// No row while its site is deleted: that one comes first.
  func restore(_ place: AreaPlace, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH a AS (
        UPDATE areas a SET deleted_at = NULL, updated_at = now() FROM sites s
        WHERE a.organization_id = $1 AND a.site_id = $3 AND a.id = $4 AND a.deleted_at IS NOT NULL
          AND s.id = a.site_id AND s.deleted_at IS NULL
        RETURNING a.*
      ), log AS (
        SELECT append_event_log($1, $2, 'area.restored', 'area', a.id, NULL, to_jsonb(a)) FROM a
      )
      SELECT
      """ + " " + Self.columns + " FROM a, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(place.siteId), .uuid(place.areaId)])
  }
}
