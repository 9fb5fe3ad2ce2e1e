import Basics
import Crypto
import JSON
import PostgreSQL

/// Signs tokens for those who have no identity provider: development, tests, a single server. Its key lies in the
/// database, so that every replica signs and believes the same.
public struct LocalIssuer: Sendable {
  private let configuration: AuthenticationConfiguration
  private let database: Database

  public init(_ configuration: AuthenticationConfiguration = .local, database: Database) {
    self.configuration = configuration
    self.database = database
  }

  /// A token for `user`, good from `now` on for `lifetime`.
  public func token(
    user: UUID, email: String? = nil, name: String? = nil, lifetime: Duration, now: Instant
  ) async throws -> String {
    let key = try await signingKey()
    let claims = JSONWriter.bytes { json in
      json.object { json in
        json.field("iss", configuration.issuer)
        if let audience = configuration.audience { json.field("aud", audience) }
        json.field("sub", user)
        json.field("iat", now.microseconds / 1_000_000)
        json.field("exp", (now + lifetime).microseconds / 1_000_000)
        if let email { json.field("email", email) }
        if let name { json.field("name", name) }
      }
    }
    return try JWT.sign(claims: claims, with: key)
  }

  /// What verifies its tokens.
  func keys() async throws -> JWKSet {
    _ = try await signingKey()
    let rows = try await database.query(
      "SELECT private_key FROM signing_keys WHERE retired_at IS NULL OR retired_at > now()")
    let keys = try rows.map { try PrivateKey(pkcs8: try $0.bytes(0)) }
    return try JWKSet(
      JSONWriter.bytes { json in
        json.object { json in json.array("keys") { json in for key in keys { key.writeJWK(to: &json) } } }
      })
  }

  /// Signs with a new key from now on. Tokens of the old one are believed until `overlap` is over, which should be as
  /// long as the longest lifetime of a token; servers that run notice within ten minutes.
  public func rotate(overlap: Duration) async throws -> String {
    let made = try PrivateKey.generate()
    _ = try await database.pipeline([
      (
        "UPDATE signing_keys SET retired_at = now() + $1 * interval '1 second' WHERE retired_at IS NULL",
        [.double(Double(overlap.microseconds) / 1_000_000)]
      ),
      (
        "INSERT INTO signing_keys (kid, algorithm, private_key) VALUES ($1, 'ES256', $2)",
        [.text(made.keyID), .bytes(made.pkcs8)]
      ),
    ])
    return made.keyID
  }

  /// The newest key, made when there is none. Two servers that start at once may make two, and both are believed.
  private func signingKey() async throws -> PrivateKey {
    if let key = try await newest() { return key }
    let made = try PrivateKey.generate()
    try await database.execute(
      """
      INSERT INTO signing_keys (kid, algorithm, private_key)
      SELECT $1, 'ES256', $2 WHERE NOT EXISTS (SELECT FROM signing_keys WHERE retired_at IS NULL)
      """, [.text(made.keyID), .bytes(made.pkcs8)])
    return try await newest() ?? made
  }

  private func newest() async throws -> PrivateKey? {
    let rows = try await database.query(
      "SELECT private_key FROM signing_keys WHERE retired_at IS NULL ORDER BY created_at DESC, kid LIMIT 1")
    return try rows.first.map { try PrivateKey(pkcs8: try $0.bytes(0)) }
  }
}
