import Basics
import PostgreSQL

/// Where the reading of each connection's storage stands.
struct HealingStore: Sendable {
  let database: Database

  /// A server that claims a connection and dies leaves it to the others after this.
  static let claim = Duration.minutes(5)

  /// One reading of the storage, begun and not yet ended.
  struct Pull: Sendable {
    let from: Instant
    /// All before it is taken in.
    var cursor: Instant
    let until: Instant
    var attempts: Int
  }

  struct Claimed: Sendable {
    let connection: TTNConnection
    /// The key that messages count as sent with.
    let key: UUID
    let aliveAt: Instant?
    let pulledAt: Instant?
    let pull: Pull?
    let lastUplinkAt: Instant?
    /// The start of the oldest gap that the storage may explain.
    let oldestGapAt: Instant?
  }

  /// Takes the next connection after `previous` that nobody else works on.
  func claimNext(after previous: UUID?, at now: Instant) async throws -> Claimed? {
    let rows = try await database.query(
      """
      WITH next AS (
        SELECT s.connection_id FROM ttn_connection_states s
        JOIN ttn_connections c ON c.id = s.connection_id AND c.is_active AND c.deleted_at IS NULL
          AND c.api_key_encrypted IS NOT NULL
          AND EXISTS (SELECT FROM api_keys k WHERE k.organization_id = c.organization_id AND 'ingest' = ANY (k.scopes))
        WHERE ($1::uuid IS NULL OR s.connection_id > $1)
          AND coalesce(s.pull_claimed_until, '-infinity') <= $2 AND coalesce(s.pull_due_at, '-infinity') <= $2
        ORDER BY s.connection_id LIMIT 1 FOR UPDATE OF s SKIP LOCKED
      ), claimed AS (
        UPDATE ttn_connection_states s SET pull_claimed_until = $3 FROM next WHERE s.connection_id = next.connection_id
        RETURNING s.*
      )
      SELECT
      """ + " " + TTNConnectionStore.record + """
        , coalesce(c.ingest_key_id, (
            SELECT k.id FROM api_keys k WHERE k.organization_id = c.organization_id AND 'ingest' = ANY (k.scopes)
            ORDER BY k.revoked_at IS NOT NULL, k.last_used_at DESC NULLS LAST, k.created_at LIMIT 1)),
          s.alive_at, s.pulled_at, s.pull_from, s.pull_cursor, s.pull_until, s.pull_attempts,
          (SELECT max(t.last_seen_at) FROM devices d JOIN device_states t ON t.device_id = d.id
            WHERE d.organization_id = c.organization_id AND d.ttn_connection_id = c.id),
          (SELECT min(g.after_at) FROM devices d JOIN uplink_gaps g ON g.device_id = d.id
            WHERE d.organization_id = c.organization_id AND d.ttn_connection_id = c.id AND (g.state = 'open'
              OR (g.state = 'unexplained' AND g.reason = 'storage_unavailable'
                AND g.after_at > $2::timestamptz - c.storage_hours * interval '1 hour')))
        FROM claimed s JOIN ttn_connections c ON c.id = s.connection_id
        """, [.optional(previous), .timestamp(now), .timestamp(now + Self.claim)])
    guard let row = rows.first else { return nil }
    let connection = try TTNConnection(row)
    var pull: Pull?
    if let from = try row.optionalInstant(12), let cursor = try row.optionalInstant(13),
      let until = try row.optionalInstant(14)
    {
      pull = Pull(from: from, cursor: cursor, until: until, attempts: Int(try row.int(15)))
    }
    return Claimed(
      connection: connection, key: try row.uuid(9), aliveAt: try row.optionalInstant(10),
      pulledAt: try row.optionalInstant(11),
      pull: pull, lastUplinkAt: try row.optionalInstant(16), oldestGapAt: try row.optionalInstant(17))
  }

  /// Nothing to do: it was listening until now.
  func release(_ connection: UUID, at now: Instant) async throws {
    try await database.execute(
      """
      UPDATE ttn_connection_states SET pull_claimed_until = NULL, alive_at = $2, pull_due_at = NULL WHERE connection_id = $1
      """, [.uuid(connection), .timestamp(now)])
  }

  /// The reading has come so far; the claim is held on to.
  func advance(_ connection: UUID, _ pull: Pull, at now: Instant) async throws {
    try await database.execute(
      """
      UPDATE ttn_connection_states SET pull_from = $2, pull_cursor = $3, pull_until = $4, pull_attempts = 0,
        pull_error = NULL, pull_claimed_until = $5, alive_at = $6 WHERE connection_id = $1
      """,
      [
        .uuid(connection), .timestamp(pull.from), .timestamp(pull.cursor), .timestamp(pull.until),
        .timestamp(now + Self.claim), .timestamp(now),
      ])
  }

  /// It stopped on its way, to go on at `due`.
  func postpone(_ connection: UUID, _ pull: Pull, until due: Instant, because error: String) async throws {
    try await database.execute(
      """
      UPDATE ttn_connection_states SET pull_from = $2, pull_cursor = $3, pull_until = $4, pull_attempts = $5,
        pull_error = $6, pull_due_at = $7, pull_claimed_until = NULL WHERE connection_id = $1
      """,
      [
        .uuid(connection), .timestamp(pull.from), .timestamp(pull.cursor), .timestamp(pull.until), .int(pull.attempts),
        .text(error), .timestamp(due),
      ])
  }

  static func finish(_ connection: UUID, at now: Instant) -> (SQL, [Value]) {
    (
      """
      UPDATE ttn_connection_states SET pull_from = NULL, pull_cursor = NULL, pull_until = NULL, pull_attempts = 0,
        pull_error = NULL, pull_due_at = NULL, pull_claimed_until = NULL, pulled_at = $2, alive_at = $2
      WHERE connection_id = $1
      """, [.uuid(connection), .timestamp(now)]
    )
  }

  /// The storage refuses: asked again at `due`, from the start of what is open then.
  func giveUp(_ connection: UUID, until due: Instant, because error: String, at now: Instant) async throws {
    try await database.execute(
      """
      UPDATE ttn_connection_states SET pull_from = NULL, pull_cursor = NULL, pull_until = NULL, pull_attempts = 0,
        pull_error = $2, pull_due_at = $3, pull_claimed_until = NULL, alive_at = $4 WHERE connection_id = $1
      """, [.uuid(connection), .text(error), .timestamp(due), .timestamp(now)])
  }
}
