import Migrations
import PostgreSQL
import Telemetry

/// The schema that this program knows, and whether a database has it.
enum Schema {
  static let migrator = Migrator(migrations: Migrations.all)

  /// Throws, saying what to do, unless the program can work on this database.
  ///
  /// A newer schema is fine as long as its migrations only added something: one that takes away what an older program
  /// uses is named `contract_...`.
  static func require(on database: Database, log: Log) async throws(Failure) {
    let status = try await status(on: database)
    let known = migrator.migrations.last?.version ?? 0
    guard status.pending.isEmpty else {
      let at = status.applied.last?.version
      throw Failure(
        .schema,
        at.map { "the schema is at version \($0), this program needs \(known): run `freshtrack migrate`" }
          ?? "the database has no schema yet: run `freshtrack migrate`")
    }
    guard let newest = status.unknown.last else { return }
    if let breaking = status.unknown.first(where: { $0.name.hasPrefix("contract_") }) {
      throw Failure(
        .schema,
        "the schema is at version \(newest.version), and migration \(breaking.version) \(breaking.name) took away what "
          + "this program (version \(known)) uses: start a newer release")
    }
    log.warn("the schema is newer than the program", ["schema": .int(newest.version), "program": .int(known)])
  }

  static func status(on database: Database) async throws(Failure) -> Migrator.Status {
    do { return try await migrator.status(on: database) } catch let error as DatabaseError {
      throw Failure(error, database)
    } catch { throw Failure(.fault, String(describing: error)) }
  }
}

extension Failure {
  /// A database that does not do what a command asks of it.
  init(_ error: DatabaseError, _ database: Database) {
    switch error.kind {
    case .unavailable, .poolExhausted, .connectionLost, .timeout:
      self.init(
        .unavailable,
        "no connection to the database at \(database.configuration): \(Self.firstLine(error.message)); check DATABASE_URL"
      )
    case .migration: self.init(.schema, Self.firstLine(error.message))
    default: self.init(.fault, "the database refuses: \(Self.firstLine(error.description))")
    }
  }

  private static func firstLine(_ text: String) -> String {
    text.split(separator: "\n").first.map(String.init) ?? "no reason given"
  }
}
