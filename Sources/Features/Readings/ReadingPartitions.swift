import Basics
import PostgreSQL
import Telemetry

/// Keeps a table ready for each month to come. Run once an hour; any number of servers may.
public struct ReadingPartitions: Sendable {
  /// Months that are made ahead, the present one not counted.
  public static let monthsAhead = 3

  private let database: Database
  private let log: Log

  public init(database: Database, log: Log) {
    self.database = database
    self.log = log
  }

  /// What one run found and did.
  public struct Outcome: Sendable, Equatable {
    public let created: Int
    /// Readings in the default table: their month has none of its own.
    public let stranded: Int64
  }

  /// Makes the tables from the month before `now` on, and the missing ones of readings that no month took.
  @discardableResult
  public func run(at now: Instant) async throws -> Outcome {
    let created = try await database.query(
      """
      SELECT ensure_reading_partitions(
        (($1::timestamptz AT TIME ZONE 'UTC')::date - interval '1 month')::date, $2::int)
      """, [.timestamp(now), .int(Self.monthsAhead + 2)]
    ).first?.int(0)
    let stranded = try await database.query("SELECT count(*) FROM sensor_readings_default").first?.int(0)
    let outcome = Outcome(created: Int(created ?? 0), stranded: stranded ?? 0)
    if outcome.created > 0 { log.info("reading partitions created", ["count": .int(outcome.created)]) }
    if outcome.stranded > 0 {
      log.warn("readings in the default partition", ["count": .int(Int(outcome.stranded))])
    }
    return outcome
  }
}
