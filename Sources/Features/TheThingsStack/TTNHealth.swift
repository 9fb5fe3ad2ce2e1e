import Basics
import Identity
import JSON
import PostgreSQL

/// How the feed of an organization is doing, in one statement.
extension TTNConnectionStore {
  func health(_ scope: OrganizationScope, at now: Instant) async throws -> Rows {
    try await database.query(
      """
      SELECT c.id IS NOT NULL AS "isConfigured", coalesce(c.is_active, false) AS "isEnabled",
        c.webhook_registered_at AS "webhookRegisteredAt",
        (SELECT max(t.last_seen_at) FROM device_states t WHERE t.organization_id = $1) AS "lastUplinkAt",
        (SELECT k.last_used_at FROM api_keys k WHERE k.id = c.ingest_key_id) AS "webhookLastUsedAt",
        (SELECT jsonb_build_object('total', count(*),
            'silent', count(*) FILTER (WHERE t.last_seen_at IS NULL OR t.last_seen_at < $2::timestamptz - interval '1 hour'),
            'missingAtNetwork', count(*) FILTER (WHERE d.ttn_missing_since IS NOT NULL))
          FROM devices d LEFT JOIN device_states t ON t.device_id = d.id
          WHERE d.organization_id = $1 AND d.deleted_at IS NULL AND d.is_active) AS devices,
        (SELECT jsonb_build_object(
            'openGaps', count(*) FILTER (WHERE g.state = 'open'),
            'openFrames', coalesce(sum(g.frames) FILTER (WHERE g.state = 'open'), 0),
            'healedFrames', coalesce(sum(g.frames) FILTER (WHERE g.state = 'healed'), 0),
            'lostOnAirFrames', coalesce(sum(g.frames) FILTER (WHERE g.state = 'lost_on_air'), 0),
            'unexplainedFrames', coalesce(sum(g.frames) FILTER (WHERE g.state = 'unexplained'), 0),
            'oldestOpenAt', min(g.after_at) FILTER (WHERE g.state = 'open'))
          FROM (SELECT *, last_f_cnt - first_f_cnt + 1 AS frames FROM uplink_gaps
            WHERE organization_id = $1 AND after_at > $2::timestamptz - interval '30 days') g) AS gaps,
        (SELECT jsonb_build_object('isUnderWay', s.pull_from IS NOT NULL, 'lastPullAt', s.pulled_at,
            'takenUntil', s.pull_cursor, 'attempts', s.pull_attempts, 'nextAttemptAt', s.pull_due_at,
            'error', s.pull_error)
          FROM ttn_connection_states s WHERE s.connection_id = c.id) AS healing,
        (SELECT coalesce(jsonb_object_agg(q.reason, q.count), '{}') FROM (
            SELECT reason, count(*) FROM quarantined_uplinks
            WHERE organization_id = $1 AND claimed_at IS NULL AND discarded_at IS NULL GROUP BY reason) q) AS quarantine
      FROM (SELECT 1) one LEFT JOIN (
        SELECT * FROM ttn_connections WHERE organization_id = $1 AND deleted_at IS NULL ORDER BY created_at, id LIMIT 1
      ) c ON true
      """, [.uuid(scope.organizationId), .timestamp(now)])
  }
}
