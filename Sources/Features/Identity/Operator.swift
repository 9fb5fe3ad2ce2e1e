import Basics
import Forms
import PostgreSQL

/// What an operator does on the server itself, before anyone can log in. It goes into the audit log as the system's.
public struct Operator: Sendable {
  let database: Database

  public init(database: Database) { self.database = database }

  /// Makes an organization and its first owner. A slug that is taken gets a number.
  public func createOrganization(
    name: String, owner: UUID, email: String, timezone: String, now: Instant
  ) async throws -> (id: UUID, slug: String) {
    guard (1...256).contains(name.unicodeScalars.count) else {
      throw OperatorRefusal("the name has 1 to 256 characters")
    }
    let slug = Slug(from: name)
    for candidate in [slug.text] + slug.suggestions {
      do {
        let rows = try await database.query(
          """
          WITH o AS (
            INSERT INTO organizations (name, slug, timezone) VALUES ($2, $3, $4) RETURNING *
          ), role AS (
            INSERT INTO user_roles (organization_id, user_id, role) SELECT o.id, $5, 'owner' FROM o
          ), profile AS (
            INSERT INTO profiles (organization_id, user_id, email) SELECT o.id, $5, $6 FROM o
          )
          SELECT o.id, append_event_log(o.id, $1, 'organization.created', 'organization', o.id, NULL, to_jsonb(o)) FROM o
          """,
          [Audit.system(at: now), .text(name), .text(candidate), .text(timezone), .uuid(owner), .text(email)])
        guard let row = rows.first else { throw OperatorRefusal("the organization was not made") }
        return (try row.uuid(0), candidate)
      } catch let error as DatabaseError where error.violated == "organizations_slug" {
        continue
      } catch let error as DatabaseError where error.violated == "timezone_known" {
        throw OperatorRefusal("'\(timezone)' is not the name of a time zone, such as Europe/Berlin")
      }
    }
    throw OperatorRefusal("there are already organizations called '\(name)': take another name")
  }

  /// Makes a key for a machine. `key` is never to be had again.
  public func createKey(
    in organizationId: UUID, name: String, scopes: [APIKeyScope], now: Instant
  ) async throws -> (id: UUID, key: String) {
    guard (1...256).contains(name.unicodeScalars.count) else {
      throw OperatorRefusal("the name has 1 to 256 characters")
    }
    let (key, text) = APIKey.make()
    let rows = try await database.query(
      """
      WITH k AS (
        INSERT INTO api_keys (organization_id, key_id, secret_hash, name, scopes)
        SELECT o.id, $3, $4, $5, $6 FROM organizations o WHERE o.id = $2 AND o.deleted_at IS NULL RETURNING *
      )
      SELECT k.id, append_event_log($2, $1, 'api_key.created', 'api_key', k.id, NULL, to_jsonb(k) - 'secret_hash') FROM k
      """,
      [
        Audit.system(at: now), .uuid(organizationId), .text(key.keyId), .bytes(key.secretHash), .text(name),
        .texts(scopes.map(\.rawValue)),
      ])
    guard let row = rows.first else { throw OperatorRefusal("there is no organization \(organizationId)") }
    return (try row.uuid(0), text)
  }
}

extension Operator {
  /// Makes a user a super admin, or takes that from them. False when nothing had to be changed.
  public func setSuperAdmin(_ user: UUID, to isSuperAdmin: Bool, now: Instant) async throws -> Bool {
    let change: SQL =
      isSuperAdmin
      ? "INSERT INTO platform_roles (user_id, role) VALUES ($1, 'SUPER_ADMIN') ON CONFLICT DO NOTHING RETURNING user_id"
      : "DELETE FROM platform_roles WHERE user_id = $1 AND role = 'SUPER_ADMIN' RETURNING user_id"
    let rows = try await database.query(
      "WITH r AS (" + change
        + """
        ) SELECT append_platform_log($2, $3, NULL, r.user_id, jsonb_build_object('role', 'SUPER_ADMIN')) FROM r
        """,
      [
        .uuid(user), Audit.system(at: now),
        .text(isSuperAdmin ? "platform_role.granted" : "platform_role.revoked"),
      ])
    return !rows.isEmpty
  }
}

/// Why the operator's wish cannot be done, for the operator.
public struct OperatorRefusal: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
