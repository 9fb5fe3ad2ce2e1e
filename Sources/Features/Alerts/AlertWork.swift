import Basics
import HTTP
import Identity
import JSON
import PostgreSQL

public enum ProductDisposition: String, Sendable, CaseIterable {
  case kept
  case moved
  case discarded
  case held
}

/// How somebody ended an alert, and what was done about its cause.
struct Resolution: Sendable {
  let text: String
  let correctiveAction: String?
  let productDisposition: ProductDisposition?
  let rootCause: String?
  let preventiveMeasures: String?

  init(_ fields: inout Fields) {
    text = fields.string("resolution", 1...2000)
    correctiveAction = fields.optionalString("correctiveAction", 1...2000)
    productDisposition = fields.optionalChoice("productDisposition")
    rootCause = fields.optionalString("rootCause", 1...2000)
    preventiveMeasures = fields.optionalString("preventiveMeasures", 1...2000)
  }
}

/// What people do with alerts.
struct AlertWork: Sendable {
  let database: Database

  /// Takes an active alert. 404 when there is none, 409 when it is not active any more.
  func acknowledge(_ id: UUID, notes: String?, _ scope: OrganizationScope, _ request: Request) async throws {
    let taken = try await database.query(
      """
      WITH old AS (
        SELECT * FROM alerts WHERE organization_id = $1 AND id = $3 FOR UPDATE
      ), a AS (
        UPDATE alerts t SET status = 'acknowledged', acknowledged_at = $4, acknowledged_by = $5, updated_at = $4
        FROM old WHERE t.id = old.id AND old.status = 'active' RETURNING t.*
      ), note AS (
        INSERT INTO alert_notes (organization_id, alert_id, author, kind, text, created_at)
        SELECT $1, a.id, $5, 'acknowledgement', $6, $4 FROM a WHERE $6 <> ''
      ), event AS (
        INSERT INTO events (organization_id, type, unit_id, payload, occurred_at)
        SELECT $1, 'alert.acknowledged', a.unit_id, jsonb_build_object('alertId', a.id), $4 FROM a
      )
      SELECT append_event_log($1, $2, 'alert.acknowledged', 'alert', a.id, to_jsonb(old),
        to_jsonb(a) || jsonb_strip_nulls(jsonb_build_object('notes', $6::text)))
      FROM old, a
      """,
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .timestamp(request.received),
        .optional(scope.profileId), .optional(notes),
      ])
    guard taken.isEmpty else { return }
    let status = try await status(of: id, scope)
    throw HTTPError.conflict("The alert is \(status) already")
  }

  /// Ends an open alert. 404 when there is none, 409 when it is resolved already. Under HACCP a critical temperature
  /// alert does not end without a corrective action.
  func resolve(_ id: UUID, _ resolution: Resolution, _ scope: OrganizationScope, _ request: Request) async throws {
    let ended = try await database.query(
      Self.resolving,
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .timestamp(request.received),
        .optional(scope.profileId), .text(resolution.text), .optional(resolution.correctiveAction),
        .optional(resolution.productDisposition?.rawValue), .optional(resolution.rootCause),
        .optional(resolution.preventiveMeasures),
      ])
    guard ended.isEmpty else { return }
    if try await status(of: id, scope) != .resolved {
      throw InvalidFields("correctiveAction", "is required to resolve a critical temperature alert under HACCP")
    }
    throw HTTPError.conflict("The alert is resolved already")
  }

  private static let resolving: SQL = """
    WITH old AS (
      SELECT * FROM alerts WHERE organization_id = $1 AND id = $3 FOR UPDATE
    ), haccp AS (
      SELECT FROM old
      JOIN organizations o ON o.id = $1
      LEFT JOIN unit_current c ON c.id = old.unit_id
      LEFT JOIN sites s ON s.id = c.site_id
      WHERE coalesce(s.compliance_mode, o.compliance_mode) = 'haccp' AND old.severity = 'critical'
        AND old.alert_type IN ('alarm_active', 'temp_excursion', 'suspected_cooling_failure')
    ), a AS (
      UPDATE alerts t SET status = 'resolved', resolved_at = $4, resolved_by = $5, resolution = $6,
        resolution_type = 'manual', updated_at = $4
      FROM old
      WHERE t.id = old.id AND old.status <> 'resolved' AND ($7::text IS NOT NULL OR NOT EXISTS (SELECT FROM haccp))
      RETURNING t.*
    ), note AS (
      INSERT INTO alert_notes (organization_id, alert_id, author, kind, text, created_at)
      SELECT $1, a.id, $5, 'resolution', $6, $4 FROM a
    ), action AS (
      INSERT INTO corrective_actions (organization_id, unit_id, alert_id, author, description, action_taken,
        product_disposition, root_cause, preventive_measures, resolved_alert, taken_at)
      SELECT $1, a.unit_id, a.id, $5, $6, $7, $8, $9, $10, true, $4 FROM a WHERE $7 IS NOT NULL RETURNING *
    ), event AS (
      INSERT INTO events (organization_id, type, unit_id, payload, occurred_at)
      SELECT $1, 'alert.resolved', a.unit_id, jsonb_build_object('alertId', a.id), $4 FROM a
    )
    SELECT append_event_log($1, $2, 'alert.resolved', 'alert', a.id, to_jsonb(old), to_jsonb(a)), (
      SELECT append_event_log($1, $2, 'corrective_action.created', 'corrective_action', action.id, NULL, to_jsonb(action))
      FROM action)
    FROM old, a
    """

  private func status(of id: UUID, _ scope: OrganizationScope) async throws -> AlertStatus {
    let rows = try await database.query(
      "SELECT status FROM alerts WHERE organization_id = $1 AND id = $2", [.uuid(scope.organizationId), .uuid(id)])
    guard let row = rows.first, let status = AlertStatus(rawValue: try row.text(0)) else {
      throw HTTPError.notFound("Alert")
    }
    return status
  }
}
