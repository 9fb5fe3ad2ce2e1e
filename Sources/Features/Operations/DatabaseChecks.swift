import PostgreSQL

/// Whether the database answers, and whether its schema is the one that the program knows.
public enum DatabaseChecks {
  public static func reachable(_ database: Database) -> HealthCheck {
    HealthCheck("database", isVital: true) {
      do throws(DatabaseError) {
        _ = try await database.query("SELECT 1", timeout: .seconds(2))
        return .pass
      } catch {
        return .init(.fail, "PostgreSQL does not answer (\(error.label))")
      }
    }
  }

  public static func migrated(_ database: Database, _ migrator: Migrator) -> HealthCheck {
    HealthCheck("migrations") {
      do {
        let status = try await migrator.status(on: database)
        if let next = status.pending.first {
          return .init(.fail, "\(status.pending.count) to apply, the first is \(next.version) \(next.name)")
        }
        if let newer = status.unknown.last { return .init(.warn, "the schema is newer, at \(newer.version)") }
        return .pass
      } catch {
        return .init(.warn, "not known (\((error as? DatabaseError)?.label ?? "fault"))")
      }
    }
  }
}
