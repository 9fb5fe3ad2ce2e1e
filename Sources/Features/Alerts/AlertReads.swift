import Basics
import Forms
import Identity
import PostgreSQL

/// Alerts as they are shown. History stays: alerts of units that were deleted since are listed too.
struct AlertReads: Sendable {
  let database: Database

  /// Temperatures in `shown`.
  private static let columns: SQL = """
    SELECT a.id, a.unit_id AS "unitId", a.device_id AS "deviceId", a.incident_id AS "incidentId",
      NULL::uuid AS "alertRuleId", a.alert_type AS "alertType", a.severity, a.status, a.message,
      from_celsius(a.trigger_temperature, shown) AS "triggerTemperature", shown AS "temperatureUnit",
      a.threshold_violated AS "thresholdViolated", a.triggered_at AS "triggeredAt",
      a.acknowledged_at AS "acknowledgedAt", a.acknowledged_by AS "acknowledgedBy", a.resolved_at AS "resolvedAt",
      a.resolved_by AS "resolvedBy", a.resolution, a.resolution_type AS "resolutionType",
      a.escalated_at AS "escalatedAt", a.escalation_level AS "escalationLevel", a.metadata,
      c.name AS "unitName", c.area_id AS "areaId", c.area_name AS "areaName", c.site_id AS "siteId",
      c.site_name AS "siteName", a.created_at AS "createdAt", a.updated_at AS "updatedAt"
    """

  private static let source: SQL = """
     FROM alerts a LEFT JOIN unit_current c ON c.organization_id = a.organization_id AND c.id = a.unit_id
    """

  private static let filters: SQL = """
     WHERE a.organization_id = $1
    AND ($2::text[] IS NULL OR a.status = ANY ($2)) AND ($3::text[] IS NULL OR a.severity = ANY ($3))
    AND ($4::text[] IS NULL OR a.alert_type = ANY ($4)) AND ($6::uuid IS NULL OR c.area_id = $6)
    AND ($7::uuid IS NULL OR c.site_id = $7)
    AND ($8::timestamptz IS NULL OR a.triggered_at >= $8) AND ($9::timestamptz IS NULL OR a.triggered_at <= $9)
    """

  /// Said outright, so that the index of the unit is found.
  private static func unit(_ isAsked: Bool) -> SQL { isAsked ? " AND a.unit_id = $5" : " AND $5::uuid IS NULL" }

  /// Newest first.
  func list(_ wanted: AlertQuery, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      Self.page(ofUnit: wanted.unitId != nil, next: wanted.cursor != nil),
      [.uuid(scope.organizationId)] + wanted.filters
        + [wanted.shownIn, .int(wanted.page.limit), .int(wanted.page.offset)]
        + (wanted.cursor.map { [.timestamp($0.at), .uuid($0.id)] } ?? []))
  }

  /// - Parameter next: the page after a place, which is `$13` and `$14`.
  static func page(ofUnit: Bool, next: Bool) -> SQL {
    columns + source + ", LATERAL coalesce($10::text, c.temp_unit, 'C') AS shown" + filters + unit(ofUnit)
      + (next ? " AND (a.triggered_at, a.id) < ($13, $14)" : "")
      + " ORDER BY a.triggered_at DESC, a.id DESC LIMIT $11 OFFSET $12"
  }

  func count(_ wanted: AlertQuery, _ scope: OrganizationScope) async throws -> Int64 {
    try await database.query(
      "SELECT count(*)" + Self.source + Self.filters + Self.unit(wanted.unitId != nil),
      [.uuid(scope.organizationId)] + wanted.filters
    ).first?.int(0) ?? 0
  }

  func get(_ id: UUID, shownIn unit: Value, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      Self.columns + Self.source + ", LATERAL coalesce($3::text, c.temp_unit, 'C') AS shown"
        + " WHERE a.organization_id = $1 AND a.id = $2", [.uuid(scope.organizationId), .uuid(id), unit])
  }

  func notes(of id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      SELECT n.id, n.kind, n.text, n.author, p.full_name AS "authorName", n.created_at AS "createdAt"
      FROM alert_notes n JOIN profiles p ON p.id = n.author
      WHERE n.organization_id = $1 AND n.alert_id = $2 ORDER BY n.created_at, n.id
      """, [.uuid(scope.organizationId), .uuid(id)])
  }
}
