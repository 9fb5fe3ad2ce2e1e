import Basics
import HTTP
import Identity
import PostgreSQL

struct ContactStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    c.id, c.organization_id AS "organizationId", c.user_id AS "userId", c.name, c.email, c.phone, c.priority,
    c.notification_channels AS "notificationChannels", c.is_active AS "isActive", c.created_at AS "createdAt",
    c.updated_at AS "updatedAt"
    """

  /// In the order they are called.
  func list(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM escalation_contacts c WHERE c.organization_id = $1 AND c.deleted_at IS NULL
        ORDER BY c.priority, c.name, c.id
        """, [.uuid(scope.organizationId)])
  }

  func get(_ id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + " FROM escalation_contacts c WHERE c.organization_id = $1 AND c.id = $2 AND c.deleted_at IS NULL",
      [.uuid(scope.organizationId), .uuid(id)])
  }

  func create(_ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH c AS (
        INSERT INTO escalation_contacts (organization_id, user_id, name, email, phone, priority, notification_channels,
          is_active)
        SELECT $1, n.user_id, n.name, n.email, n.phone, n.priority, n.notification_channels, n.is_active
        FROM jsonb_populate_record(NULL::escalation_contacts, $3) n
        RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'escalation_contact.created', 'escalation_contact', c.id, NULL, to_jsonb(c))
        FROM c
      )
      SELECT
      """ + " " + Self.columns + " FROM c, log", [.uuid(scope.organizationId), Audit.author(scope, request), row])
  }

  func update(_ id: UUID, _ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT * FROM escalation_contacts WHERE organization_id = $1 AND id = $4 AND deleted_at IS NULL FOR UPDATE
      ), c AS (
        UPDATE escalation_contacts t
        SET (user_id, name, email, phone, priority, notification_channels, is_active) =
          (SELECT n.user_id, n.name, n.email, n.phone, n.priority, n.notification_channels, n.is_active
          FROM jsonb_populate_record(t, $3) n),
          updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      ), log AS (
        SELECT append_event_log($1, $2, 'escalation_contact.updated', 'escalation_contact', c.id, to_jsonb(old),
          to_jsonb(c)) FROM old, c
      )
      SELECT
      """ + " " + Self.columns + " FROM c, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(id)])
  }

  /// Messages that went to the contact keep pointing at it.
  func delete(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH c AS (
        UPDATE escalation_contacts SET deleted_at = now(), updated_at = now()
        WHERE organization_id = $1 AND id = $3 AND deleted_at IS NULL RETURNING *
      )
      SELECT append_event_log($1, $2, 'escalation_contact.deleted', 'escalation_contact', c.id, to_jsonb(c), NULL)
      FROM c
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
    return !rows.isEmpty
  }

  func restore(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH c AS (
        UPDATE escalation_contacts SET deleted_at = NULL, updated_at = now()
        WHERE organization_id = $1 AND id = $3 AND deleted_at IS NOT NULL RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'escalation_contact.restored', 'escalation_contact', c.id, NULL, to_jsonb(c))
        FROM c
      )
      SELECT
      """ + " " + Self.columns + " FROM c, log", [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
  }
}
