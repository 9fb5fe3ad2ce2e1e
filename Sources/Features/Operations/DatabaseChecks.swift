import PostgreSQL
import Runtime

/// Whether the database answers, and whether its schema is the one that the program knows.
public enum DatabaseChecks {
  /// Whoever asks waits no longer than this for a check, also when the database says nothing at all.
  private static let patience = Duration.milliseconds(1500)

  /// - Parameter isVital: false while readings can be taken in without it.
  public static func reachable(
    _ database: Database, isVital: @escaping @autoclosure @Sendable () -> Bool = true
  ) -> HealthCheck {
    HealthCheck("database", isVital: isVital()) {
      do {
        let answer = try await Reactor.current.result(within: patience) {
          _ = try await database.query("SELECT 1", timeout: .seconds(2))
          return true
        }
        return answer == true ? .pass : .init(.fail, "PostgreSQL does not answer (timeout)")
      } catch {
        return .init(.fail, "PostgreSQL does not answer (\((error as? DatabaseError)?.label ?? "fault"))")
      }
    }
  }

  public static func migrated(_ database: Database, _ migrator: Migrator) -> HealthCheck {
    HealthCheck("migrations") {
      do {
        let known = try await Reactor.current.result(within: patience) { try await migrator.status(on: database) }
        guard let status = known else { return .init(.warn, "not known (timeout)") }
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
