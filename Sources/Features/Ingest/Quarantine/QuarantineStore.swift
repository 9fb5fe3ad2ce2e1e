import Basics
import HTTP
import Identity
import PostgreSQL

/// The kept messages of organizations.
struct QuarantineStore: Sendable {
  let database: Database

  static func insert(_ uplinks: [QuarantinedUplink]) -> (SQL, [Value]) {
    (
      """
      INSERT INTO quarantined_uplinks (id, organization_id, api_key_id, reason, detail, dev_eui, device_id, application_id,
        received_at, body)
      SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::timestamptz[], $10::bytea[])
      ON CONFLICT DO NOTHING
      """,
      [
        .uuids(uplinks.map(\.id)), .uuids(uplinks.map(\.organizationId)), .uuids(uplinks.map(\.apiKeyId)),
        .texts(uplinks.map(\.reason.rawValue)), .texts(uplinks.map(\.detail)),
        .texts(uplinks.map(\.devEUI?.description)), .texts(uplinks.map(\.deviceID)),
        .texts(uplinks.map(\.applicationID)), .timestamps(uplinks.map(\.receivedAt)), .byteas(uplinks.map(\.body)),
      ]
    )
  }

  // MARK: - Reading

  private static let columns: SQL = """
    q.id, q.reason, q.detail, q.dev_eui AS "devEui", q.device_id AS "deviceId", q.application_id AS "applicationId",
    q.received_at AS "receivedAt", CASE WHEN q.claimed_at IS NOT NULL THEN 'claimed'
      WHEN q.discarded_at IS NOT NULL THEN 'discarded' ELSE 'open' END AS status,
    q.claimed_device_id AS "claimedDeviceId", q.claimed_at AS "claimedAt", q.outcome, q.discarded_at AS "discardedAt"
    """

  func list(_ wanted: QuarantineQuery, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM quarantined_uplinks q
        WHERE q.organization_id = $1
          AND ($2 AND q.claimed_at IS NULL AND q.discarded_at IS NULL OR $3 AND q.claimed_at IS NOT NULL
            OR $4 AND q.discarded_at IS NOT NULL)
          AND ($5::text[] IS NULL OR q.reason = ANY ($5)) AND ($6::text IS NULL OR q.dev_eui = $6)
          AND ($7::uuid IS NULL OR (q.received_at, q.id) < (
            SELECT l.received_at, l.id FROM quarantined_uplinks l WHERE l.organization_id = $1 AND l.id = $7))
        ORDER BY q.received_at DESC, q.id DESC LIMIT $8
        """,
      [
        .uuid(scope.organizationId), .bool(wanted.statuses.contains(.open)), .bool(wanted.statuses.contains(.claimed)),
        .bool(wanted.statuses.contains(.discarded)), wanted.reasons.map { .texts($0.map(\.rawValue)) } ?? .null,
        .optional(wanted.devEUI), .optional(wanted.before), .int(Int64(wanted.limit)),
      ])
  }

  func get(_ id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + ", convert_from(q.body, 'UTF8') AS body FROM quarantined_uplinks q WHERE q.organization_id = $1 AND q.id = $2",
      [.uuid(scope.organizationId), .uuid(id)])
  }

  /// Who sent it, as the message names it. Nil: there is no such message that is open.
  func sender(
    of id: UUID, _ scope: OrganizationScope
  ) async throws -> (devEUI: String?, deviceID: String?)? {
    let row = try await database.query(
      """
      SELECT dev_eui, device_id FROM quarantined_uplinks
      WHERE organization_id = $1 AND id = $2 AND claimed_at IS NULL AND discarded_at IS NULL
      """, [.uuid(scope.organizationId), .uuid(id)]
    ).first
    return try row.map { (try $0.optionalText(0), try $0.optionalText(1)) }
  }

  // MARK: - What a person decides

  /// 404 is for what is not there or dealt with already: no row.
  func discard(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.transaction { connection in
      let done = try await connection.query(
        """
        WITH q AS (
          UPDATE quarantined_uplinks SET discarded_at = $4, discarded_by = $5
          WHERE organization_id = $1 AND id = $3 AND claimed_at IS NULL AND discarded_at IS NULL RETURNING *
        )
        SELECT append_event_log($1, $2, 'quarantine.discarded', 'quarantined_uplink', q.id,
          jsonb_build_object('reason', q.reason, 'devEui', q.dev_eui, 'receivedAt', q.received_at), NULL) FROM q
        """,
        [
          .uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .timestamp(request.received),
          .uuid(scope.userId),
        ])
      guard !done.isEmpty else { return done }
      return try await connection.query(
        "SELECT " + Self.columns + " FROM quarantined_uplinks q WHERE q.organization_id = $1 AND q.id = $2",
        [.uuid(scope.organizationId), .uuid(id)])
    }
  }
}
