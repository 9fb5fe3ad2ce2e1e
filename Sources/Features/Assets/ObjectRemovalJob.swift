import Basics
import PostgreSQL
import Telemetry

/// Deletes from the object store what nothing refers to any more. Run once a minute; any number of servers may.
public struct ObjectRemovalJob: Sendable {
  /// Objects of one run.
  private static let most = 500

  private let database: Database
  /// Nil: there is none, and what is due waits for one.
  private let objects: ObjectStore?
  private let log: Log

  public init(database: Database, objects: ObjectStore?, log: Log) {
    self.database = database
    self.objects = objects
    self.log = log
  }

  /// Who takes an object has it for ten minutes, and longer each time that it failed, up to a day.
  public func run(at now: Instant) async throws {
    guard let objects else { return }
    let due = try await database.query(
      """
      UPDATE object_removals r SET attempts = r.attempts + 1,
        due_at = $1 + least(interval '10 minutes' * 2 ^ least(r.attempts, 10), interval '1 day')
      FROM (
        SELECT object_key FROM object_removals WHERE due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
      ) mine
      WHERE r.object_key = mine.object_key RETURNING r.object_key
      """, [.timestamp(now), .int(Self.most)])
    for row in due {
      let key = try row.text(0)
      do throws(ObjectStore.Failure) {
        try await objects.delete(key, at: now)
      } catch {
        // The others would wait for the same server, and are taken again.
        return log.warn("an object could not be deleted", ["error": .string("\(error)")])
      }
      try await database.execute("DELETE FROM object_removals WHERE object_key = $1", [.text(key)])
    }
  }
}
