import Basics
import Devices
import HTTP
import Identity
import JSON
import PostgreSQL

/// Devices of the organization's connection. What is common to all devices is in ``DeviceStore``.
struct TTNDeviceStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    d.id, d.device_id AS "deviceId", d.dev_eui AS "devEui", d.join_eui AS "joinEui", d.name, d.description,
    g.unit_id AS "unitId", d.status, t.last_seen_at AS "lastSeenAt",
    d.ttn_missing_since IS NULL AS "ttnSynced", d.created_at AS "createdAt", d.updated_at AS "updatedAt"
    """

  private static let source: SQL = """
     FROM devices d
    LEFT JOIN device_assignments g ON g.device_id = d.id AND g.assigned_to IS NULL
    LEFT JOIN device_states t ON t.device_id = d.id
    WHERE d.organization_id = $1 AND d.deleted_at IS NULL AND d.device_id IS NOT NULL AND d.ttn_connection_id = (
      SELECT id FROM ttn_connections WHERE organization_id = $1 AND deleted_at IS NULL ORDER BY created_at, id LIMIT 1)
    """

  func list(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + Self.source + " ORDER BY d.name, d.id", [.uuid(scope.organizationId)])
  }

  /// By its id here, its DevEUI, or its id at The Things Stack.
  func get(_ name: String, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + Self.source + " AND (d.id = $2::uuid OR d.dev_eui = $3 OR d.device_id = $4)",
      [
        .uuid(scope.organizationId), .optional(UUID(name)), .optional(EUI64(name)?.description),
        .text(name),
      ])
  }

  /// What would stand in the way of a new device, found before anything is asked of The Things Stack.
  func check(devEUI: String, id: StackID, unit: UUID?, site: UUID?, _ scope: OrganizationScope) async throws {
    let rows = try await database.query(
      """
      SELECT
        EXISTS (SELECT FROM devices WHERE organization_id = $1 AND dev_eui = $2 AND deleted_at IS NULL),
        EXISTS (SELECT FROM devices WHERE organization_id = $1 AND device_id = $3 AND deleted_at IS NULL),
        $4::uuid IS NULL OR EXISTS (SELECT FROM unit_current WHERE organization_id = $1 AND id = $4 AND is_visible),
        $5::uuid IS NULL OR EXISTS (SELECT FROM sites WHERE organization_id = $1 AND id = $5 AND deleted_at IS NULL)
      """,
      [
        .uuid(scope.organizationId), .text(devEUI), .text(id.description), .optional(unit), .optional(site),
      ])
    guard let row = rows.first else { return }
    if try row.bool(0) { throw HTTPError.conflict("A device with this devEui exists already") }
    if try row.bool(1) { throw HTTPError.conflict("A device with this deviceId exists already") }
    if try !row.bool(2) { throw InvalidFields("unitId", "is not a unit of this organization") }
    if try !row.bool(3) { throw InvalidFields("siteId", "Site not found") }
  }

  /// Deleted here and not at The Things Stack: the job tries again.
  func noteDeletePending(_ id: UUID, _ scope: OrganizationScope) async throws {
    try await database.execute(
      "UPDATE devices SET ttn_delete_pending = true WHERE organization_id = $1 AND id = $2 AND deleted_at IS NOT NULL",
      [.uuid(scope.organizationId), .uuid(id)])
  }
}
