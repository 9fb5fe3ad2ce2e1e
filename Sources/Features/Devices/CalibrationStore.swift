import Basics
import HTTP
import Identity
import PostgreSQL

/// Readings that are taken in after a calibration was entered, and measured since it holds, are corrected by it. What was
/// stored before stays as it is.
struct CalibrationStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    c.id, c.device_id AS "deviceId", c.channel, trim_scale(c.temperature_offset) AS "temperatureOffset",
    c.valid_from AS "validFrom", trim_scale(c.reference_temperature) AS "referenceTemperature",
    trim_scale(c.measured_temperature) AS "measuredTemperature", c.certificate, c.performed_by AS "performedBy",
    c.performed_at AS "performedAt", c.due_at AS "dueAt", c.notes, c.created_by AS "createdBy",
    c.created_at AS "createdAt"
    """

  /// Newest first.
  func list(of device: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM device_calibrations c WHERE c.organization_id = $1 AND c.device_id = $2 AND c.deleted_at IS NULL
        ORDER BY c.valid_from DESC, c.id
        """, [.uuid(scope.organizationId), .uuid(device)])
  }

  /// No row when there is no such device.
  func create(
    _ draft: CalibrationDraft, of device: UUID, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    try await database.query(
      """
      WITH d AS (
        SELECT id FROM devices WHERE organization_id = $1 AND id = $3 AND deleted_at IS NULL FOR SHARE
      ), c AS (
        INSERT INTO device_calibrations (organization_id, device_id, channel, temperature_offset, valid_from,
          reference_temperature, measured_temperature, certificate, performed_by, performed_at, due_at, notes,
          created_by, created_at)
        SELECT $1, d.id, $4, round(convert_degrees_difference(($5::bigint)::numeric / 100, $6, 'C'), 2), coalesce($7, $8),
          to_celsius(($9::bigint)::numeric / 100, $6), to_celsius(($10::bigint)::numeric / 100, $6), $11, $12, $13,
          $14, $15, $16, $8
        FROM d RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'calibration.created', 'calibration', c.id, NULL, to_jsonb(c)) FROM c
      )
      SELECT
      """ + " " + Self.columns + " FROM c, log",
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(device), .optional(draft.channel?.rawValue),
        .int(draft.offset.hundredths), .text(draft.scale.rawValue), .optional(draft.validFrom),
        .timestamp(request.received), .optional(draft.reference?.hundredths), .optional(draft.measured?.hundredths),
        .optional(draft.certificate), .optional(draft.performedBy), .optional(draft.performedAt),
        .optional(draft.dueAt), .optional(draft.notes), .uuid(scope.userId),
      ])
  }

  /// It was entered by mistake: it does not count any more for what is taken in from now on.
  func delete(_ id: UUID, of device: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH c AS (
        UPDATE device_calibrations SET deleted_at = now()
        WHERE organization_id = $1 AND device_id = $3 AND id = $4 AND deleted_at IS NULL RETURNING *
      )
      SELECT append_event_log($1, $2, 'calibration.deleted', 'calibration', c.id, to_jsonb(c), NULL) FROM c
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(device), .uuid(id)])
    return !rows.isEmpty
  }
}
