import Basics
import Crypto

/// Brings a schema to the version that the program knows: forward only, each migration in a transaction of its own, one
/// migrator at a time. Needs a session, so not through PgBouncer in transaction mode.
public struct Migrator: Sendable {
  public struct Applied: Sendable, Hashable {
    public let version: Int
    public let name: String
    public let appliedAt: Instant
  }

  public struct Status: Sendable {
    public let applied: [Applied]
    /// Known to the program, not to the database.
    public let pending: [Migration]
    /// Known to the database, not to the program: a newer release has been here.
    public let unknown: [Applied]
  }

  /// "freshtrk" in ASCII: the key of the advisory lock.
  private static let lockKey: Int64 = 0x6672_6573_6874_726B

  public let migrations: [Migration]
  /// For each migration; it may rewrite a large table.
  public var timeout: Duration = .minutes(30)
  /// How long a migration waits for a lock on a table in use before it gives up without effect.
  public var lockTimeout: Duration = .seconds(10)

  public init(migrations: [Migration]) {
    precondition(
      zip(migrations, migrations.dropFirst()).allSatisfy { $0.version < $1.version }, "migrations are numbered upwards")
    self.migrations = migrations
  }

  /// Changes nothing. Throws `.migration` when an applied migration is not the one that the program holds.
  public func status(on database: Database) async throws -> Status {
    try await database.withConnection { connection in
      let exists = try await connection.query("SELECT to_regclass('schema_migrations') IS NOT NULL")[0].bool(0)
      return try await status(exists ? records(connection) : [])
    }
  }

  /// Applies what is pending and returns it. Waits while another migrator is at work, and then finds nothing to do.
  @discardableResult
  public func apply(on database: Database) async throws -> [Migration] {
    try await database.withConnection { connection in
      try await connection.execute("SELECT pg_advisory_lock($1)", [.int(Self.lockKey)], timeout: timeout)
      do {
        let applied = try await applyPending(connection)
        try await connection.execute("SELECT pg_advisory_unlock($1)", [.int(Self.lockKey)])
        return applied
      } catch {
        // The lock must not outlive the attempt on a connection that goes back to the pool.
        connection.close()
        throw error
      }
    }
  }

  private func applyPending(_ connection: Connection) async throws -> [Migration] {
    try await connection.script(
      """
      CREATE TABLE IF NOT EXISTS schema_migrations (
        version int PRIMARY KEY,
        name text NOT NULL,
        checksum bytea NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )
      """)
    let pending = try await status(records(connection)).pending
    for migration in pending { try await apply(migration, connection) }
    return pending
  }

  private func apply(_ migration: Migration, _ connection: Connection) async throws(DatabaseError) {
    connection.begin()
    do throws(DatabaseError) {
      try await connection.execute(
        "SELECT set_config('lock_timeout', $1, true), set_config('statement_timeout', $2, true)",
        [.text("\(lockTimeout.microseconds / 1000)"), .text("\(timeout.microseconds / 1000)")])
      try await connection.script(SQL(unchecked: String(decoding: migration.sql, as: UTF8.self)), timeout: timeout)
      try await connection.execute(
        "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)",
        [.int(migration.version), .text(migration.name), .bytes(SHA256.hash(migration.sql))])
      try await connection.commit()
    } catch {
      await connection.rollback()
      var failure = error
      failure.message = "migration \(migration.version) \(migration.name): \(failure.message)"
      throw failure
    }
  }

  private struct Record {
    let applied: Applied
    let checksum: [UInt8]
  }

  private func records(_ connection: Connection) async throws(DatabaseError) -> [Record] {
    var records: [Record] = []
    let rows = try await connection.query(
      "SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version")
    for row in rows {
      let applied = Applied(version: Int(try row.int(0)), name: try row.text(1), appliedAt: try row.instant(3))
      records.append(Record(applied: applied, checksum: try row.bytes(2)))
    }
    return records
  }

  private func status(_ records: [Record]) throws(DatabaseError) -> Status {
    var known: [Int: Record] = [:]
    for record in records { known[record.applied.version] = record }
    var applied: [Applied] = []
    var pending: [Migration] = []
    for migration in migrations {
      guard let record = known.removeValue(forKey: migration.version) else {
        pending.append(migration)
        continue
      }
      guard record.checksum == SHA256.hash(migration.sql) else {
        throw DatabaseError(
          .migration,
          """
          migration \(migration.version) \(migration.name) was changed after it was applied at \(record.applied.appliedAt) \
          as "\(record.applied.name)"; restore the file and put the change into a new migration
          """)
      }
      applied.append(record.applied)
    }
    if let last = applied.last, let early = pending.first, early.version < last.version {
      throw DatabaseError(
        .migration,
        "migration \(early.version) \(early.name) is missing in a database that has \(last.version) \(last.name)")
    }
    return Status(
      applied: applied, pending: pending,
      unknown: known.values.map(\.applied).sorted { $0.version < $1.version })
  }
}
