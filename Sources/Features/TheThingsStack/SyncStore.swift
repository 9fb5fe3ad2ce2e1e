import Basics
import Identity
import PostgreSQL

/// What the job that keeps in step reads and writes.
struct SyncStore: Sendable {
  let database: Database

  /// The connection that has waited longest and is due. It is due again at `again`, whatever becomes of it.
  func claimNext(at now: Instant, again: Instant) async throws -> TTNConnection? {
    let rows = try await database.query(
      """
      WITH next AS (
        SELECT s.connection_id FROM ttn_connection_states s
        JOIN ttn_connections c ON c.id = s.connection_id AND c.is_active AND c.deleted_at IS NULL
          AND c.api_key_encrypted IS NOT NULL
        WHERE coalesce(s.sync_due_at, '-infinity') <= $1
        ORDER BY s.sync_due_at NULLS FIRST LIMIT 1 FOR UPDATE OF s SKIP LOCKED
      ), claimed AS (
        UPDATE ttn_connection_states s SET sync_due_at = $2 FROM next WHERE s.connection_id = next.connection_id
        RETURNING s.connection_id
      )
      SELECT
      """ + " " + TTNConnectionStore.record + " FROM claimed s JOIN ttn_connections c ON c.id = s.connection_id",
      [.timestamp(now), .timestamp(again)])
    return try rows.first.map(TTNConnection.init)
  }

  /// Each connection that is in use has a row for what is known of it.
  func ensureStates() async throws {
    try await database.execute(
      """
      INSERT INTO ttn_connection_states (connection_id, organization_id)
      SELECT c.id, c.organization_id FROM ttn_connections c
      WHERE c.is_active AND c.deleted_at IS NULL
        AND NOT EXISTS (SELECT FROM ttn_connection_states s WHERE s.connection_id = c.id)
      ON CONFLICT DO NOTHING
      """)
  }

  func postpone(_ connection: UUID, until due: Instant) async throws {
    try await database.execute(
      "UPDATE ttn_connection_states SET sync_due_at = greatest(sync_due_at, $2) WHERE connection_id = $1",
      [.uuid(connection), .timestamp(due)])
  }

  func note(_ connection: UUID, error: String?, at now: Instant) async throws {
    try await database.execute(
      """
      UPDATE ttn_connection_states SET sync_error = $2,
        synced_at = CASE WHEN $2::text IS NULL THEN $3 ELSE synced_at END WHERE connection_id = $1
      """, [.uuid(connection), .optional(error), .timestamp(now)])
  }

  // MARK: - Devices

