import Basics
import HTTP
import PostgreSQL

struct APIKeyStore: Sendable {
  let database: Database

  /// Never the hash.
  private static let columns: SQL = """
    k.id, k.key_id AS "keyId", k.name, k.scopes, k.site_id AS "siteId", k.created_at AS "createdAt",
    k.expires_at AS "expiresAt", k.last_used_at AS "lastUsedAt", k.revoked_at AS "revokedAt",
    k.family_id AS "familyId"
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

  /// Makes a second key that does what the given one does, which itself ends after `overlap`. Returns the row of the
  /// new one and the key id of the old one. 404 when there is no such key; 409 when it has ended, and while there are
  /// two already.
  func rotate(
    _ id: UUID, to key: APIKey, text: String, overlap: Duration, expiresAt: Instant?, _ scope: OrganizationScope,
    _ request: Request
  ) async throws -> (rows: Rows, replaced: String) {
    let (organization, now) = (Value.uuid(scope.organizationId), Value.timestamp(request.received))
    return try await database.transaction { connection in
      let locked = try await connection.pipeline([
        (
          """
          SELECT FROM api_keys WHERE organization_id = $1
            AND family_id = (SELECT family_id FROM api_keys WHERE organization_id = $1 AND id = $2) FOR UPDATE
          """, [organization, .uuid(id)]
        ),
        (
          """
          SELECT k.key_id, k.revoked_at IS NULL AND coalesce(k.expires_at > $3, true),
            (SELECT count(*) FROM api_keys l WHERE l.family_id = k.family_id AND l.revoked_at IS NULL
              AND coalesce(l.expires_at > $3, true))
          FROM api_keys k WHERE k.organization_id = $1 AND k.id = $2
          """, [organization, .uuid(id), now]
        ),
      ])
      guard let row = locked[1].first else { throw HTTPError.notFound("API key") }
      guard try row.bool(1) else { throw HTTPError.conflict("The key has ended: make a new one") }
      guard try row.int(2) < 2 else {
        throw HTTPError.conflict("Two keys are live already: revoke one of them first", code: "TWO_KEYS_LIVE")
      }
      let rows = try await connection.query(
        Self.rotating,
        [
          organization, Audit.author(scope, request), .uuid(id), .text(key.keyId), .bytes(key.secretHash),
          .timestamp(request.received + overlap), .optional(expiresAt), .uuid(scope.userId), .text(text), now,
        ])
      return (rows, try row.text(0))
    }
  }

  private static let rotating: SQL =
    """
    WITH old AS (
      UPDATE api_keys SET expires_at = least(expires_at, $6) WHERE organization_id = $1 AND id = $3 RETURNING *
    ), k AS (
      INSERT INTO api_keys (organization_id, key_id, secret_hash, name, scopes, site_id, expires_at, created_by,
        created_at, family_id)
      SELECT $1, $4, $5, name, scopes, site_id, $7, $8, $10, family_id FROM old RETURNING *
    ), log AS (
      SELECT append_event_log($1, $2, 'api_key.rotated', 'api_key', k.id, to_jsonb(old) - 'secret_hash',
        to_jsonb(k) - 'secret_hash')
      FROM old, k
    )
    SELECT
    """ + " " + columns + ", $9::text AS key FROM k, log"

  /// The key id of what was revoked; nil when there is no such key that is not revoked.
  func revoke(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> String? {
    let rows = try await database.query(
      """
      WITH old AS (
        SELECT * FROM api_keys WHERE organization_id = $1 AND id = $3 AND revoked_at IS NULL FOR UPDATE
      ), k AS (
        UPDATE api_keys t SET revoked_at = $5, revoked_by = $4 FROM old WHERE t.id = old.id RETURNING t.*
      )
      SELECT k.key_id, append_event_log($1, $2, 'api_key.revoked', 'api_key', k.id, to_jsonb(old) - 'secret_hash',
        to_jsonb(k) - 'secret_hash')
      FROM old, k
      """,
      [
        .uuid(scope.organizationId), Audit.author(scope, request), .uuid(id), .uuid(scope.userId),
        .timestamp(request.received),
      ])
    return try rows.first?.text(0)
  }
}
