import Basics
import HTTP
import Identity
import JSON
import PostgreSQL

/// What a PUT of the settings names. Nil: stays as it is.
struct TTNSettings: Sendable {
  let cluster: Cluster?
  let applicationId: StackID?
  let apiKey: String?
  let isEnabled: Bool?
  let storageHours: Int?

  init(_ fields: inout Fields) {
    let region = fields.optionalString("region", 1...253)
    let text = fields.optionalString("cluster", 1...253) ?? region
    cluster = text.flatMap { Cluster($0) }
    if text != nil, cluster == nil {
      fields.problem("cluster", "must be eu1, nam1, au1 or the host name of a cluster")
    }
    let application = fields.optionalString("applicationId", 3...36)
    applicationId = application.flatMap { StackID($0) }
    if application != nil, applicationId == nil {
      fields.problem("applicationId", "must be lower-case letters and digits with single hyphens between them")
    }
    apiKey = fields.optionalString("apiKey", 16...1024)
    if let apiKey, !apiKey.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
      fields.problem("apiKey", "must be printable ASCII without blanks")
    }
    isEnabled = fields.optionalBool("isEnabled")
    storageHours = fields.optionalInt("storageHours", in: 1...8784)
  }
}

struct TTNConnectionStore: Sendable {
  let database: Database

  /// Of a row `c` with its state `s`. Never the key.
  private static let columns: SQL = """
    c.id, c.organization_id AS "organizationId", c.cluster, c.application_id AS "applicationId",
    c.is_active AS "isEnabled", c.api_key_encrypted IS NOT NULL AS "hasApiKey", c.api_key_last4 AS "apiKeyLast4",
    c.webhook_id AS "webhookId", c.webhook_url AS "webhookUrl", c.webhook_registered_at AS "webhookRegisteredAt",
    c.storage_hours AS "storageHours", s.tested_at AS "lastTestAt", s.test_succeeded AS "lastTestSucceeded",
    s.test_message AS "lastTestMessage", s.synced_at AS "lastSyncAt", s.sync_error AS "lastSyncError",
    c.created_at AS "createdAt", c.updated_at AS "updatedAt"
    """

  /// An organization has one connection: the oldest, should there be more.
  private static let source: SQL = """
     FROM ttn_connections c LEFT JOIN ttn_connection_states s ON s.connection_id = c.id
    WHERE c.organization_id = $1 AND c.deleted_at IS NULL ORDER BY c.created_at, c.id LIMIT 1
    """

  func get(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query("SELECT " + Self.columns + Self.source, [.uuid(scope.organizationId)])
  }

  /// As ``TTNConnection`` reads it.
  static let record: SQL = """
    c.id, c.organization_id, c.cluster, c.application_id, c.api_key_encrypted, c.webhook_id, c.storage_hours,
    c.ingest_key_id, c.is_active
    """

  func connection(_ scope: OrganizationScope) async throws -> TTNConnection? {
    try await database.query("SELECT " + Self.record + Self.source, [.uuid(scope.organizationId)])
      .first.map(TTNConnection.init)
  }

  /// Makes the connection, or changes what `settings` names.
  func put(
    _ settings: TTNSettings, sealing seal: (UUID) throws(HTTPError) -> [UInt8]?, _ scope: OrganizationScope,
    _ request: Request
  ) async throws -> Rows {
    try await database.transaction { connection in
      // Two that come at once make one connection.
      _ = try await connection.query(
        "SELECT FROM organizations WHERE id = $1 FOR NO KEY UPDATE", [.uuid(scope.organizationId)])
      let found = try await connection.query(
        "SELECT " + Self.record + Self.source, [.uuid(scope.organizationId)]
      ).first.map(TTNConnection.init)
      if let found {
        if let cluster = settings.cluster, cluster != found.cluster, found.sealedKey != nil, settings.apiKey == nil {
          // Or whoever may change the cluster could have the key sent to a host of his own.
          throw InvalidFields("apiKey", "must be given again with another cluster")
        }
        let key = try seal(found.id)
        try await update(found, settings, key, scope, request, on: connection)
      } else {
        guard let application = settings.applicationId else { throw InvalidFields("applicationId", "is required") }
        let id = UUID.v7(at: request.received)
        let key = try seal(id)
        try await insert(id, application, settings, key, scope, request, on: connection)
      }
      return try await connection.query("SELECT " + Self.columns + Self.source, [.uuid(scope.organizationId)])
    }
  }

