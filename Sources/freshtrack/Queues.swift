import Identity
import PostgreSQL

/// What waits to be done, as `/api/admin/queues/health` lists it.
enum Queues {
  static func all(_ database: Database) -> [WorkQueue] {
    [
      WorkQueue("quarantine") {
        var counts = WorkQueue.Counts()
        let rows = try await database.query(
          """
          SELECT count(*) FILTER (WHERE claimed_at IS NULL AND discarded_at IS NULL), count(claimed_at)
          FROM quarantined_uplinks
          """)
        counts.waiting = Int(try rows.first?.int(0) ?? 0)
        counts.completed = Int(try rows.first?.int(1) ?? 0)
        return counts
      },
      WorkQueue("units due") {
        var counts = WorkQueue.Counts()
        let rows = try await database.query(
          """
          SELECT count(*) FILTER (WHERE next_due_at <= now()), count(*) FILTER (WHERE next_due_at > now())
          FROM unit_states WHERE next_due_at IS NOT NULL
          """)
        counts.waiting = Int(try rows.first?.int(0) ?? 0)
        counts.delayed = Int(try rows.first?.int(1) ?? 0)
        return counts
      },
    ]
  }
}
