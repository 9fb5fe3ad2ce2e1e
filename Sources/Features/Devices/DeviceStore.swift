import Basics
import HTTP
import Identity
import JSON
import PostgreSQL

/// Which unit a device measures from now on; no unit: none.
public struct DeviceAssignment: Sendable {
  let unitId: UUID?
  /// Which of its probes; nil is its main one.
  let channel: String?
  /// Whether it moves the unit's state.
  var isPrimary = true
  /// Nil: since ever for the first assignment of a device, so that what it sent before it was known here is placed too;
  /// else since now.
  let from: Instant?

  public init(unitId: UUID?, channel: String?, from: Instant?) {
    self.unitId = unitId
    self.channel = channel
    self.from = from
  }
}

public struct DeviceStore: Sendable {
  let database: Database

  public init(database: Database) { self.database = database }

  private static let columns: SQL = """
    d.id, d.organization_id AS "organizationId", d.dev_eui AS "devEui", d.join_eui AS "joinEui", d.name, d.description,
    d.model, d.device_id AS "deviceId", d.status, g.unit_id AS "unitId", g.channel,
    d.expected_interval_seconds AS "expectedIntervalSeconds", d.is_active AS "isActive",
    t.last_seen_at AS "lastSeenAt", t.battery, t.battery_voltage AS "batteryVoltage",
    t.signal_strength AS "signalStrength", d.created_at AS "createdAt", d.updated_at AS "updatedAt"
    """

  private static let source: SQL = """
     FROM devices d
    LEFT JOIN device_assignments g ON g.device_id = d.id AND g.assigned_to IS NULL
    LEFT JOIN device_states t ON t.device_id = d.id
    WHERE d.organization_id = $1 AND d.deleted_at IS NULL
    """

