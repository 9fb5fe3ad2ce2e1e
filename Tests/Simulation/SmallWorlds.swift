import Basics
import ColdChain
import Testing

/// Every order of arrival of a few readings, with every one of them sent twice, and the clock looked at in between.
struct SmallWorlds {
  static let start = World.start
  static let probe = UUID(high: 0, low: 1)
  static let door = UUID(high: 0, low: 2)

  func limits() throws -> LimitsHistory {
    guard
      let limits = Limits(
        low: Limit(hundredths: 100, in: .celsius), high: Limit(hundredths: 500, in: .celsius),
        doorMaskPerDay: .minutes(5), expectedInterval: .minutes(5), reopenWindow: .minutes(15))
    else { throw Ledger.Corrupt() }
    return LimitsHistory(limits)
  }

  /// `o` outside, `O` further outside, `l` too low, `-` within the hysteresis, `.` recovered, `u` and `d` the door
  /// opened and shut.
  func world(_ letters: String, every minutes: Int) -> [UnitReading] {
    letters.enumerated().map { number, letter in
      let temperatures: [Character: Int32] = ["o": 600, "O": 900, "l": 0, "-": 480, ".": 400]
      let isDoor = letter == "u" || letter == "d"
      return UnitReading(
        id: UUID(high: 1, low: UInt64(number)), device: isDoor ? Self.door : Self.probe,
        recordedAt: Self.start + .minutes(number * minutes),
        temperature: temperatures[letter].map { Temperature(hundredths: $0) }, doorOpen: isDoor ? letter == "u" : nil,
        checksIn: !isDoor)
    }
  }

  func proveEveryOrder(_ letters: String, every minutes: Int, twice: Bool, batch: Int = 1) throws {
    let readings = world(letters, every: minutes)
    let end = Self.start + .minutes(readings.count * minutes + 3)
    let limits = try limits()
    let once = History.evaluate(
      readings, limits: limits, from: UnitState(commissionedAt: Self.start), through: end)
    try permutations(Array(readings.indices)) { order in
      for again in twice ? order.indices : 0..<1 {
        var ledger = Ledger(limits: limits, commissionedAt: Self.start)
        var newest = Self.start
        for place in stride(from: 0, to: order.count, by: batch) {
          let arriving = order[place..<min(place + batch, order.count)].map { readings[$0] }
          newest = arriving.reduce(newest) { max($0, $1.recordedAt) }
          // The clock stands at the newest sample, or is already at the end.
          _ = try ledger.receive(arriving, now: place % 2 == again % 2 ? newest : end)
          if twice, place == again { _ = try ledger.receive([readings[order[again / 2]]], now: end) }
        }
        _ = try ledger.receive([], now: end)
        let stored = ledger.incidents.sorted { $0.openedAt < $1.openedAt }
        if stored != once.incidents || ledger.state != once.state {
          Issue.record("\(letters) each \(minutes) min in order \(order) by \(batch), \(order[again / 2]) again")
          throw Ledger.Corrupt()
        }
      }
    }
  }

  @Test(
    "six readings in any of their 720 orders",
    arguments: ["oo..oo", ".oO-.o", "uo.d..", "o.o.o.", "l.o..o", "o..o.o", "oudo..", "ouOd.."])
  func sixReadings(letters: String) throws {
    for (minutes, batch) in [(3, 1), (5, 1), (5, 2), (10, 3)] {
      try proveEveryOrder(letters, every: minutes, twice: false, batch: batch)
    }
  }

  @Test("every world of four readings in every order, with copies", arguments: [4, 10])
  func everyWorld(minutes: Int) throws {
    let letters = Array("oO-.u")
    for number in 0..<625 {
      let world = [number % 5, number / 5 % 5, number / 25 % 5, number / 125].map { letters[$0] }
      try proveEveryOrder(String(world), every: minutes, twice: true)
    }
  }

  /// Heap's algorithm.
  private func permutations(_ items: [Int], _ body: ([Int]) throws -> Void) rethrows {
    var items = items
    func permute(_ count: Int) throws {
      if count <= 1 { return try body(items) }
      for index in 0..<count {
        try permute(count - 1)
        if index < count - 1 { items.swapAt(count % 2 == 0 ? index : 0, count - 1) }
      }
    }
    try permute(items.count)
  }
}
