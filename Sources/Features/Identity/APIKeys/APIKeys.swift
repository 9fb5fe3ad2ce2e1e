import Basics
import Crypto
import HTTP
import PostgreSQL
import Runtime
import Synchronization

/// Checks API keys. A key that was seen within the last second costs one hash and one look-up, and no statement.
///
/// A key that is revoked or rotated here is asked for again at once, on every loop; other servers know it within a
/// second. When the database is away, keys that were valid before stay valid, so that uplinks reach the spool.
public final class APIKeys: Sendable {
  private let database: Database
  private let state = Mutex(State())

  /// How long an answer of the database is taken as it is: also how late the revocation by another server can be.
  private static let freshness = Duration.seconds(1)

  /// Not either when the clock was set back since.
  private static func isFresh(_ entry: Entry?, at now: Instant) -> Bool {
    guard let entry else { return false }
    return entry.freshUntil > now && entry.freshUntil - now <= freshness
  }

  private struct State {
    var cache = TwoGenerationCache<String, Entry>(capacity: 4096)
    /// Counts what was forgotten: an answer that was asked for before is not kept.
    var revision = 0
  }

  private struct Entry {
    /// Nil: there is no such key.
    var record: Record?
    var freshUntil: Instant
  }

  private struct Record {
    let scope: IngestScope
    let secretHash: [UInt8]
    let scopes: [APIKeyScope]
    let expiresAt: Instant?
  }

  public init(database: Database) { self.database = database }

  /// What is known of this key counts no more. To be called when a change of it is committed.
  func forget(_ keyId: String) {
    state.withLock { state in
      state.cache.remove(keyId)
      state.revision += 1
    }
  }

  /// The same for all keys.
  func forgetAll() {
    state.withLock { state in
      state.cache.removeAll()
      state.revision += 1
    }
  }

  static func hasKey(_ request: Request) -> Bool { header(of: request) != nil }

  private static func header(of request: Request) -> ArraySlice<UInt8>? {
    request.rawHeader("X-API-Key") ?? request.rawHeader("X-Webhook-Secret")
  }

  /// The organization that the key of `X-API-Key`, else of `X-Webhook-Secret`, speaks for.
  ///
  /// 401 without a valid key, 403 when it lacks `scope`, 503 when the database cannot say and has not said before.
  public func authenticate(_ request: Request, scope: APIKeyScope) async throws -> IngestScope {
    guard let header = Self.header(of: request) else { throw HTTPError.unauthorized("An API key is required") }
    guard let key = APIKey(header) else { throw Self.invalid }
    let hash = key.secretHash
    var entry = state.withLock { $0.cache.value(for: key.keyId) }
    if !Self.isFresh(entry, at: request.received) {
      entry = try await refreshed(key.keyId, hash, known: entry, now: request.received)
    }
    return try Self.check(entry?.record, hash, scope, at: request.received)
  }

  /// The same for a request that must not wait for the database: whoever was known before is known still, and a key that
  /// nobody can be asked about now is given as it was presented.
  ///
  /// - Parameter isDatabaseAway: it is known to be, so that nobody asks it.
  public func identify(
    _ request: Request, scope: APIKeyScope, isDatabaseAway: Bool
  ) async throws -> KeyHolder {
    guard let header = Self.header(of: request) else { throw HTTPError.unauthorized("An API key is required") }
    guard let key = APIKey(header) else { throw Self.invalid }
    let hash = key.secretHash
    let known = state.withLock { $0.cache.value(for: key.keyId) }
    var entry = known
    if !Self.isFresh(known, at: request.received) {
      if isDatabaseAway {
        if known?.record == nil { entry = nil }
      } else {
        entry = try await asked(key.keyId, hash, known: known, now: request.received)
      }
    }
    guard let entry else { return .unverified(PresentedKey(keyId: key.keyId, secretHash: hash)) }
    return .known(try Self.check(entry.record, hash, scope, at: request.received))
  }

