import Basics
import Forms
import HTTP
import Identity
import PostgreSQL

/// What is written down of a device beside its readings.
struct DeviceRecordStore: Sendable {
  let database: Database

  struct Device: Sendable {
    let id: UUID
    let model: String?
    /// Its id at The Things Stack, when it has one.
    let name: String?
  }

  func device(_ id: UUID, _ scope: OrganizationScope) async throws -> Device? {
    try await database.query(
      """
      SELECT d.id, d.model, CASE WHEN d.ttn_connection_id IS NOT NULL THEN d.device_id END FROM devices d
      WHERE d.organization_id = $1 AND d.id = $2 AND d.deleted_at IS NULL
      """, [.uuid(scope.organizationId), .uuid(id)]
    ).first.map { Device(id: try $0.uuid(0), model: try $0.optionalText(1), name: try $0.optionalText(2)) }
  }

  func events(of id: UUID, _ wanted: EventFilter, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      SELECT e.id, e.device_id AS "deviceId", e.event_type AS "eventType", e.occurred_at AS "occurredAt",
        e.received_at AS "receivedAt", e.payload
      FROM device_events e
      WHERE e.organization_id = $1 AND e.device_id = $2 AND ($3::text IS NULL OR e.event_type = $3)
      ORDER BY e.occurred_at DESC, e.id DESC LIMIT $4 OFFSET $5
      """,
      [
        .uuid(scope.organizationId), .uuid(id), .optional(wanted.type), .int(wanted.page.limit),
        .int(wanted.page.offset),
      ])
  }

  // MARK: - The ledger

  /// The sessions of the last 90 days, newest first, and a page of the gaps, newest first. Gaps that were none are left out.
  func ledger(of id: UUID, _ page: Page, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      WITH frames AS (
        SELECT session_key_id, state, sum(last_f_cnt - first_f_cnt + 1)::int8 AS count FROM uplink_gaps
        WHERE organization_id = $1 AND device_id = $2 GROUP BY 1, 2
      ), per_session AS (
        SELECT session_key_id, jsonb_object_agg(state, count) AS counts FROM frames GROUP BY 1
      )
      SELECT coalesce((
        SELECT jsonb_agg(jsonb_build_object('sessionKeyId', s.session_key_id, 'firstAt', s.first_at, 'lastAt', s.last_at,
          'firstFrame', s.first_f_cnt, 'lastFrame', s.last_f_cnt,
          'received', s.received + coalesce((p.counts->>'received')::int8, 0), 'duplicate', coalesce(u.count, 0),
          'healed', coalesce((p.counts->>'healed')::int8, 0), 'lostOnAir', coalesce((p.counts->>'lost_on_air')::int8, 0),
          'unexplained', coalesce((p.counts->>'unexplained')::int8, 0), 'open', coalesce((p.counts->>'open')::int8, 0))
          ORDER BY s.last_at DESC)
        FROM uplink_sessions s
        LEFT JOIN per_session p ON p.session_key_id = s.session_key_id
        LEFT JOIN uplink_duplicates u ON u.device_id = s.device_id AND u.session_key_id = s.session_key_id
        WHERE s.organization_id = $1 AND s.device_id = $2 AND s.last_at > now() - interval '90 days'), '[]') AS sessions,
      coalesce((
        SELECT jsonb_agg(jsonb_build_object('sessionKeyId', g.session_key_id, 'firstFrame', g.first_f_cnt,
          'lastFrame', g.last_f_cnt, 'afterAt', g.after_at, 'beforeAt', g.before_at, 'state', g.state, 'reason', g.reason,
          'detectedAt', g.detected_at, 'settledAt', g.settled_at) ORDER BY g.after_at DESC, g.first_f_cnt DESC)
        FROM (
          SELECT * FROM uplink_gaps WHERE organization_id = $1 AND device_id = $2 AND state <> 'received'
          ORDER BY after_at DESC, first_f_cnt DESC LIMIT $3 OFFSET $4
        ) g), '[]') AS gaps
      """, [.uuid(scope.organizationId), .uuid(id), .int(page.limit), .int(page.offset)])
  }

  // MARK: - Settings

  private static let columns: SQL = """
    r.id, r.device_id AS "deviceId", r.state, r.settings, r.f_port AS "fPort", encode(r.payload, 'hex') AS payload,
    r.confirmed, r.error, r.requested_by AS "requestedBy", r.requested_at AS "requestedAt", r.queued_at AS "queuedAt",
    r.sent_at AS "sentAt", r.failed_at AS "failedAt", r.acked_at AS "ackedAt"
    """

  func requests(of id: UUID, _ page: Page, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM device_settings_requests r WHERE r.organization_id = $1 AND r.device_id = $2
        ORDER BY r.requested_at DESC, r.id DESC LIMIT $3 OFFSET $4
        """, [.uuid(scope.organizationId), .uuid(id), .int(page.limit), .int(page.offset)])
  }

  func request(_ id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + " FROM device_settings_requests r WHERE r.organization_id = $1 AND r.id = $2",
      [.uuid(scope.organizationId), .uuid(id)])
  }

  func insert(
    _ id: UUID, device: UUID, _ downlink: WantedDownlink, correlation: String, _ scope: OrganizationScope,
    _ request: Request
  ) async throws {
    _ = try await database.query(
      """
      WITH r AS (
        INSERT INTO device_settings_requests (id, organization_id, device_id, settings, f_port, payload, confirmed,
          correlation_id, requested_by, requested_at)
        VALUES ($3, $1, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING *
      )
      SELECT append_event_log($1, $2, 'device.settings_requested', 'device', r.device_id, NULL, to_jsonb(r)) FROM r
      """,
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .uuid(device), .json(downlink.settings),
        .int(downlink.port), .bytes(downlink.payload), .bool(downlink.confirmed), .text(correlation),
        .uuid(scope.userId),
        .timestamp(request.received),
      ])
  }

  /// The Things Stack has taken it. Its own messages may have come before, and have moved it further.
  func noteQueued(_ id: UUID, at now: Instant, _ scope: OrganizationScope) async throws {
    try await database.execute(
      """
      UPDATE device_settings_requests SET state = CASE state WHEN 'requested' THEN 'queued' ELSE state END,
        queued_at = coalesce(queued_at, $3) WHERE organization_id = $1 AND id = $2
      """, [.uuid(scope.organizationId), .uuid(id), .timestamp(now)])
  }

  func noteFailed(_ id: UUID, _ error: String, at now: Instant, _ scope: OrganizationScope) async throws {
    try await database.execute(
      """
      UPDATE device_settings_requests SET state = 'failed', error = left($4, 500), failed_at = $3
      WHERE organization_id = $1 AND id = $2 AND state = 'requested'
      """, [.uuid(scope.organizationId), .uuid(id), .timestamp(now), .text(error)])
  }
}
