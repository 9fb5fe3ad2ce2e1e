import Basics
import PostgreSQL

/// What was asked of The Things Stack during one piece of work, to be written down at its end.
final class Journal {
  struct Entry {
    let id: UUID
    let at: Instant
    let step: String
    let subject: String?
    let endpoint: String
    let error: StackError?
    let milliseconds: Int
  }

  private(set) var entries: [Entry] = []
  private let clock: WallClock

  init(clock: WallClock = .system) { self.clock = clock }

  func noting<R>(
    _ step: String, _ subject: String?, _ endpoint: String, _ body: () async throws(StackError) -> R
  ) async throws(StackError) -> R {
    let started = MonotonicClock.nanoseconds()
    func note(_ error: StackError?) {
      let at = clock.now()
      entries.append(
        Entry(
          id: .v7(at: at), at: at, step: step, subject: subject, endpoint: endpoint, error: error,
          milliseconds: Int((MonotonicClock.nanoseconds() &- started) / 1_000_000)))
    }
    do throws(StackError) {
      let result = try await body()
      note(nil)
      return result
    } catch {
      note(error)
      throw error
    }
  }

  /// The statement that stores the entries.
  func insert(organization: UUID, requestId: String?) -> (SQL, [Value]) {
    (
      """
      INSERT INTO ttn_provisioning_logs (id, organization_id, created_at, step, status, subject, message, endpoint, http_status,
        duration_ms, request_id)
      SELECT e.id, $1, e.created_at, e.step, e.status, e.subject, e.message, e.endpoint, e.http_status, e.duration_ms, $2
      FROM unnest($3::uuid[], $4::timestamptz[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::int4[],
        $11::int4[])
        AS e (id, created_at, step, status, subject, message, endpoint, http_status, duration_ms)
      ON CONFLICT DO NOTHING
      """,
      [
        .uuid(organization), .optional(requestId), .uuids(entries.map(\.id)), .timestamps(entries.map(\.at)),
        .texts(entries.map(\.step)), .texts(entries.map { $0.error == nil ? "success" : "failure" }),
        .texts(entries.map(\.subject)), .texts(entries.map { $0.error?.message }), .texts(entries.map(\.endpoint)),
        .int4s(entries.map { if case .refused(let status, _) = $0.error { Int32(status) } else { nil } }),
        .int4s(entries.map { Int32(clamping: $0.milliseconds) }),
      ]
    )
  }
}