  /// Nil when the database does not answer in time and this key has not been seen.
  private func asked(_ keyId: String, _ hash: [UInt8], known: Entry?, now: Instant) async throws -> Entry? {
    let patience: Duration = known?.record == nil ? .milliseconds(700) : .milliseconds(250)
    do {
      let answer = try await Reactor.current.result(within: patience) {
        try await self.refreshed(keyId, hash, known: known, now: now)
      }
      return answer ?? (known?.record == nil ? nil : known)
    } catch let error as DatabaseError where error.isUnavailable {
      return nil
    }
  }

  /// For whom a key speaks that was presented at `instant`, when nobody could be asked. Nil: it was wrong, or not for that.
  public func confirm(_ key: PresentedKey, scope: APIKeyScope, at instant: Instant) async throws -> IngestScope? {
    let record = try await load(key.keyId, key.secretHash, validAt: instant)
    return try? Self.check(record, key.secretHash, scope, at: instant)
  }

  private static func check(
    _ record: Record?, _ hash: [UInt8], _ scope: APIKeyScope, at instant: Instant
  ) throws(HTTPError) -> IngestScope {
    guard let record, constantTimeEqual(record.secretHash, hash) else { throw invalid }
    if let expiresAt = record.expiresAt, expiresAt <= instant { throw invalid }
    guard record.scopes.contains(scope) else {
      throw HTTPError.forbidden("This API key does not have the scope \(scope.rawValue)")
    }
    return record.scope
  }

  private static let invalid = HTTPError.unauthorized("The API key is not valid")

  /// While one request asks the database, the others go on with what is known.
  private func refreshed(_ keyId: String, _ hash: [UInt8], known: Entry?, now: Instant) async throws -> Entry {
    let revision = state.withLock { state in
      if var extended = known, extended.record != nil, state.cache.value(for: keyId) != nil {
        extended.freshUntil = now + Self.freshness
        state.cache.insert(extended, for: keyId)
      }
      return state.revision
    }
    do {
      let entry = Entry(record: try await load(keyId, hash), freshUntil: now + Self.freshness)
      state.withLock { state in
        if state.revision == revision { state.cache.insert(entry, for: keyId) }
      }
      return entry
    } catch {
      guard let databaseError = error as? DatabaseError, databaseError.isUnavailable, let known, known.record != nil
      else { throw error }
      return known
    }
  }

  /// Also notes the use of a key, once a minute, when its secret is right. With `instant`, one that was revoked later
  /// than that counts.
  private func load(_ keyId: String, _ hash: [UInt8], validAt instant: Instant? = nil) async throws -> Record? {
    let rows = try await database.query(
      """
      WITH used AS (
        UPDATE api_keys SET last_used_at = now()
        WHERE key_id = $1 AND secret_hash = $2 AND revoked_at IS NULL
          AND (last_used_at IS NULL OR last_used_at < now() - interval '1 minute')
      )
      SELECT k.organization_id, k.id, k.site_id, k.secret_hash, k.scopes, k.expires_at
      FROM api_keys k JOIN organizations o ON o.id = k.organization_id AND o.deleted_at IS NULL
      WHERE k.key_id = $1 AND (k.revoked_at IS NULL OR k.revoked_at > $3::timestamptz)
      """, [.text(keyId), .bytes(hash), .optional(instant)], timeout: .seconds(2))
    guard let row = rows.first else { return nil }
    return Record(
      scope: IngestScope(
        organizationId: try row.uuid(0), apiKeyId: try row.uuid(1), siteId: try row.optionalUUID(2)),
      secretHash: try row.bytes(3), scopes: try row.texts(4).compactMap { $0.flatMap(APIKeyScope.init(rawValue:)) },
      expiresAt: try row.optionalInstant(5))
  }
}

/// Who sent a request.
public enum KeyHolder: Sendable {
  case known(IngestScope)
  case unverified(PresentedKey)
}

/// A key that came with a request, without its secret.
public struct PresentedKey: Sendable, Hashable {
  public let keyId: String
  /// SHA-256.
  public let secretHash: [UInt8]

  public init(keyId: String, secretHash: [UInt8]) {
    self.keyId = keyId
    self.secretHash = secretHash
  }
}
