import Basics
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// How an organization is connected with its application at The Things Stack.
public struct TTNConnectionRoutes: Sendable {
  private let store: TTNConnectionStore
  private let keys: IssuedKeys
  private let stack: StackConfiguration

  public init(database: Database, stack: StackConfiguration) {
    store = TTNConnectionStore(database: database)
    keys = IssuedKeys(database: database)
    self.stack = stack
  }

  /// The id of our webhook at The Things Stack.
  static let webhookId = "freshtrack"
  static let webhookPath = "/api/webhooks/ttn"

  public func routes(_ gate: Gate) -> [Route] {
    let ttn = "/api/orgs/:organizationId/ttn"
    return Array(
      [
        gate.get(ttn, .viewer, "The TTN connection", gives: .one(.ttnConnection), get),
        gate.put(
          ttn, .admin, "Connect with an application at The Things Stack, or change the connection",
          takes: .fields(TTNSettings.init), gives: .one(.ttnConnection), put),
        gate.post(
          ttn + "/test", .admin, "Ask The Things Stack whether the connection works", gives: .one(.ttnTest), test),
        gate.post(
          ttn + "/webhook", .admin, "Have The Things Stack send its messages here, with a new API key",
          gives: .one(.ttnConnection), registerWebhook),
        gate.get(ttn + "/health", .viewer, "How the feed is doing", gives: .one(.ttnHealth), health),
        gate.get(
          ttn + "/provisioning-logs", .admin, "What was asked of The Things Stack, newest first", asks: Page.init,
          gives: .list(.ttnProvisioningLog), logs),
      ].joined())
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(scope), or: "TTN connection")
  }

  @Sendable func put(
    _ request: Request, _ scope: OrganizationScope, _ settings: TTNSettings
  ) async throws -> Response {
    let secrets = stack.secrets
    let rows = try await store.put(
      settings,
      sealing: { id throws(HTTPError) in
        guard let key = settings.apiKey else { return nil }
        guard let secrets else { throw .notConfigured("The Things Stack") }
        return secrets.seal(Array(key.utf8), context: TTNConnection.keyContext(id))
      }, scope, request)
    return try .row(rows, or: "TTN connection")
  }

  // MARK: - Asking The Things Stack

  /// What an API key of an application needs for everything here.
  static let rights = [
    "RIGHT_APPLICATION_DEVICES_READ", "RIGHT_APPLICATION_DEVICES_WRITE", "RIGHT_APPLICATION_DEVICES_WRITE_KEYS",
    "RIGHT_APPLICATION_TRAFFIC_READ", "RIGHT_APPLICATION_TRAFFIC_DOWN_WRITE",
    "RIGHT_APPLICATION_SETTINGS_BASIC",
  ]

  /// The rights of the key, whether the application is there, and how our webhook is doing. A failure is an answer too.
  @Sendable func test(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let (connection, client) = try await connected(scope)
    var missing: [String] = []
    var failure: StackError?
    do throws(StackError) {
      let rights = try await client.keyInfo().rights
      let hasAll = rights.contains("RIGHT_ALL") || rights.contains("RIGHT_APPLICATION_ALL")
      missing = hasAll ? [] : Self.rights.filter { !rights.contains($0) }
      _ = try await client.call(.get, "/applications/\(client.application)", query: [("field_mask", "name")])
    } catch {
      failure = error
    }
    var webhook: (isHealthy: Bool, failedAttempts: Int)?
    if failure == nil, let id = connection.webhookId { webhook = try? await client.webhookHealth(id) }
    let succeeded = failure == nil && missing.isEmpty
    let message =
      failure?.message
      ?? (missing.isEmpty ? "The connection works" : "The API key lacks \(missing.joined(separator: ", "))")
    try await store.noteTest(connection, succeeded: succeeded, message: message, at: request.received)
    let (missingRights, health) = (missing, webhook)
    return .json { json in
      json.object { json in
        json.field("success", succeeded)
        json.field("message", message)
        json.array("missingRights") { json in for right in missingRights { json.string(right) } }
        json.field("applicationId", connection.applicationId)
        json.field("cluster", connection.cluster.name)
        json.field("webhookHealthy", health?.isHealthy)
        json.field("webhookFailedAttempts", health?.failedAttempts)
        json.field("testedAt", request.received)
      }
    }
  }

  /// The key that the webhook had before is revoked once the new one is in place: at no time is there none that works.
  @Sendable func registerWebhook(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let (connection, client) = try await connected(scope)
    guard let base = stack.publicURL else { throw HTTPError.notConfigured("The address of this server") }
    let key = try await keys.issue("The Things Stack \(connection.applicationId)", scope, request)
    let journal = Journal(clock: stack.clock)
    do throws(StackError) {
      try await client.setWebhook(
        Self.webhookId, base: base, path: Self.webhookPath, headers: [("X-API-Key", key.text)], journal)
    } catch {
      try await keys.revoke(key.id, scope, request)
      try await store.store(journal, scope.organizationId, requestId: request.id)
      throw HTTPError.stack(error, "Failed to register the webhook")
    }
    try await store.noteWebhook(
      connection, id: Self.webhookId, url: base + Self.webhookPath, key: key.id, scope, request)
    if let old = connection.ingestKeyId { try await keys.revoke(old, scope, request) }
    try await store.store(journal, scope.organizationId, requestId: request.id)
    return try .row(await store.get(scope), or: "TTN connection")
  }

  private func connected(_ scope: OrganizationScope) async throws -> (TTNConnection, StackClient) {
    try await store.connected(scope, stack)
  }

  // MARK: - Looking

  @Sendable func health(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.health(scope, at: request.received), or: "TTN connection")
  }

  @Sendable func logs(_ request: Request, _ scope: OrganizationScope, _ page: Page) async throws -> Response {
    .rows(try await store.logs(limit: page.limit, offset: page.offset, scope).json)
  }
}

extension TTNConnectionStore {
  /// The connection and who speaks for it; 400 when it is not set up, 503 when the operator has not given a key to open its secret.
  func connected(
    _ scope: OrganizationScope, _ stack: StackConfiguration
  ) async throws -> (TTNConnection, StackClient) {
    guard let connection = try await connection(scope), connection.sealedKey != nil else {
      throw HTTPError.ttnNotConfigured
    }
    guard let client = stack.client(of: connection) else { throw HTTPError.notConfigured("The Things Stack") }
    return (connection, client)
  }
}
