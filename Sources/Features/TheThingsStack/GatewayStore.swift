import Basics
import Devices
import HTTP
import Identity
import JSON
import PostgreSQL

struct GatewayStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    w.id, w.gateway_id AS "gatewayId", w.gateway_eui AS "gatewayEui", w.name, w.description,
    w.frequency_plan_id AS "frequencyPlanId", w.status, w.latitude, w.longitude, w.altitude, w.site_id AS "siteId",
    w.last_seen_at AS "lastSeenAt", w.ttn_missing_since IS NULL AS "ttnSynced", w.created_at AS "createdAt",
    w.updated_at AS "updatedAt"
    """

  private static let source: SQL = """
     FROM gateways w WHERE w.organization_id = $1 AND w.deleted_at IS NULL
    """

  func list(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + Self.source + " ORDER BY w.name, w.gateway_id, w.id", [.uuid(scope.organizationId)])
  }

  /// By its id here, its id at The Things Stack, or its EUI.
  func get(_ name: String, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + Self.source + " AND (w.id = $2::uuid OR w.gateway_id = $3 OR w.gateway_eui = $4)",
      [.uuid(scope.organizationId), .optional(UUID(name)), .text(name), .optional(EUI64(name)?.description)])
  }

  func check(id: StackID?, eui: String?, site: UUID?, _ scope: OrganizationScope) async throws {
    let rows = try await database.query(
      """
      SELECT
        EXISTS (SELECT FROM gateways WHERE organization_id = $1 AND deleted_at IS NULL
          AND (gateway_id = $2 OR gateway_eui = $3)),
        $4::uuid IS NULL OR EXISTS (SELECT FROM sites WHERE organization_id = $1 AND id = $4 AND deleted_at IS NULL)
      """, [.uuid(scope.organizationId), .optional(id?.description), .optional(eui), .optional(site)])
    guard let row = rows.first else { return }
    if try row.bool(0) { throw HTTPError.conflict("A gateway with this gatewayId or gatewayEui exists already") }
    if try !row.bool(1) { throw InvalidFields("siteId", "is not a site of this organization") }
  }

  func create(
    _ row: Value, connection: UUID, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    try await database.query(
      """
      WITH w AS (
        INSERT INTO gateways (id, organization_id, ttn_connection_id, site_id, gateway_id, gateway_eui, name, description,
          frequency_plan_id, latitude, longitude, altitude)
        SELECT $4, $1, $5, p.site_id, p.gateway_id, p.gateway_eui, p.name, p.description, p.frequency_plan_id,
          p.latitude, p.longitude, p.altitude FROM jsonb_populate_record(NULL::gateways, $3) p RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'gateway.created', 'gateway', w.id, NULL, to_jsonb(w)) FROM w
      )
      SELECT
      """ + " " + Self.columns + " FROM w, log",
      [
        .uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(.v7(at: request.received)),
        .uuid(connection),
      ])
  }

  func update(_ id: UUID, _ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT * FROM gateways WHERE organization_id = $1 AND id = $4 AND deleted_at IS NULL FOR UPDATE
      ), w AS (
        UPDATE gateways t SET (site_id, name, description, frequency_plan_id, latitude, longitude, altitude) =
            (SELECT p.site_id, p.name, p.description, p.frequency_plan_id, p.latitude, p.longitude, p.altitude
             FROM jsonb_populate_record(t, $3) p), updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      ), log AS (
        SELECT append_event_log($1, $2, 'gateway.updated', 'gateway', w.id, to_jsonb(old), to_jsonb(w)) FROM old, w
      )
      SELECT
      """ + " " + Self.columns + " FROM w, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(id)])
  }

  func delete(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH w AS (
        UPDATE gateways SET deleted_at = now(), updated_at = now(), ttn_delete_pending = true
        WHERE organization_id = $1 AND id = $3 AND deleted_at IS NULL RETURNING *
      )
      SELECT append_event_log($1, $2, 'gateway.deleted', 'gateway', w.id, to_jsonb(w), NULL) FROM w
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
    return !rows.isEmpty
  }

  /// It is gone at The Things Stack too.
  func noteDeleted(_ id: UUID, organization: UUID) async throws {
    try await database.execute(
      "UPDATE gateways SET ttn_delete_pending = false WHERE organization_id = $1 AND id = $2",
      [.uuid(organization), .uuid(id)])
  }

  /// What the Gateway Server says of several at once. An older sign of life than the stored one changes nothing.
  func note(_ stats: [String: StackClient.GatewayStats], organization: UUID) async throws {
    let entries = stats.sorted { $0.key < $1.key }
    try await database.execute(
      """
      UPDATE gateways w SET status = n.status, last_seen_at = greatest(w.last_seen_at, n.last_seen_at)
      FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS n (gateway_id, status, last_seen_at)
      WHERE w.organization_id = $1 AND w.gateway_id = n.gateway_id AND w.deleted_at IS NULL
      """,
      [
        .uuid(organization), .texts(entries.map(\.key)), .texts(entries.map(\.value.status.rawValue)),
        .timestamps(entries.map(\.value.lastSeen)),
      ])
  }
}
