import Basics
import Identity
import PostgreSQL

/// An alert that an incident, or the state of a device, gives rise to.
public struct NewAlert: Sendable {
  public var organizationId: UUID
  public var unitId: UUID?
  public var deviceId: UUID?
  public var incidentId: UUID?
  public var type: AlertType
  public var severity: AlertSeverity
  public var message: String
  /// Hundredths of °C.
  public var triggerTemperature: Int64?
  public var limit: Limit?
  /// Event time.
  public var triggeredAt: Instant
  /// The condition had ended when it was found out about: the alert is a record, and nobody is told. Event time.
  public var endedAt: Instant?

  public enum Limit: String, Sendable, CaseIterable {
    case minimum = "min"
    case maximum = "max"
  }

  public init(
    organizationId: UUID, unitId: UUID?, deviceId: UUID? = nil, incidentId: UUID? = nil, type: AlertType,
    severity: AlertSeverity, message: String, triggerTemperature: Int64? = nil, limit: Limit? = nil,
    triggeredAt: Instant, endedAt: Instant? = nil
  ) {
    self.organizationId = organizationId
    self.unitId = unitId
    self.deviceId = deviceId
    self.incidentId = incidentId
    self.type = type
    self.severity = severity
    self.message = message
    self.triggerTemperature = triggerTemperature
    self.limit = limit
    self.triggeredAt = triggeredAt
    self.endedAt = endedAt
  }
}

/// What the machine does with alerts. Each verb is one statement over all that are concerned, in the transaction of the
/// readings or of the clock tick that caused it; events and audit entries are written along.
public enum AlertStore {
  /// Opens those that are not open already, and returns the ids of the ones it opened with their incidents.
  @discardableResult
  public static func open(_ alerts: [NewAlert], at now: Instant, on connection: Connection) async throws -> [Opened] {
    guard !alerts.isEmpty else { return [] }
    let rows = try await connection.query(
      """
      WITH opened AS (
        INSERT INTO alerts (organization_id, unit_id, device_id, incident_id, alert_type, severity, message,
          trigger_temperature, threshold_violated, triggered_at, resolved_at, status, resolution_type, resolution,
          created_at, updated_at)
        SELECT n.*, CASE WHEN n.ended_at IS NULL THEN 'active' ELSE 'resolved' END,
          CASE WHEN n.ended_at IS NOT NULL THEN 'auto' END,
          CASE WHEN n.ended_at IS NOT NULL THEN 'Found in readings that arrived late' END, $12, $12
        FROM unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::numeric[],
          $10::text[], $11::timestamptz[], $13::timestamptz[])
          AS n (organization_id, unit_id, device_id, incident_id, alert_type, severity, message, trigger_temperature,
            threshold_violated, triggered_at, ended_at)
        ON CONFLICT DO NOTHING RETURNING *
      ), event AS (
        INSERT INTO events (organization_id, type, unit_id, payload, occurred_at)
        SELECT organization_id, 'alert.triggered', unit_id,
          jsonb_build_object('alertId', id, 'alertType', alert_type, 'severity', severity), $12
        FROM opened WHERE status <> 'resolved'
      )
      SELECT id, incident_id,
        append_event_log(organization_id, $1, 'alert.triggered', 'alert', id, NULL, to_jsonb(ordered))
      FROM (SELECT * FROM opened ORDER BY organization_id) ordered
      """,
      [
        Audit.system(at: now), .uuids(alerts.map(\.organizationId)), .uuids(alerts.map(\.unitId)),
        .uuids(alerts.map(\.deviceId)), .uuids(alerts.map(\.incidentId)), .texts(alerts.map(\.type.rawValue)),
        .texts(alerts.map(\.severity.rawValue)), .texts(alerts.map(\.message)),
        .hundredthsArray(alerts.map(\.triggerTemperature)), .texts(alerts.map { $0.limit?.rawValue }),
        .timestamps(alerts.map(\.triggeredAt)), .timestamp(now), .timestamps(alerts.map(\.endedAt)),
      ])
    return try rows.map { Opened(id: try $0.uuid(0), incidentId: try $0.optionalUUID(1)) }
  }

