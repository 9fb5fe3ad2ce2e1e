import Basics
import Runtime
import TestSupport
import Testing

@testable import PostgreSQL

@Suite struct MigratorTests {
  static func migration(_ version: Int, _ sql: String) -> Migration {
    Migration(version: version, name: "step_\(version)", sql: Array(sql.utf8))
  }

  static let steps = [
    migration(1, "CREATE TABLE a (id int); INSERT INTO a VALUES (1);"), migration(2, "CREATE TABLE b (id int);"),
  ]

  @Test func `migrations are applied once, in order, and reported`() async throws {
    try await withDatabase { database in
      let migrator = Migrator(migrations: Self.steps)
      let before = try await migrator.status(on: database)
      #expect(before.pending.map(\.version) == [1, 2])
      let first = try await migrator.apply(on: database)
      #expect(first.map(\.version) == [1, 2])
      let second = try await migrator.apply(on: database)
      #expect(second.isEmpty)
      let older = try await Migrator(migrations: [Self.steps[0]]).status(on: database)
      #expect(older.applied.map(\.name) == ["step_1"])
      #expect(older.unknown.map(\.name) == ["step_2"])
    }
  }

  @Test func `two migrators at once apply each migration once`() async throws {
    try await withDatabase { database in
      let migrator = Migrator(migrations: Self.steps)
      let applied = Applied()
      let tasks = (0..<4).map { _ in
        Reactor.current.spawn {
          do { applied.versions += try await migrator.apply(on: database).map(\.version) } catch {
            applied.errors.append("\(error)")
          }
        }
      }
      for task in tasks { await task.finished() }
      #expect(applied.errors == [])
      #expect(applied.versions.sorted() == [1, 2])
      let rows = try await database.query("SELECT count(*) FROM a")[0].int(0)
      #expect(rows == 1)
    }
  }

  @Test func `a migration that fails has no effect, and those before it stay`() async throws {
    try await withDatabase { database in
      let broken = Migrator(migrations: [Self.steps[0], Self.migration(2, "CREATE TABLE c (id int); SELECT nothing;")])
      let error = await failure { try await broken.apply(on: database) }
      #expect(error?.sqlState == SQLState("42703"))
      #expect(error?.message.hasPrefix("migration 2 step_2: ") == true)
      let tables = try await database.query("SELECT to_regclass('c') IS NULL, to_regclass('a') IS NOT NULL")[0]
      #expect(try tables.bool(0))
      #expect(try tables.bool(1))
      let repaired = try await Migrator(migrations: Self.steps).apply(on: database)
      #expect(repaired.map(\.version) == [2])
    }
  }

  @Test func `a changed migration is refused`() async throws {
    try await withDatabase { database in
      try await Migrator(migrations: Self.steps).apply(on: database)
      let changed = Migrator(migrations: [Self.migration(1, "CREATE TABLE a (id int8)"), Self.steps[1]])
      let error = await failure { try await changed.apply(on: database) }
      #expect(error?.kind == .migration)
      #expect(error?.message.contains("migration 1 step_1 was changed after it was applied") == true)
    }
  }

  @Test func `a template carries the schema into each test's own database`() async throws {
    for _ in 0..<2 {
      try await withDatabase(template: Self.steps) { database in
        let rows = try await database.query("SELECT count(*) FROM a")[0].int(0)
        #expect(rows == 1)
        try await database.execute("INSERT INTO a VALUES (2)")
      }
    }
  }
}

private final class Applied {
  var versions: [Int] = []
  var errors: [String] = []
}