  /// Makes devices that are new, adopts those that had no connection, and marks what is gone when the list is whole.
  ///
  /// A DevEUI that was deleted here stays deleted. Beyond the sensor limit a new device is made inactive.
  func take(_ devices: [ListedDevice], isWhole: Bool, of connection: TTNConnection, at now: Instant) async throws {
    try await database.transaction { database in
      // Even a statement that changes no device makes every server look its devices up anew.
      guard try await differs(devices, isWhole: isWhole, of: connection, on: database) else { return }
      let limit = try await database.query(
        "SELECT sensor_limit FROM organizations WHERE id = $1 FOR NO KEY UPDATE", [.uuid(connection.organizationId)]
      ).first?.int(0)
      _ = try await database.query(
        """
        WITH listed AS (
          SELECT DISTINCT ON (l.dev_eui) l.* FROM unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::text[])
            AS l (device_id, dev_eui, join_eui, name, description) ORDER BY l.dev_eui
        ), fresh AS (
          SELECT l.*, row_number() OVER (ORDER BY l.dev_eui) AS place FROM listed l
          WHERE NOT EXISTS (SELECT FROM devices d WHERE d.organization_id = $1 AND d.dev_eui = l.dev_eui)
        ), active AS (
          SELECT count(*) AS count FROM devices WHERE organization_id = $1 AND deleted_at IS NULL AND is_active
        ), made AS (
          INSERT INTO devices (organization_id, dev_eui, join_eui, name, description, device_id, ttn_connection_id, status,
            is_active)
          SELECT $1, f.dev_eui, f.join_eui, left(coalesce(nullif(f.name, ''), f.device_id), 256), left(f.description, 2048),
            f.device_id, $3, 'inactive', active.count + f.place <= $9
          FROM fresh f, active ON CONFLICT DO NOTHING RETURNING *
        )
        SELECT append_event_log($1, $2, 'device.appeared', 'device', m.id, NULL, to_jsonb(m)) FROM made m
        """,
        [
          .uuid(connection.organizationId), Audit.system(at: now), .uuid(connection.id), .texts(devices.map(\.id)),
          .texts(devices.map(\.devEUI)), .texts(devices.map(\.joinEUI)), .texts(devices.map(\.name)),
          .texts(devices.map(\.description)), .int(Int(limit ?? 0)),
        ])
      _ = try await database.query(
        """
        UPDATE devices d SET device_id = l.device_id, ttn_connection_id = $2, ttn_missing_since = NULL, updated_at = now()
        FROM unnest($3::text[], $4::text[]) AS l (device_id, dev_eui)
        WHERE d.organization_id = $1 AND d.dev_eui = l.dev_eui AND d.deleted_at IS NULL
          AND (d.ttn_connection_id IS NULL OR d.ttn_connection_id = $2)
          AND (d.device_id IS DISTINCT FROM l.device_id OR d.ttn_connection_id IS NULL OR d.ttn_missing_since IS NOT NULL)
        """,
        [
          .uuid(connection.organizationId), .uuid(connection.id), .texts(devices.map(\.id)),
          .texts(devices.map(\.devEUI)),
        ])
      guard isWhole else { return }
      _ = try await database.query(
        """
        UPDATE devices d SET ttn_missing_since = $3, updated_at = now()
        WHERE d.organization_id = $1 AND d.ttn_connection_id = $2 AND d.deleted_at IS NULL AND d.device_id IS NOT NULL
          AND d.ttn_missing_since IS NULL AND d.dev_eui <> ALL ($4::text[])
        """,
        [
          .uuid(connection.organizationId), .uuid(connection.id), .timestamp(now), .texts(devices.map(\.devEUI)),
        ])
    }
  }

  private func differs(
    _ devices: [ListedDevice], isWhole: Bool, of connection: TTNConnection, on database: Connection
  ) async throws -> Bool {
    try await database.query(
      """
      SELECT EXISTS (
        SELECT FROM unnest($3::text[], $4::text[]) AS l (device_id, dev_eui)
        WHERE NOT EXISTS (SELECT FROM devices d WHERE d.organization_id = $1 AND d.dev_eui = l.dev_eui)
          OR EXISTS (SELECT FROM devices d WHERE d.organization_id = $1 AND d.dev_eui = l.dev_eui AND d.deleted_at IS NULL
            AND (d.ttn_connection_id IS NULL OR d.ttn_connection_id = $2) AND (d.device_id IS DISTINCT FROM l.device_id
              OR d.ttn_connection_id IS NULL OR d.ttn_missing_since IS NOT NULL))
      ) OR ($5 AND EXISTS (
        SELECT FROM devices d WHERE d.organization_id = $1 AND d.ttn_connection_id = $2 AND d.deleted_at IS NULL
          AND d.device_id IS NOT NULL AND d.ttn_missing_since IS NULL AND d.dev_eui <> ALL ($4::text[])))
      """,
      [
        .uuid(connection.organizationId), .uuid(connection.id), .texts(devices.map(\.id)),
        .texts(devices.map(\.devEUI)),
        .bool(isWhole),
      ]
    ).first?.bool(0) ?? false
  }

  // MARK: - Gateways

