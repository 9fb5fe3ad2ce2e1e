import Basics
import ColdChain
import Places
import PostgreSQL

/// Rolls up the hours that were marked, and their days. Run twice a minute; any number of servers may.
///
/// One unit is rolled up by one server at a time. Its marks are taken away before its readings are read, in one transaction: a
/// reading that comes meanwhile leaves a new mark.
public struct RollupJob: Sendable {
  /// Units, and marks and hours of all of them, in one transaction.
  static let unitsMax = 100
  static let marksMax = 2000
  static let hoursMax = 10_000

  private let database: Database

  public init(database: Database) { self.database = database }

  /// Rolls up every hour that is due at `now`. Returns how many marks there were.
  @discardableResult
  public func run(at now: Instant) async throws -> Int {
    var total = 0
    while true {
      let count = try await tick(at: now)
      total += count
      if count == 0 { return total }
    }
  }

  private func tick(at now: Instant) async throws -> Int {
    try await database.transaction(retries: 3) { connection in
      let marks = try await RollupStore.take(at: now, on: connection)
      guard !marks.isEmpty else { return 0 }
      let places = try await RollupStore.places(Array(marks.keys), on: connection)
      var spans: [RollupSpan] = []
      for (unit, changed) in marks.sorted(by: { $0.key < $1.key }) {
        guard let place = places[unit] else { continue }
        spans += Rollup.spans(touchedBy: changed, limits: place.limits).map { RollupSpan(place: place, stretch: $0) }
      }
      try await RollupStore.bound(&spans, on: connection)
      try await RollupStore.write(try await RollupStore.measured(spans, on: connection), on: connection)
      return marks.values.reduce(0) { $0 + $1.count }
    }
  }
}

/// A stretch of time of one unit that is rolled up anew.
struct RollupSpan {
  let place: RollupStore.Place
  let stretch: Range<Instant>
  /// The beginnings of the hours in the site's zone, and the end of the last one.
  var boundaries: [Instant] = []
}
