import Basics
import Forms
import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// Keys that machines send with: made, listed, revoked. Two may live at once, so that one can replace the other.
public struct APIKeyRoutes: Sendable {
  let store: APIKeyStore
  let keys: APIKeys

  public init(database: Database, keys: APIKeys) {
    store = APIKeyStore(database: database)
    self.keys = keys
  }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/api-keys"
    return Array(
      [
        gate.get(all, .admin, "The keys of machines, never their secrets", gives: .list(.apiKey), list),
        gate.post(
          all, .admin, "Make a key; only this answer ever holds it", takes: .fields(NewAPIKey.init),
          gives: .created(.newAPIKey), create),
        gate.post(
          all + "/:apiKeyId/rotate", .admin, "Make a second key, which replaces this one after the overlap",
          takes: .fields(mayBeEmpty: true, KeyRotation.init), gives: .created(.newAPIKey), rotate),
        gate.delete(all + "/:apiKeyId", .admin, "Revoke a key", revoke),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .rows(try await store.list(scope).json)
  }

  @Sendable func create(_ request: Request, _ scope: OrganizationScope, _ new: NewAPIKey) async throws -> Response {
    if let expiresAt = new.expiresAt, expiresAt <= request.received {
      throw InvalidFields("expiresAt", "must be in the future")
    }
    let (key, text) = APIKey.make()
    return try await refusing(["api_keys_organization_id_site_id_fkey": InvalidFields("siteId", "is not a site")]) {
      try .row(await store.create(key, text: text, new, scope, request), .created, or: "API key")
    }
  }

  @Sendable func rotate(
    _ request: Request, _ scope: OrganizationScope, _ rotation: KeyRotation
  ) async throws -> Response {
    if let expiresAt = rotation.expiresAt, expiresAt <= request.received {
      throw InvalidFields("expiresAt", "must be in the future")
    }
    let (key, text) = APIKey.make()
    let (rows, replaced) = try await store.rotate(
      try request.uuid("apiKeyId"), to: key, text: text, overlap: rotation.overlap, expiresAt: rotation.expiresAt,
      scope, request)
    keys.forget(replaced)
    return try .row(rows, .created, or: "API key")
  }

  @Sendable func revoke(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard let keyId = try await store.revoke(try request.uuid("apiKeyId"), scope, request) else {
      throw HTTPError.notFound("API key")
    }
    keys.forget(keyId)
    return .noContent
  }
}

/// What is asked of a new key.
struct NewAPIKey {
  let name: String
  let scopes: [APIKeyScope]
  let siteId: UUID?
  let expiresAt: Instant?

  init(_ fields: inout Fields) {
    name = fields.string("name", 1...256)
    scopes = fields.optionalChoices("scopes", count: 1...APIKeyScope.allCases.count) ?? [.ingest]
    siteId = fields.optionalUUID("siteId")
    expiresAt = fields.optionalInstant("expiresAt")
    if siteId != nil, scopes.contains(.read) { fields.problem("siteId", "is only for keys that do not read") }
  }
}

/// How one key gives way to the next.
struct KeyRotation {
  /// How long both are live.
  let overlap: Duration
  /// Of the new key.
  let expiresAt: Instant?

  init(_ fields: inout Fields) {
    overlap = .seconds(fields.optionalInt("overlapSeconds", in: 0...2_592_000) ?? 86_400)
    expiresAt = fields.optionalInstant("expiresAt")
  }
}

extension Schema {
  static let apiKey = Schema.object("APIKey", apiKeyFields)
  static let newAPIKey = Schema.object("NewAPIKey", apiKeyFields + [.text("key")])

  private static let apiKeyFields: [Property] = [
    .uuid("id"), .text("keyId"), .text("name"), .array("scopes", of: .choice(APIKeyScope.self)),
    .uuid("siteId").orNull, .instant("createdAt"), .instant("expiresAt").orNull, .instant("lastUsedAt").orNull,
    .instant("revokedAt").orNull, .uuid("familyId"),
  ]
}
