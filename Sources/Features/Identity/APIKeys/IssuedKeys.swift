import Basics
import HTTP
import PostgreSQL

/// API keys that the server makes for itself: to be given to another server that will send with them.
public struct IssuedKeys: Sendable {
  private let store: APIKeyStore

  public init(database: Database) { store = APIKeyStore(database: database) }

  /// A key that may only ingest. Its text is nowhere but in the result.
  public func issue(
    _ name: String, _ scope: OrganizationScope, _ request: Request
  ) async throws -> (id: UUID, text: String) {
    let (key, text) = APIKey.make()
    let rows = try await store.create(key, text: text, NewAPIKey(ingesting: name), scope, request)
    guard let row = rows.first else { throw DatabaseError(.usage, "a key was made and not returned") }
    return (try row.uuid("id"), text)
  }

  public func revoke(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws {
    _ = try await store.revoke(id, scope, request)
  }
}

extension NewAPIKey {
  fileprivate init(ingesting name: String) {
    self.name = name
    scopes = [.ingest]
    siteId = nil
    expiresAt = nil
  }
}

extension IngestScope {
  /// For messages that the server itself fetches from the network of an organization: they count as sent with `key`, with which
  /// the network would have sent them.
  public static func fetched(for organizationId: UUID, with key: UUID) -> IngestScope {
    IngestScope(organizationId: organizationId, apiKeyId: key, siteId: nil)
  }
}
