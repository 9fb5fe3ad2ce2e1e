import Basics
import HTTP
import PostgreSQL

struct APIKeyStore: Sendable {
  let database: Database

  /// Never the hash.
  private static let columns: SQL = """
    k.id, k.key_id AS "keyId", k.name, k.scopes, k.site_id AS "siteId", k.created_at AS "createdAt",
    k.expires_at AS "expiresAt", k.last_used_at AS "lastUsedAt", k.revoked_at AS "revokedAt"
    """

  func list(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + " FROM api_keys k WHERE k.organization_id = $1 ORDER BY k.created_at, k.id",
      [.uuid(scope.organizationId)])
  }

  func create(
    _ key: APIKey, text: String, _ new: NewAPIKey, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    try await database.query(
      """
      WITH k AS (
        INSERT INTO api_keys (organization_id, key_id, secret_hash, name, scopes, site_id, expires_at, created_by)
        VALUES ($1, $3, $4, $5, $6, $7, $8, $9) RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'api_key.created', 'api_key', k.id, NULL, to_jsonb(k) - 'secret_hash') FROM k
      )
      SELECT
      """ + " " + Self.columns + ", $10::text AS key FROM k, log",
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .text(key.keyId), .bytes(key.secretHash),
        .text(new.name), .texts(new.scopes.map(\.rawValue)), .optional(new.siteId), .optional(new.expiresAt),
        .uuid(scope.userId), .text(text),
      ])
  }

  /// False when there is no such key that is not revoked.
  func revoke(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH k AS (
        UPDATE api_keys SET revoked_at = now(), revoked_by = $4
        WHERE organization_id = $1 AND id = $3 AND revoked_at IS NULL RETURNING *
      )
      SELECT append_event_log($1, $2, 'api_key.revoked', 'api_key', k.id, NULL, to_jsonb(k) - 'secret_hash') FROM k
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .uuid(scope.userId)])
    return !rows.isEmpty
  }
}