  private func insert(
    _ id: UUID, _ application: StackID, _ settings: TTNSettings, _ key: [UInt8]?, _ scope: OrganizationScope,
    _ request: Request, on connection: Connection
  ) async throws {
    let cluster = settings.cluster ?? Cluster("nam1")
    _ = try await connection.query(
      """
      WITH c AS (
        INSERT INTO ttn_connections (id, organization_id, cluster, application_id, api_key_encrypted, api_key_last4,
          is_active, storage_hours)
        VALUES ($3, $1, $4, $5, $6, $7, $8, $9) RETURNING *
      )
      SELECT append_event_log($1, $2, 'ttn_connection.created', 'ttn_connection', c.id, NULL,
        to_jsonb(c) - 'api_key_encrypted') FROM c
      """,
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .text(cluster?.name ?? "nam1"),
        .text(application.description), key.map(Value.bytes) ?? .null,
        .optional(settings.apiKey.map { String($0.suffix(4)) }), .bool(settings.isEnabled ?? true),
        .int(settings.storageHours ?? cluster?.storageHours ?? 24),
      ])
  }

  private func update(
    _ old: TTNConnection, _ settings: TTNSettings, _ key: [UInt8]?, _ scope: OrganizationScope, _ request: Request,
    on connection: Connection
  ) async throws {
    _ = try await connection.query(
      """
      WITH old AS (
        SELECT * FROM ttn_connections WHERE organization_id = $1 AND id = $3 FOR UPDATE
      ), c AS (
        UPDATE ttn_connections t SET cluster = coalesce($4, t.cluster), application_id = coalesce($5, t.application_id),
          api_key_encrypted = coalesce($6, t.api_key_encrypted), api_key_last4 = coalesce($7, t.api_key_last4),
          is_active = coalesce($8, t.is_active), storage_hours = coalesce($9, t.storage_hours)::integer,
          updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      )
      SELECT append_event_log($1, $2, 'ttn_connection.updated', 'ttn_connection', c.id,
        to_jsonb(old) - 'api_key_encrypted', to_jsonb(c) - 'api_key_encrypted') FROM old, c
      """,
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(old.id), .optional(settings.cluster?.name),
        .optional(settings.applicationId?.description), key.map(Value.bytes) ?? .null,
        .optional(settings.apiKey.map { String($0.suffix(4)) }), .optional(settings.isEnabled),
        .optional(settings.storageHours),
      ])
  }

  /// The webhook sends with `key` from now on. Returns the key that it sent with before.
  func noteWebhook(
    _ connection: TTNConnection, id: String, url: String, key: UUID, _ scope: OrganizationScope, _ request: Request
  ) async throws {
    _ = try await database.query(
      """
      WITH c AS (
        UPDATE ttn_connections SET webhook_id = $4, webhook_url = $5, ingest_key_id = $6, webhook_registered_at = $7,
          updated_at = now()
        WHERE organization_id = $1 AND id = $3 RETURNING *
      )
      SELECT append_event_log($1, $2, 'ttn_connection.webhook_registered', 'ttn_connection', c.id, NULL,
        to_jsonb(c) - 'api_key_encrypted') FROM c
      """,
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(connection.id), .text(id), .text(url),
        .uuid(key), .timestamp(request.received),
      ])
  }

  func noteTest(_ connection: TTNConnection, succeeded: Bool, message: String, at now: Instant) async throws {
    try await database.execute(
      """
      INSERT INTO ttn_connection_states (connection_id, organization_id, tested_at, test_succeeded, test_message)
      VALUES ($1, $2, $3, $4, $5)
      ON CONFLICT (connection_id) DO UPDATE SET tested_at = $3, test_succeeded = $4, test_message = $5
      """,
      [.uuid(connection.id), .uuid(connection.organizationId), .timestamp(now), .bool(succeeded), .text(message)])
  }

  func store(_ journal: Journal, _ organization: UUID, requestId: String?) async throws {
    guard !journal.entries.isEmpty else { return }
    let (sql, parameters) = journal.insert(organization: organization, requestId: requestId)
    try await database.execute(sql, parameters)
  }

  func logs(limit: Int, offset: Int, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      SELECT id, created_at AS "createdAt", step, status, subject, message, endpoint AS "ttnEndpoint",
        http_status AS "ttnHttpStatus", duration_ms AS "durationMs", request_id AS "requestId"
      FROM ttn_provisioning_logs WHERE organization_id = $1 ORDER BY created_at DESC, id DESC LIMIT $2 OFFSET $3
      """, [.uuid(scope.organizationId), .int(limit), .int(offset)])
  }
}

extension TTNConnection {
  /// Of ``TTNConnectionStore/record``.
  init(_ row: Row) throws {
    self.init(
      id: try row.uuid(0), organizationId: try row.uuid(1), cluster: Cluster(stored: try row.text(2)),
      applicationId: try row.text(3),
      sealedKey: try row.optionalBytes(4), webhookId: try row.optionalText(5), storageHours: Int(try row.int(6)),
      ingestKeyId: try row.optionalUUID(7), isActive: try row.bool(8))
  }
}

extension SealedColumn {
  /// API keys of The Things Stack.
  public static let stackKeys = SealedColumn(
    "ttn_connections", key: "id", "api_key_encrypted", context: TTNConnection.keyContext)
}
