import Basics
import ColdChain
import Identity
import PostgreSQL

/// What late readings correct in alerts that were raised before them: an alarm that never was, or one of an incident that had
/// ended. Nobody is told: the alert only says what its incident says.
enum SeverityCorrection {
  static func apply(_ alerts: [(incident: UUID, severity: Severity)], at now: Instant, on connection: Connection)
    async throws
  {
    guard !alerts.isEmpty else { return }
    _ = try await connection.query(
      """
      WITH old AS (
        SELECT a.*, n.severity AS proper FROM unnest($3::uuid[], $4::text[]) AS n (incident_id, severity)
        JOIN alerts a ON a.incident_id = n.incident_id AND a.severity <> n.severity
        ORDER BY a.organization_id, a.id FOR UPDATE OF a
      ), changed AS (
        UPDATE alerts t SET severity = old.proper, updated_at = $2,
          escalation_level = CASE old.proper WHEN 'critical' THEN t.escalation_level
            ELSE greatest(t.escalation_level - 1, 0) END
        FROM old WHERE t.id = old.id RETURNING t.*
      )
      SELECT append_event_log(n.organization_id, $1, 'alert.corrected', 'alert', n.id, to_jsonb(old) - 'proper', to_jsonb(n))
      FROM (SELECT * FROM changed ORDER BY organization_id) n JOIN old ON old.id = n.id
      """,
      [
        Audit.system(at: now), .timestamp(now), .uuids(alerts.map(\.incident)), .texts(alerts.map(\.severity.rawValue)),
      ])
  }
}
