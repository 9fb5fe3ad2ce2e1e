import Basics
import HTTP
import Identity
import JSON
import PostgreSQL

/// Windows in which nobody is told of alerts.
public enum Suppressions {
  /// Why nobody is to be told now, and when that ends. An alert that is still open then is to be told.
  public struct Hold: Sendable, Equatable {
    public let suppressionId: UUID
    public let kind: SuppressionKind
    public let until: Instant
  }

  /// For each alert whether it is held back at `instant`, in one statement. Incidents and alerts themselves are not.
  /// Windows that follow each other without a gap count as one.
  public static func holding(
    _ alerts: [(unit: UUID, type: AlertType)], at instant: Instant, on connection: Connection
  ) async throws -> [Hold?] {
    var holds = [Hold?](repeating: nil, count: alerts.count)
    guard !alerts.isEmpty else { return holds }
    let rows = try await connection.query(
      "SELECT place, suppression_id, kind, until FROM suppressed_until($1, $2, $3)",
      [.uuids(alerts.map(\.unit)), .texts(alerts.map(\.type.rawValue)), .timestamp(instant)])
    for row in rows {
      holds[Int(try row.int(0)) - 1] = Hold(
        suppressionId: try row.uuid(1), kind: SuppressionKind(rawValue: try row.text(2)) ?? .maintenance,
        until: try row.instant(3))
    }
    return holds
  }
}

struct SuppressionStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    s.id, s.organization_id AS "organizationId", s.site_id AS "siteId", s.unit_id AS "unitId", s.kind, s.reason,
    s.alert_types AS "alertTypes", s.starts_at AS "startsAt", s.ends_at AS "endsAt",
    (SELECT array_agg((ARRAY['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'])[day]
      ORDER BY day) FROM unnest(s.weekdays) day) AS weekdays,
    to_char(s.local_start, 'HH24:MI') AS "localStart", s.duration_minutes AS "durationMinutes",
    s.first_day::text AS "firstDay", s.last_day::text AS "lastDay", s.created_by AS "createdBy",
    s.created_at AS "createdAt", s.updated_at AS "updatedAt"
    """

  /// Newest first.
  func list(_ wanted: SuppressionFilter, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM suppressions s WHERE s.organization_id = $1 AND s.deleted_at IS NULL
          AND ($2::uuid IS NULL OR s.site_id = $2) AND ($3::uuid IS NULL OR s.unit_id = $3)
        ORDER BY s.created_at DESC, s.id
        """, [.uuid(scope.organizationId), .optional(wanted.siteId), .optional(wanted.unitId)])
  }

  func get(_ id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + " FROM suppressions s WHERE s.organization_id = $1 AND s.id = $2 AND s.deleted_at IS NULL",
      [.uuid(scope.organizationId), .uuid(id)])
  }

  /// Windows that concern a unit, by their beginning. Nil when there is no such unit.
  func windows(of unit: UUID, _ span: Range<Instant>, _ scope: OrganizationScope) async throws -> Rows? {
    let found = try await database.pipeline([
      (
        "SELECT FROM unit_current WHERE organization_id = $1 AND id = $2 AND is_visible",
        [.uuid(scope.organizationId), .uuid(unit)]
      ),
      (
        """
        SELECT suppression_id AS "suppressionId", kind, reason, alert_types AS "alertTypes", begins AS "startsAt",
          ends AS "endsAt"
        FROM unit_suppression_windows(ARRAY[$1::uuid], $2, $3) ORDER BY begins, ends, suppression_id
        """, [.uuid(unit), .timestamp(span.lowerBound), .timestamp(span.upperBound)]
      ),
    ])
    return found[0].isEmpty ? nil : found[1]
  }

  func create(_ draft: SuppressionDraft, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.transaction { connection in
      try await check(draft, scope, on: connection)
      return try await connection.query(
        """
        WITH s AS (
          INSERT INTO suppressions (organization_id, site_id, unit_id, kind, reason, alert_types, starts_at, ends_at,
            weekdays, local_start, duration_minutes, first_day, last_day, created_by)
          SELECT $1, $4, $5, p.kind, p.reason, p.alert_types,
            CASE WHEN once THEN start ELSE p.starts_at END,
            CASE WHEN once THEN coalesce(p.ends_at, start + make_interval(mins => coalesce(p.duration_minutes, 60)))
              ELSE p.ends_at END,
            p.weekdays, p.local_start, CASE WHEN NOT once THEN p.duration_minutes END, p.first_day, p.last_day, $6
          FROM jsonb_populate_record(NULL::suppressions, $3) p,
            LATERAL (SELECT num_nonnulls(p.weekdays, p.local_start) = 0 AS once,
              coalesce(p.starts_at, $7::timestamptz) AS start) given
          RETURNING *
        ), log AS (
          SELECT append_event_log($1, $2, 'suppression.created', 'suppression', s.id, NULL, to_jsonb(s)) FROM s
        )
        SELECT
        """ + " " + Self.columns + " FROM s, log",
        [
          .uuid(scope.organizationId), Audit.author(scope, request), draft.row, .optional(draft.siteId),
          .optional(draft.unitId), .uuid(scope.userId), .timestamp(request.received),
        ])
    }
  }

  func update(_ id: UUID, _ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT * FROM suppressions WHERE organization_id = $1 AND id = $4 AND deleted_at IS NULL FOR UPDATE
      ), s AS (
        UPDATE suppressions t SET (kind, reason, alert_types, starts_at, ends_at, weekdays, local_start,
          duration_minutes, first_day, last_day) =
          (SELECT p.kind, p.reason, p.alert_types, p.starts_at, p.ends_at, p.weekdays, p.local_start,
            p.duration_minutes, p.first_day, p.last_day FROM jsonb_populate_record(t, $3) p), updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      ), log AS (
        SELECT append_event_log($1, $2, 'suppression.updated', 'suppression', s.id, to_jsonb(old), to_jsonb(s))
        FROM old, s
      )
      SELECT
      """ + " " + Self.columns + " FROM s, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(id)])
  }

  /// It holds nothing back any more.
  func delete(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH s AS (
        UPDATE suppressions SET deleted_at = now(), updated_at = now()
        WHERE organization_id = $1 AND id = $3 AND deleted_at IS NULL RETURNING *
      )
      SELECT append_event_log($1, $2, 'suppression.deleted', 'suppression', s.id, to_jsonb(s), NULL) FROM s
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
    return !rows.isEmpty
  }

  private func check(
    _ draft: SuppressionDraft, _ scope: OrganizationScope, on connection: Connection
  ) async throws {
    if let siteId = draft.siteId {
      let found = try await connection.query(
        "SELECT FROM sites WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
        [.uuid(scope.organizationId), .uuid(siteId)])
      if found.isEmpty { throw InvalidFields("siteId", "is not a site of this organization") }
    }
    if let unitId = draft.unitId {
      let found = try await connection.query(
        "SELECT FROM unit_current WHERE organization_id = $1 AND id = $2 AND is_visible",
        [.uuid(scope.organizationId), .uuid(unitId)])
      if found.isEmpty { throw InvalidFields("unitId", "is not a unit of this organization") }
    }
  }
}
