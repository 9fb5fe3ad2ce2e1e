import Basics
import Forms
import HTTP
import Identity
import PostgreSQL

struct AssetStore: Sendable {
  let database: Database

  /// A picture as the database knows it; the link to it is made anew for each answer.
  struct Record {
    let id: UUID
    let organizationId: UUID
    let type: AssetType
    let entityId: UUID
    let key: String
    let mimeType: String
    let size: Int64
    let uploadedBy: UUID
    let createdAt: Instant

    init(_ row: Row) throws {
      id = try row.uuid(0)
      organizationId = try row.uuid(1)
      type = AssetType(rawValue: try row.text(2)) ?? .site
      entityId = try row.uuid(3)
      key = try row.text(4)
      mimeType = try row.text(5)
      size = try row.int(6)
      uploadedBy = try row.uuid(7)
      createdAt = try row.instant(8)
    }
  }

  private static let columns: SQL =
    "a.id, a.organization_id, a.asset_type, a.entity_id, a.object_key, a.mime_type, a.size, a.uploaded_by, a.created_at"

  /// Newest first.
  func list(_ wanted: AssetFilter, _ scope: OrganizationScope) async throws -> [Record] {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM assets a WHERE a.organization_id = $1
          AND ($2::text IS NULL OR a.asset_type = $2) AND ($3::uuid IS NULL OR a.entity_id = $3)
        ORDER BY a.created_at DESC, a.id LIMIT $4 OFFSET $5
        """,
      [
        .uuid(scope.organizationId), .optional(wanted.type?.rawValue), .optional(wanted.entityId),
        .int(wanted.page.limit), .int(wanted.page.offset),
      ]
    ).map(Record.init)
  }

  func get(_ id: UUID, _ scope: OrganizationScope) async throws -> Record? {
    try await database.query(
      "SELECT " + Self.columns
        + " FROM assets a WHERE a.organization_id = $1 AND a.id = $2",
      [.uuid(scope.organizationId), .uuid(id)]
    ).first.map(Record.init)
  }

  /// What the picture is to belong to is there, in this organization.
  func has(_ place: AssetPlace, _ scope: OrganizationScope) async throws -> Bool {
    let sql: SQL =
      switch place.type {
      case .site: "SELECT FROM sites WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL"
      case .unit: "SELECT FROM unit_current WHERE organization_id = $1 AND id = $2 AND is_visible"
      case .avatar: "SELECT FROM profiles WHERE organization_id = $1 AND $2 IN (user_id, id)"
      case .correctiveAction: "SELECT FROM corrective_actions WHERE organization_id = $1 AND id = $2"
      }
    return try await !database.query(sql, [.uuid(scope.organizationId), .uuid(place.entityId)]).isEmpty
  }

  func count(of place: AssetPlace, _ scope: OrganizationScope) async throws -> Int64 {
    try await database.query(
      """
      SELECT count(*) FROM assets WHERE organization_id = $1 AND asset_type = $2 AND entity_id = $3
      """, [.uuid(scope.organizationId), .text(place.type.rawValue), .uuid(place.entityId)]
    ).first?.int(0) ?? 0
  }

  /// Before the object is stored: should nothing refer to it in an hour, it is deleted again.
  func announce(_ asset: NewAsset, _ scope: OrganizationScope, at now: Instant) async throws {
    try await database.execute(
      "INSERT INTO object_removals (object_key, due_at) VALUES ($1, $2)",
      [.text(asset.key(in: scope)), .timestamp(now + .hours(1))])
  }

  func add(_ asset: NewAsset, _ scope: OrganizationScope, _ request: Request) async throws -> Record? {
    try await database.query(
      """
      WITH a AS (
        INSERT INTO assets (id, organization_id, asset_type, entity_id, object_key, mime_type, size, sha256, uploaded_by,
          created_at)
        VALUES ($3, $1, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *
      ), kept AS (
        DELETE FROM object_removals WHERE object_key = $6
      ), log AS (
        SELECT append_event_log($1, $2, 'asset.uploaded', 'asset', a.id, NULL, to_jsonb(a)) FROM a
      )
      SELECT
      """ + " " + Self.columns + " FROM a, log",
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(asset.id), .text(asset.place.type.rawValue),
        .uuid(asset.place.entityId), .text(asset.key(in: scope)), .text(asset.image.rawValue),
        .int(asset.content.count), .bytes(asset.hash), .uuid(scope.userId), .timestamp(request.received),
      ]
    ).first.map(Record.init)
  }

  /// Its object follows: see ``ObjectRemovalJob``.
  func delete(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws {
    _ = try await database.query(
      """
      WITH a AS (
        DELETE FROM assets WHERE organization_id = $1 AND id = $3 RETURNING *
      )
      SELECT append_event_log($1, $2, 'asset.deleted', 'asset', a.id, to_jsonb(a), NULL) FROM a
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
  }
}