  public struct Opened: Sendable, Equatable {
    public let id: UUID
    public let incidentId: UUID?
  }

  /// The open alerts of these incidents become as severe as `severity`, one escalation level up; those that are so
  /// already stay as they are.
  @discardableResult
  public static func raise(
    incidents: [UUID], to severity: AlertSeverity, at now: Instant, on connection: Connection
  ) async throws -> [Opened] {
    guard !incidents.isEmpty else { return [] }
    return try await change(
      of: "status <> 'resolved' AND severity <> $4",
      to: """
        severity = $4, escalation_level = t.escalation_level + 1, escalated_at = $3
        """, "'alert.escalated'", telling: "jsonb_build_object('alertId', id, 'severity', severity)",
      [Audit.system(at: now), .uuids(incidents), .timestamp(now), .text(severity.rawValue)], on: connection)
  }

  /// Ends the open alerts of these incidents, because their conditions have ended.
  @discardableResult
  public static func resolve(
    incidents: [UUID], resolution: String, at now: Instant, on connection: Connection
  ) async throws -> [Opened] {
    guard !incidents.isEmpty else { return [] }
    return try await change(
      of: "status <> 'resolved'",
      to: """
        status = 'resolved', resolved_at = $3, resolution = $4, resolution_type = 'auto'
        """, "'alert.resolved'",
      [Audit.system(at: now), .uuids(incidents), .timestamp(now), .text(resolution)], on: connection)
  }

  /// Late readings moved the beginning of these incidents: their alerts were triggered then.
  public static func move(
    _ alerts: [(incident: UUID, triggeredAt: Instant, message: String)], on connection: Connection
  ) async throws {
    guard !alerts.isEmpty else { return }
    _ = try await connection.query(
      """
      UPDATE alerts a SET triggered_at = n.triggered_at, message = n.message, updated_at = now()
      FROM unnest($1::uuid[], $2::timestamptz[], $3::text[]) AS n (incident_id, triggered_at, message)
      WHERE a.incident_id = n.incident_id
      """,
      [.uuids(alerts.map(\.incident)), .timestamps(alerts.map(\.triggeredAt)), .texts(alerts.map(\.message))])
  }

  /// The condition of a resolved alert is there again: the same alert is open again, and nobody has taken it.
  @discardableResult
  public static func reopen(incidents: [UUID], at now: Instant, on connection: Connection) async throws -> [Opened] {
    guard !incidents.isEmpty else { return [] }
    return try await change(
      of: "status = 'resolved'",
      to: """
        status = 'active', acknowledged_at = NULL, acknowledged_by = NULL, resolved_at = NULL, resolved_by = NULL,
        resolution = NULL, resolution_type = NULL
        """, "'alert.reopened'", [Audit.system(at: now), .uuids(incidents), .timestamp(now)], on: connection)
  }

  /// Changes the alerts of the incidents `$2` that satisfy `condition`, by the author `$1` at `$3`.
  ///
  /// - Parameter payload: what live clients are told.
  private static func change(
    of condition: SQL, to columns: SQL, _ event: SQL,
    telling payload: SQL = "jsonb_build_object('alertId', id)", _ parameters: [Value], on connection: Connection
  ) async throws -> [Opened] {
    let sql: SQL =
      "WITH old AS (SELECT * FROM alerts WHERE incident_id = ANY ($2) AND " + condition
      + " ORDER BY organization_id, id FOR UPDATE), changed AS (UPDATE alerts t SET updated_at = $3, " + columns
        + """
         FROM old WHERE t.id = old.id RETURNING t.*), event AS (
          INSERT INTO events (organization_id, type, unit_id, payload, occurred_at)
          SELECT organization_id,
        """ + " " + event + ", unit_id, " + payload
      + ", $3 FROM changed) SELECT n.id, n.incident_id, append_event_log(n.organization_id, $1, " + event
        + """
        , 'alert', n.id, to_jsonb(old), to_jsonb(n))
        FROM (SELECT * FROM changed ORDER BY organization_id) n JOIN old ON old.id = n.id
        """
    return try await connection.query(sql, parameters).map {
      Opened(id: try $0.uuid(0), incidentId: try $0.optionalUUID(1))
    }
  }
}
