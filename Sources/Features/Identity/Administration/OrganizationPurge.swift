import Basics
import HTTP
import PostgreSQL

/// The deletion of a whole organization, in steps that are committed one by one: whoever comes next goes on where it
/// stopped.
public struct OrganizationPurge: Sendable {
  private let database: Database
  /// Rows of one step.
  private let stride: Int

  public init(database: Database, stride: Int = 5000) {
    self.database = database
    self.stride = stride
  }

  struct Progress: Hashable {
    /// Rows that are deleted.
    var rows: Int64
    var isOver: Bool
  }

  /// Decides it; from now on the organization cannot be restored. 404 without such an organization; 409 unless it was
  /// deleted softly before; 400 when `name` is not its name. Its last hash stays in the platform's log.
  func begin(_ id: UUID, confirming name: String, _ scope: PlatformScope, _ request: Request) async throws {
    try await database.transaction { connection in
      let found = try await connection.query(
        "SELECT name, deleted_at IS NOT NULL FROM organizations WHERE id = $1 FOR UPDATE", [.uuid(id)])
      guard let row = found.first else { throw HTTPError.notFound("Organization") }
      guard try row.bool(1) else {
        throw HTTPError.conflict("Delete the organization softly first", code: "PRECONDITION_FAILED")
      }
      guard try row.text(0) == name else {
        throw HTTPError.validation([HTTPError.Detail(path: "confirmName", message: "is not the organization's name")])
      }
      _ = try await connection.query(
        """
        INSERT INTO organization_purges (about_organization, name, author, started_at, entries, last_hash)
        SELECT o.id, o.name, $2, $3, h.seq, encode(h.event_hash, 'hex')
        FROM organizations o LEFT JOIN event_log_heads h ON h.organization_id = o.id
        WHERE o.id = $1
        ON CONFLICT DO NOTHING
        """, [.uuid(id), Audit.author(scope.principal, request), .timestamp(request.received)])
    }
  }

  /// Nil when somebody else has ended it.
  func step(_ id: UUID) async throws -> Progress? {
    try await database.query("SELECT gone, is_over FROM purge_step($1, $2)", [.uuid(id), .int(stride)])
      .first.map { Progress(rows: try $0.int(0), isOver: try $0.bool(1)) }
  }

  /// Goes on with one that has begun until it is over, or the time is.
  func run(_ id: UUID, within time: Duration) async throws -> Progress {
    let end = MonotonicClock.nanoseconds() + UInt64(time.microseconds) * 1000
    var progress = Progress(rows: 0, isOver: false)
    repeat {
      guard let next = try await step(id) else { return Progress(rows: progress.rows, isOver: true) }
      progress = next
    } while !progress.isOver && MonotonicClock.nanoseconds() < end
    return progress
  }

  /// Ends what has begun. Run once a minute; any number of servers may.
  public func run() async throws {
    for row in try await database.query("SELECT about_organization FROM organization_purges ORDER BY started_at") {
      _ = try await run(try row.uuid(0), within: .minutes(10))
    }
  }
}
