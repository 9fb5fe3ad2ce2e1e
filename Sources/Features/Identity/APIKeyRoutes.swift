import Basics
import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// Keys that machines send with: made, listed, revoked. Two may live at once, so that one can replace the other.
public struct APIKeyRoutes: Sendable {
  let store: APIKeyStore

  public init(database: Database) { store = APIKeyStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    Array(
      [
        gate.get("/api/orgs/:organizationId/api-keys", .admin, list),
        gate.post("/api/orgs/:organizationId/api-keys", .admin, create),
        gate.delete("/api/orgs/:organizationId/api-keys/:apiKeyId", .admin, revoke),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .rows(try await store.list(scope).json)
  }

  /// The only answer that ever holds the key itself.
  @Sendable func create(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    var fields = try Fields(body: request.body)
    let name = fields.string("name", 1...256)
    let scopes = scopes(&fields)
    let siteId = fields.optionalUUID("siteId")
    let expiresAt = fields.optionalInstant("expiresAt")
    if let expiresAt, expiresAt <= request.received { fields.problem("expiresAt", "must be in the future") }
    if siteId != nil, scopes.contains(.read) { fields.problem("siteId", "is only for keys that do not read") }
    try fields.check()
    let (key, text) = APIKey.make()
    return try await refusing(["api_keys_organization_id_site_id_fkey": InvalidFields("siteId", "is not a site")]) {
      let rows = try await store.create(
        key, text: text, name: name, scopes: scopes, siteId: siteId, expiresAt: expiresAt, scope, request)
      return try .row(rows, .created, or: "API key")
    }
  }

  private func scopes(_ fields: inout Fields) -> [APIKeyScope] {
    guard let scopes = fields.optionalStrings("scopes", count: 1...APIKeyScope.allCases.count, 1...32) else {
      return [.ingest]
    }
    let known = scopes.compactMap(APIKeyScope.init(rawValue:))
    if known.count != scopes.count { fields.problem("scopes", "may hold ingest and read") }
    return known
  }

  @Sendable func revoke(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.revoke(try request.uuid("apiKeyId"), scope, request) else {
      throw HTTPError.notFound("API key")
    }
    return .noContent
  }
}
