import Basics
import ColdChain
import Glibc
import Testing

/// How many orders of arrival are tried: `SIMULATION_ORDERS=100000` for the long run.
private let orders = getenv("SIMULATION_ORDERS").flatMap { UInt64(String(cString: $0)) } ?? 4000

/// One history, told in many orders: each reading up to thirty days late, some of them again and again, in batches of any size,
/// with the clock looked at and the hours rolled up in between. What is kept in the end is always the same.
struct AnyOrder {
  private static let perWorld: UInt64 = 10

  @Test("any order, any number of times, thirty days late: the same readings, incidents, alerts and rollups")
  func same() throws {
    var (alerts, closedAlready) = (0, 0)
    for seed in firstSeed..<firstSeed + orders / Self.perWorld {
      let world = try World(seed: seed)
      let end = world.end + .days(31)
      let once = History.evaluate(
        world.readings, limits: world.limits, from: UnitState(commissionedAt: World.start), through: end)
      let rollups = world.readings.rolledUp(world.limits)
      for order in 0..<Self.perWorld {
        var random = SplitMix(seed: seed &* 1_000_003 &+ order)
        let (ledger, book) = try tell(world, until: end, &random)
        let stored = ledger.incidents.sorted { $0.openedAt < $1.openedAt }
        let expected = Dictionary(
          uniqueKeysWithValues: once.incidents.map {
            ($0.openedAt, Book.Alert(triggeredAt: $0.openedAt, severity: $0.severity, isOpen: $0.closedAt == nil))
          })
        let isSame =
          ledger.readings.count == world.readings.count && stored == once.incidents && ledger.state == once.state
          && book.alerts == expected && book.rollups == rollups && book.wokenInVain == 0
        guard isSame else {
          Issue.record(
            """
            seed \(seed), order \(order): \(ledger.readings.count) of \(world.readings.count) readings
            incidents \(stored == once.incidents), state \(ledger.state == once.state), alerts \(book.alerts == expected), \
            rollups \(book.rollups == rollups), woken in vain \(book.wokenInVain)
            """)
          return
        }
        alerts += expected.count
        closedAlready += max(0, expected.count - book.timesWoken)
      }
    }
    // The histories must hold what they are to prove: alerts, and such that nobody was woken for.
    #expect(alerts > Int(orders) && closedAlready > Int(orders) / 10)
  }

  private func tell(
    _ world: World, until end: Instant, _ random: inout SplitMix
  ) throws -> (Ledger, Book) {
    var ledger = Ledger(limits: world.limits, commissionedAt: World.start)
    var book = Book(limits: world.limits)
    var now = World.start
    for (at, batch) in arrivals(of: world, &random) {
      now = max(now, at)
      let known = ledger.incidents
      _ = try ledger.receive(batch, now: now)
      book.take(History.reconcile(known: known, evaluated: ledger.incidents.sorted { $0.openedAt < $1.openedAt }))
      book.mark(batch)
      if random.chance(30) { book.roll(ledger.readings) }
    }
    let known = ledger.incidents
    _ = try ledger.receive([], now: end)
    book.take(History.reconcile(known: known, evaluated: ledger.incidents.sorted { $0.openedAt < $1.openedAt }))
    book.roll(ledger.readings)
    return (ledger, book)
  }

  /// From a network that is a few minutes slow to one that tells everything in the last hour of a month.
  private func arrivals(of world: World, _ random: inout SplitMix) -> [(Instant, [UnitReading])] {
    let latest = [2, 60, 1440, 43_200, 43_200].randomElement(using: &random) ?? 60
    let lateShare = [5, 30, 100].randomElement(using: &random) ?? 30
    var told: [(at: Instant, reading: UnitReading)] = []
    for reading in world.readings {
      let copies = random.chance(25) ? Int.random(in: 2...5, using: &random) : 1
      for _ in 0..<copies {
        let delay = random.chance(lateShare) ? Int.random(in: 0...latest * 60, using: &random) : 20
        told.append((reading.recordedAt + .seconds(delay), reading))
      }
    }
    // The order of what comes at the same moment is any.
    told.shuffle(using: &random)
    if random.chance(80) { told.sort { $0.at < $1.at } }
    let most = [1, 4, 50].randomElement(using: &random) ?? 4
    var batches: [(Instant, [UnitReading])] = []
    while !told.isEmpty {
      let batch = told.prefix(Int.random(in: 1...most, using: &random))
      told.removeFirst(batch.count)
      batches.append((batch.map(\.at).max() ?? World.start, batch.map(\.reading)))
      if random.chance(10) { batches.append((batches[batches.count - 1].0, [])) }
    }
    return batches
  }
}
