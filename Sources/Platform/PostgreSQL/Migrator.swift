import Basics

/// Brings a schema to the version that the program knows.
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

  public let migrations: [Migration]
  public init(migrations: [Migration]) { self.migrations = migrations }
  public func status(on database: Database) async throws(DatabaseError) -> Status {
    throw DatabaseError(.migration, "")
  }
  @discardableResult
  public func apply(on database: Database) async throws(DatabaseError) -> [Migration] {
    throw DatabaseError(.migration, "")
  }
}
