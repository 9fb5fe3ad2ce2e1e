import Basics
import ColdChain
import PostgreSQL

/// Which hours of which units have changed since they were rolled up, and what of it one loop has written down already.
///
/// A mark costs a row, so an hour that still runs is marked by its first reading, not looked at before it is over, and not
/// marked again by the same loop until then. A reading that comes later marks its hour every time.
public final class RollupMarks {
  /// After the end of an hour until it is rolled up, and how much of that is left for clocks that differ.
  public static let grace = Duration.minutes(5)
  private static let margin = Duration.minutes(1)
  /// Marks beyond this are forgotten, all at once.
  private static let capacity = 400_000

  struct Mark: Hashable {
    let unit: UUID
    let hour: Instant
  }

  /// What is to be marked with one batch.
  public struct Batch {
    let marks: [Mark: (organization: UUID, dueAt: Instant)]

    /// To be sent in the transaction of the readings, after their units are locked.
    public var statement: (SQL, [Value]) {
      let order = marks.sorted { ($0.key.unit, $0.key.hour) < ($1.key.unit, $1.key.hour) }
      return (
        RollupMarks.inserting,
        [
          .uuids(order.map(\.key.unit)), .timestamps(order.map(\.key.hour)), .uuids(order.map(\.value.organization)),
          .timestamps(order.map(\.value.dueAt)),
        ]
      )
    }
  }

  private var known: Set<Mark> = []
  private var knownAt: Instant?

  public init() {}

  /// Nil when nothing needs a mark.
  public func batch(_ readings: some Sequence<Reading>, at now: Instant) -> Batch? {
    let current = now.hour
    if knownAt != current || known.count > Self.capacity {
      known.removeAll(keepingCapacity: true)
      knownAt = current
    }
    var marks: [Mark: (organization: UUID, dueAt: Instant)] = [:]
    for reading in readings {
      guard let unit = reading.unitId, reading.isRolledUp else { continue }
      let mark = Mark(unit: unit, hour: reading.recordedAt.hour)
      guard !known.contains(mark), marks[mark] == nil else { continue }
      marks[mark] = (reading.organizationId, Self.dueAt(mark.hour, now))
    }
    return marks.isEmpty ? nil : Batch(marks: marks)
  }

  /// They are committed.
  public func note(_ batch: Batch, at now: Instant) {
    for mark in batch.marks.keys where Self.isSafe(mark.hour, now) { known.insert(mark) }
  }

  private static func dueAt(_ hour: Instant, _ now: Instant) -> Instant { max(now, hour + .hours(1) + grace) }

  /// Nobody rolls the hour up while a transaction that begins now lasts.
  private static func isSafe(_ hour: Instant, _ now: Instant) -> Bool { now < hour + .hours(1) + grace - margin }

  /// The row is locked also when it is there already: who rolls up leaves it alone until the readings are visible.
  static let inserting: SQL = """
    INSERT INTO rollup_marks AS m (unit_id, hour, organization_id, due_at)
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::timestamptz[])
    ON CONFLICT (unit_id, hour) DO UPDATE SET due_at = least(m.due_at, excluded.due_at)
    """
}

extension Reading {
  /// It counts for the hours of its unit: see ``Rollup``.
  var isRolledUp: Bool { temperature != nil && !simulated && !flags.contains(.secondary) }
}
