import Crypto
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// The organization's own account for text messages.
public struct SMSConfigRoutes: Sendable {
  let store: SMSConfigStore
  /// Nil: no key to seal with.
  let box: SecretBox?

  public init(database: Database, box: SecretBox?) {
    store = SMSConfigStore(database: database)
    self.box = box
  }

  public func routes(_ gate: Gate) -> [Route] {
    let path = "/api/orgs/:organizationId/alerts/sms/config"
    return Array(
      [
        gate.get(
          path, .viewer, "The account for text messages, without its key", gives: .one(.smsConfigOrNone), get),
        gate.post(
          path, .admin, "Set the account for text messages", takes: .fields(SMSConfig.init), gives: .one(.smsConfig),
          put),
        gate.delete(path, .admin, "Forget the account for text messages and its key", delete),
      ].joined())
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    if let config = try await store.get(scope).json.firstObject { return .json(bytes: config) }
    return .json { json in
      json.object { json in
        json.field("configured", false)
        json.field("message", "Text messages are not set up for this organization")
      }
    }
  }

  @Sendable func put(_ request: Request, _ scope: OrganizationScope, _ config: SMSConfig) async throws -> Response {
    guard let box else { throw HTTPError.notConfigured("Text messages") }
    return try .row(await store.put(config, sealedWith: box, scope, request), or: "SMS configuration")
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.delete(scope, request) else { throw HTTPError.notFound("SMS configuration") }
    return .noContent
  }
}