  /// The deleted ones, which can be restored, newest first.
  func listDeleted(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
        , d.deleted_at AS "deletedAt" FROM devices d
        LEFT JOIN device_assignments g ON g.device_id = d.id AND g.assigned_to IS NULL
        LEFT JOIN device_states t ON t.device_id = d.id
        WHERE d.organization_id = $1 AND d.deleted_at IS NOT NULL ORDER BY d.deleted_at DESC, d.id
        """, [.uuid(scope.organizationId)])
  }

  func list(unit: UUID?, site: UUID?, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + Self.source
        + """
         AND ($2::uuid IS NULL OR g.unit_id = $2)
        AND ($3::uuid IS NULL OR g.unit_id IN (
          SELECT u.id FROM units u JOIN areas a ON a.id = u.area_id WHERE u.organization_id = $1 AND a.site_id = $3))
        ORDER BY d.name, d.id
        """, [.uuid(scope.organizationId), .optional(unit), .optional(site)])
  }

  private static let one: SQL = "SELECT " + columns + source + " AND d.id = $2"

  func get(_ id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(Self.one, [.uuid(scope.organizationId), .uuid(id)])
  }

  func assignments(of id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      SELECT g.id, g.device_id AS "deviceId", g.unit_id AS "unitId", u.name AS "unitName", g.channel,
        g.is_primary AS "isPrimary",
        CASE WHEN isfinite(g.assigned_from) THEN g.assigned_from END AS "assignedFrom", g.assigned_to AS "assignedTo"
      FROM device_assignments g JOIN units u ON u.id = g.unit_id
      WHERE g.organization_id = $1 AND g.device_id = $2 ORDER BY g.assigned_from DESC
      """, [.uuid(scope.organizationId), .uuid(id)])
  }

  /// Moves the device. No row when it is not there.
  func assign(
    _ id: UUID, _ assignment: DeviceAssignment, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    try await database.transaction { connection in
      let found = try await connection.query(
        "SELECT FROM devices WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL FOR NO KEY UPDATE",
        [.uuid(scope.organizationId), .uuid(id)])
      guard !found.isEmpty else { return found }
      try await assign(id, assignment, scope, request, on: connection)
      return try await connection.query(Self.one, [.uuid(scope.organizationId), .uuid(id)])
    }
  }

  public func create(
    _ row: Value, _ assignment: DeviceAssignment?, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    let id = UUID.v7(at: request.received)
    return try await database.transaction { connection in
      try await lockSensors(scope, on: connection)
      _ = try await connection.query(
        """
        WITH d AS (
          INSERT INTO devices (id, organization_id, dev_eui, join_eui, name, description, model, device_id, status,
            expected_interval_seconds, is_active, ttn_connection_id)
          SELECT $4, $1, p.dev_eui, p.join_eui, p.name, p.description, p.model, p.device_id, p.status,
            p.expected_interval_seconds, p.is_active, p.ttn_connection_id
          FROM jsonb_populate_record(NULL::devices, $3) p RETURNING *
        )
        SELECT append_event_log($1, $2, 'device.created', 'device', d.id, NULL, to_jsonb(d)) FROM d
        """, [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(id)])
      try await checkSensorLimit(scope, on: connection)
      if let assignment { try await assign(id, assignment, scope, request, on: connection) }
      return try await connection.query(Self.one, [.uuid(scope.organizationId), .uuid(id)])
    }
  }

  public func update(
    _ id: UUID, _ row: Value, _ assignment: DeviceAssignment?, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    try await database.transaction { connection in
      try await lockSensors(scope, on: connection)
      let found = try await connection.query(
        """
        WITH old AS (
          SELECT * FROM devices WHERE organization_id = $1 AND id = $4 AND deleted_at IS NULL FOR UPDATE
        ), d AS (
          UPDATE devices t
          SET (dev_eui, join_eui, name, description, model, device_id, status, expected_interval_seconds, is_active) =
            (SELECT p.dev_eui, p.join_eui, p.name, p.description, p.model, p.device_id, p.status,
              p.expected_interval_seconds, p.is_active FROM jsonb_populate_record(t, $3) p), updated_at = now()
          FROM old WHERE t.id = old.id RETURNING t.*
        )
        SELECT d.is_active AND NOT old.is_active,
          append_event_log($1, $2, 'device.updated', 'device', d.id, to_jsonb(old), to_jsonb(d))
        FROM old, d
        """, [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(id)])
      guard let row = found.first else { return found }
      if try row.bool(0) { try await checkSensorLimit(scope, on: connection) }
      if let assignment { try await assign(id, assignment, scope, request, on: connection) }
      return try await connection.query(Self.one, [.uuid(scope.organizationId), .uuid(id)])
    }
  }

  /// What it measured stays with its unit; the assignment ends now.
  public func delete(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH d AS (
        UPDATE devices SET deleted_at = now(), updated_at = now()
        WHERE organization_id = $1 AND id = $3 AND deleted_at IS NULL RETURNING *
      ), closed AS (
        UPDATE device_assignments g SET assigned_to = greatest($4, g.assigned_from + interval '1 microsecond')
        FROM d WHERE g.device_id = d.id AND g.assigned_to IS NULL
      )
      SELECT append_event_log($1, $2, 'device.deleted', 'device', d.id, to_jsonb(d), NULL) FROM d
      """,
      [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .timestamp(request.received)])
    return !rows.isEmpty
  }

  /// It comes back without a unit.
  func restore(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.transaction { connection in
      try await lockSensors(scope, on: connection)
      let found = try await connection.query(
        """
        WITH d AS (
          UPDATE devices SET deleted_at = NULL, updated_at = now()
          WHERE organization_id = $1 AND id = $3 AND deleted_at IS NOT NULL RETURNING *
        )
        SELECT append_event_log($1, $2, 'device.restored', 'device', d.id, NULL, to_jsonb(d)) FROM d
        """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
      guard !found.isEmpty else { return found }
      try await checkSensorLimit(scope, on: connection)
      return try await connection.query(Self.one, [.uuid(scope.organizationId), .uuid(id)])
    }
  }

  // MARK: - Assignments and the sensor limit

  /// Ends the open assignment and starts the new one at the same instant. Nothing happens when both say the same. The
  /// past is not moved: 409 when the device has readings of another unit since then.
  private func assign(
    _ id: UUID, _ assignment: DeviceAssignment, _ scope: OrganizationScope, _ request: Request,
    on connection: Connection
  ) async throws {
    if let unitId = assignment.unitId {
      let unit = try await connection.query(
        "SELECT FROM unit_current WHERE organization_id = $1 AND id = $2 AND is_visible",
        [.uuid(scope.organizationId), .uuid(unitId)])
      guard !unit.isEmpty else { throw InvalidFields("unitId", "is not a unit of this organization") }
    }
    if let from = assignment.from {
      let settled = try await connection.query(
        """
        SELECT FROM sensor_readings WHERE organization_id = $1 AND device_id = $2 AND recorded_at >= $3
          AND unit_id IS NOT NULL AND unit_id IS DISTINCT FROM $4::uuid LIMIT 1
        """,
        [.uuid(scope.organizationId), .uuid(id), .timestamp(from), .optional(assignment.unitId)])
      guard settled.isEmpty else { throw HTTPError.conflict("The device has readings of its present unit since then") }
    }
    _ = try await connection.query(
      """
      WITH open AS (
        SELECT * FROM device_assignments
        WHERE organization_id = $1 AND device_id = $3 AND assigned_to IS NULL FOR UPDATE
      ), now AS (
        -- After everything before it, also when another request came in first and was served last.
        SELECT greatest($7, max(coalesce(assigned_to, assigned_from + interval '1 microsecond'))) AS at
        FROM device_assignments WHERE organization_id = $1 AND device_id = $3
          AND coalesce(assigned_to, assigned_from) < $7 + interval '1 minute'
      ), same AS (
        SELECT FROM open WHERE unit_id = $4::uuid AND channel IS NOT DISTINCT FROM $5::text AND is_primary = $9
      ), closed AS (
        UPDATE device_assignments g SET assigned_to = coalesce($6, (SELECT at FROM now)) FROM open
        WHERE g.id = open.id AND NOT EXISTS (SELECT FROM same) RETURNING g.*
      ), opened AS (
        INSERT INTO device_assignments (organization_id, device_id, unit_id, channel, is_primary, assigned_from,
          assigned_by)
        SELECT $1, $3, $4, $5, $9, coalesce($6::timestamptz, CASE
            WHEN EXISTS (SELECT FROM device_assignments WHERE organization_id = $1 AND device_id = $3)
            THEN (SELECT at FROM now) ELSE '-infinity' END), $8
        FROM (SELECT count(*) FROM closed) after_closing
        WHERE $4::uuid IS NOT NULL AND NOT EXISTS (SELECT FROM same) RETURNING *
      )
      SELECT append_event_log($1, $2, 'device.assigned', 'device', $3, (SELECT to_jsonb(closed) FROM closed),
        (SELECT to_jsonb(opened) FROM opened))
      WHERE EXISTS (SELECT FROM closed) OR EXISTS (SELECT FROM opened)
      """,
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .optional(assignment.unitId),
        .optional(assignment.channel), .optional(assignment.from), .timestamp(request.received), .uuid(scope.userId),
        .bool(assignment.isPrimary),
      ])
  }

  /// 403 when no further device fits now. Whether one fits when it is made, ``create(_:_:_:_:)`` looks itself.
  public func checkSensorLimit(_ scope: OrganizationScope) async throws {
    try await database.withConnection { try await checkSensorLimit(scope, adding: 1, on: $0) }
  }

  /// Holds the organization's row, so that two devices cannot both be the last that fits.
  private func lockSensors(_ scope: OrganizationScope, on connection: Connection) async throws {
    _ = try await connection.query(
      "SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE", [.uuid(scope.organizationId)])
  }

  /// To be called when a device has been added, before the transaction ends.
  private func checkSensorLimit(
    _ scope: OrganizationScope, adding more: Int64 = 0, on connection: Connection
  ) async throws {
    let rows = try await connection.query(
      """
      SELECT sensor_limit, (SELECT count(*) FROM devices d
        WHERE d.organization_id = o.id AND d.deleted_at IS NULL AND d.is_active)
      FROM organizations o WHERE o.id = $1
      """, [.uuid(scope.organizationId)])
    guard let row = rows.first, case let (limit, count) = (try row.int(0), try row.int(1)), count + more > limit else {
      return
    }
    throw HTTPError(
      .forbidden, "SENSOR_LIMIT_REACHED", "The sensor limit of this organization is reached",
      details: [
        HTTPError.Detail(path: "currentCount", message: "\(count + more - 1)"),
        HTTPError.Detail(path: "limit", message: "\(limit)"),
      ])
  }
}
