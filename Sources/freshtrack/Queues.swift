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
      WorkQueue("notifications") {
        var counts = WorkQueue.Counts()
        let rows = try await database.query(
          """
          SELECT count(*) FILTER (WHERE status = 'pending' AND coalesce(next_attempt_at <= now(), true)),
            count(*) FILTER (WHERE status = 'pending' AND next_attempt_at > now()),
            count(*) FILTER (WHERE status IN ('sent', 'delivered')), count(*) FILTER (WHERE status = 'failed')
          FROM notification_deliveries WHERE status = 'pending' OR created_at > now() - interval '1 day'
          """)
        counts.waiting = Int(try rows.first?.int(0) ?? 0)
        counts.delayed = Int(try rows.first?.int(1) ?? 0)
        counts.completed = Int(try rows.first?.int(2) ?? 0)
        counts.failed = Int(try rows.first?.int(3) ?? 0)
        return counts
      },
      WorkQueue("rollups") {
        var counts = WorkQueue.Counts()
        counts.waiting = Int(try await database.query("SELECT count(*) FROM rollup_marks").first?.int(0) ?? 0)
        return counts
      },
    ]
  }
}
