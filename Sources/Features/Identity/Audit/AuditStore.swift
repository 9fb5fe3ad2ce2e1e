import Basics
import PostgreSQL

struct AuditStore: Sendable {
  let database: Database

  /// With the names that things and people have now.
  func list(_ wanted: AuditQuery, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      SELECT e.id, e.seq, e.event_type AS "eventType", event_category(e.event_type) AS category,
        event_severity(e.event_type) AS severity, event_title(e.event_type, e.before, e.after) AS title,
        e.occurred_at AS "recordedAt", e.organization_id AS "organizationId", e.site_id AS "siteId",
        e.area_id AS "areaId", e.unit_id AS "unitId", e.entity_type AS "entityType", e.entity_id AS "entityId",
        e.actor_id AS "actorId", e.actor_type AS "actorType",
        jsonb_build_object('before', e.before, 'after', e.after) AS "eventData", e.ip_address AS "ipAddress",
        e.user_agent AS "userAgent", e.request_id AS "requestId", s.name AS "siteName", a.name AS "areaName",
        u.name AS "unitName", coalesce(p.full_name, k.name) AS "actorName", p.email AS "actorEmail"
      FROM (
        SELECT * FROM event_logs
        WHERE organization_id = $1 AND ($2::uuid IS NULL OR site_id = $2) AND ($3::uuid IS NULL OR area_id = $3)
          AND ($4::uuid IS NULL OR unit_id = $4) AND ($5::text IS NULL OR actor_id = $5)
          AND ($6::text IS NULL OR entity_type = $6) AND ($7::uuid IS NULL OR entity_id = $7)
          AND ($8::text IS NULL OR event_category(event_type) = $8) AND ($9::text IS NULL OR event_type = $9)
          AND ($10::timestamptz IS NULL OR occurred_at >= $10) AND ($11::timestamptz IS NULL OR occurred_at <= $11)
          AND ($12::bigint IS NULL OR seq < $12)
        ORDER BY seq DESC LIMIT $13
      ) e
      LEFT JOIN sites s ON s.organization_id = e.organization_id AND s.id = e.site_id
      LEFT JOIN areas a ON a.organization_id = e.organization_id AND a.id = e.area_id
      LEFT JOIN units u ON u.organization_id = e.organization_id AND u.id = e.unit_id
      LEFT JOIN profiles p ON p.organization_id = e.organization_id
        AND p.user_id = CASE e.actor_type WHEN 'user' THEN e.actor_id::uuid END
      LEFT JOIN api_keys k ON k.organization_id = e.organization_id
        AND k.id = CASE e.actor_type WHEN 'api_key' THEN e.actor_id::uuid END
      ORDER BY e.seq DESC
      """,
      [
        .uuid(scope.organizationId), .optional(wanted.siteId), .optional(wanted.areaId), .optional(wanted.unitId),
        .optional(wanted.actorId?.description), .optional(wanted.entityType), .optional(wanted.entityId),
        .optional(wanted.category?.rawValue), .optional(wanted.eventType), .optional(wanted.start),
        .optional(wanted.end), .optional(wanted.cursor), .int(wanted.limit),
      ])
  }

  /// Recomputes the chain. `lastHash` with `entries` can be kept elsewhere, to know later that nothing before was
  /// changed by somebody who could compute all hashes anew.
  func verify(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      SELECT broken IS NULL AS valid, broken AS "firstBroken", coalesce(h.seq, 0) AS entries,
        encode(h.event_hash, 'hex') AS "lastHash"
      FROM first_broken_event_log($1) AS broken LEFT JOIN event_log_heads h ON h.organization_id = $1
      """, [.uuid(scope.organizationId)])
  }
}
