import Basics
import HTTP
import PostgreSQL

public enum DashboardEntity: String, Sendable, CaseIterable {
  case site
  case unit
}

/// A person's own arrangements of what they see of a site or a unit. Everybody sees only theirs.
struct DashboardLayoutStore: Sendable {
  let database: Database

  /// Of a layout `l`.
  private static let columns: SQL = """
    l.id, l.organization_id AS "organizationId", l.entity_type AS "entityType", l.entity_id AS "entityId",
    l.user_id AS "userId", l.slot_number AS "slotNumber", l.name, l.is_user_default AS "isUserDefault",
    l.layout_json AS "layoutJson", l.widget_prefs_json AS "widgetPrefsJson",
    l.timeline_state_json AS "timelineStateJson", l.layout_version AS "layoutVersion", l.created_at AS "createdAt",
    l.updated_at AS "updatedAt"
    """
  /// What the audit log keeps of a row: not the arrangement itself.
  private static let logged: SQL = " - '{layout_json,widget_prefs_json,timeline_state_json}'::text[]"

  func list(_ entity: DashboardEntity?, _ entityId: UUID?, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM dashboard_layouts l WHERE l.organization_id = $1 AND l.user_id = $2
          AND ($3::text IS NULL OR l.entity_type = $3) AND ($4::uuid IS NULL OR l.entity_id = $4)
        ORDER BY l.entity_type, l.entity_id, l.slot_number LIMIT 1000
        """,
      [.uuid(scope.organizationId), .uuid(scope.userId), .optional(entity?.rawValue), .optional(entityId)])
  }

  func get(_ id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + " FROM dashboard_layouts l WHERE l.organization_id = $1 AND l.user_id = $2 AND l.id = $3",
      [.uuid(scope.organizationId), .uuid(scope.userId), .uuid(id)])
  }

  /// No row when the entity is none of the organization's.
  func create(_ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH wanted AS (
        SELECT p.* FROM jsonb_populate_record(NULL::dashboard_layouts, $3) p WHERE CASE p.entity_type
          WHEN 'site' THEN EXISTS (
            SELECT FROM sites s WHERE s.organization_id = $1 AND s.id = p.entity_id AND s.deleted_at IS NULL)
          ELSE EXISTS (
            SELECT FROM units u WHERE u.organization_id = $1 AND u.id = p.entity_id AND u.deleted_at IS NULL)
        END
      ), l AS (
        INSERT INTO dashboard_layouts (organization_id, user_id, entity_type, entity_id, slot_number, name, layout_json,
          widget_prefs_json, timeline_state_json)
        SELECT $1, $4, entity_type, entity_id, slot_number, name, coalesce(layout_json, '{}'), widget_prefs_json,
          timeline_state_json
        FROM wanted RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'dashboard_layout.created', 'dashboard_layout', l.id, NULL, to_jsonb(l)
      """ + Self.logged
        + """
        ) FROM l
        )
        SELECT
        """ + " " + Self.columns + " FROM l, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(scope.userId)])
  }

  func update(_ id: UUID, _ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT * FROM dashboard_layouts WHERE organization_id = $1 AND user_id = $4 AND id = $5 FOR UPDATE
      ), l AS (
        UPDATE dashboard_layouts t SET (slot_number, name, layout_json, widget_prefs_json, timeline_state_json) =
          (SELECT p.slot_number, p.name, coalesce(p.layout_json, '{}'), p.widget_prefs_json, p.timeline_state_json
          FROM jsonb_populate_record(t, $3) p), layout_version = t.layout_version + 1, updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      ), log AS (
        SELECT append_event_log($1, $2, 'dashboard_layout.updated', 'dashboard_layout', l.id, to_jsonb(old)
      """ + Self.logged + ", to_jsonb(l)" + Self.logged
        + """
        ) FROM old, l
        )
        SELECT
        """ + " " + Self.columns + " FROM l, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(scope.userId), .uuid(id)])
  }

  /// Of the layouts of the same thing, this one opens first. No row when there is no such layout.
  func makeDefault(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    let mine = [Value.uuid(scope.organizationId), .uuid(scope.userId), .uuid(id)]
    return try await database.pipeline([
      (
        """
        UPDATE dashboard_layouts t SET is_user_default = false FROM dashboard_layouts l
        WHERE l.organization_id = $1 AND l.user_id = $2 AND l.id = $3 AND t.organization_id = $1 AND t.user_id = $2
          AND t.entity_type = l.entity_type AND t.entity_id = l.entity_id AND t.is_user_default AND t.id <> l.id
        """, mine
      ),
      (
        """
        WITH l AS (
          UPDATE dashboard_layouts SET is_user_default = true, updated_at = now()
          WHERE organization_id = $1 AND user_id = $2 AND id = $3 RETURNING *
        ), log AS (
          SELECT append_event_log($1, $4, 'dashboard_layout.made_default', 'dashboard_layout', l.id, NULL, to_jsonb(l)
        """ + Self.logged
          + """
          ) FROM l
          )
          SELECT
          """ + " " + Self.columns + " FROM l, log", mine + [Audit.author(scope, request)]
      ),
    ])[1]
  }

  func delete(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH l AS (
        DELETE FROM dashboard_layouts WHERE organization_id = $1 AND user_id = $3 AND id = $4 RETURNING *
      )
      SELECT append_event_log($1, $2, 'dashboard_layout.deleted', 'dashboard_layout', l.id, to_jsonb(l)
      """ + Self.logged + ", NULL) FROM l",
      [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(scope.userId), .uuid(id)])
    return !rows.isEmpty
  }
}