  func take(_ gateways: [ListedGateway], isWhole: Bool, of connection: TTNConnection, at now: Instant) async throws {
    try await database.transaction { database in
      _ = try await database.query(
        """
        WITH listed AS (
          SELECT * FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::float8[], $9::float8[],
            $10::float8[]) AS l (gateway_id, gateway_eui, name, description, plan, latitude, longitude, altitude)
        ), back AS (
          UPDATE gateways w SET ttn_missing_since = NULL, updated_at = now() FROM listed l
          WHERE w.organization_id = $1 AND w.gateway_id = l.gateway_id AND w.deleted_at IS NULL
            AND w.ttn_missing_since IS NOT NULL
        ), made AS (
          INSERT INTO gateways (id, organization_id, ttn_connection_id, gateway_id, gateway_eui, name, description,
            frequency_plan_id, latitude, longitude, altitude)
          SELECT gen_random_uuid(), $1, $11, l.gateway_id, l.gateway_eui, nullif(left(l.name, 256), ''), left(l.description, 2048),
            l.plan, CASE WHEN l.latitude BETWEEN -90 AND 90 THEN l.latitude END,
            CASE WHEN l.longitude BETWEEN -180 AND 180 THEN l.longitude END,
            CASE WHEN abs(l.altitude) < 100000 THEN l.altitude END
          FROM listed l WHERE NOT EXISTS (
            SELECT FROM gateways w WHERE w.organization_id = $1 AND w.gateway_id = l.gateway_id)
          ON CONFLICT DO NOTHING RETURNING *
        )
        SELECT append_event_log($1, $2, 'gateway.appeared', 'gateway', m.id, NULL, to_jsonb(m)) FROM made m
        """,
        [
          .uuid(connection.organizationId), Audit.system(at: now), .texts(gateways.map(\.id)),
          .texts(gateways.map(\.eui)), .texts(gateways.map(\.name)), .texts(gateways.map(\.description)),
          .texts(gateways.map(\.frequencyPlan)), .doubles(gateways.map { $0.location?.latitude }),
          .doubles(gateways.map { $0.location?.longitude }), .doubles(gateways.map { $0.location?.altitude }),
          .uuid(connection.id),
        ])
      guard isWhole else { return }
      _ = try await database.query(
        """
        UPDATE gateways w SET ttn_missing_since = $3, status = 'unknown', updated_at = now()
        WHERE w.organization_id = $1 AND w.ttn_connection_id = $2 AND w.deleted_at IS NULL
          AND w.ttn_missing_since IS NULL AND w.gateway_id <> ALL ($4::text[])
        """,
        [.uuid(connection.organizationId), .uuid(connection.id), .timestamp(now), .texts(gateways.map(\.id))])
    }
  }

  // MARK: - Deleted here, not yet there

  struct Deletion: Sendable {
    let id: UUID
    /// The id at The Things Stack.
    let name: String
  }

  func pendingDeletions(
    of connection: TTNConnection, limit: Int
  ) async throws -> (devices: [Deletion], gateways: [Deletion]) {
    let parameters: [Value] = [.uuid(connection.organizationId), .uuid(connection.id), .int(limit)]
    let answers = try await database.pipeline([
      (
        """
        SELECT d.id, d.device_id FROM devices d
        WHERE d.organization_id = $1 AND d.ttn_connection_id = $2 AND d.ttn_delete_pending AND d.deleted_at IS NOT NULL
          AND d.device_id IS NOT NULL ORDER BY d.id LIMIT $3
        """, parameters
      ),
      (
        """
        SELECT w.id, w.gateway_id FROM gateways w
        WHERE w.organization_id = $1 AND w.ttn_connection_id = $2 AND w.ttn_delete_pending AND w.deleted_at IS NOT NULL
        ORDER BY w.id LIMIT $3
        """, parameters
      ),
    ])
    func read(_ rows: Rows) throws -> [Deletion] {
      try rows.map { Deletion(id: try $0.uuid(0), name: try $0.text(1)) }
    }
    return (try read(answers[0]), try read(answers[1]))
  }

  func noteDeleted(device: UUID) async throws {
    try await database.execute("UPDATE devices SET ttn_delete_pending = false WHERE id = $1", [.uuid(device)])
  }
}
