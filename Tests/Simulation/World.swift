import Basics
import ColdChain

/// One invented history of a unit: what its sensors measured, when each sample arrives, and how its limits changed.
struct World {
  var readings: [UnitReading] = []
  /// Batches by arrival, with the wall clock then. An empty batch is a tick.
  var deliveries: [(now: Instant, batch: [UnitReading])] = []
  var limits: LimitsHistory
  var end: Instant

  /// 22:00 on a day, so that most histories cross midnight.
  static let start = Instant(seconds: 1_767_571_200 + 22 * 3600)
  private static let probe = UUID(high: 0, low: 1)
  private static let doors = [UUID(high: 0, low: 0), UUID(high: 0, low: 2)]

  init(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    limits = try Self.limits(&random)
    end = Self.start
    measure(&random)
    deliver(&random)
  }

  private static func limits(_ random: inout SplitMix) throws -> LimitsHistory {
    var versions: [LimitsHistory.Version] = []
    for number in 0..<Int.random(in: 1...3, using: &random) {
      guard
        let limits = Limits(
          low: random.chance(70) ? Limit(hundredths: 100, in: .celsius) : nil,
          high: Limit(hundredths: random.chance(80) ? 500 : 700, in: .celsius),
          doorMaskPerDay: .minutes(random.chance(50) ? 12 : 60),
          expectedInterval: .minutes(random.chance(80) ? 5 : 10),
          reopenWindow: .minutes(random.chance(80) ? 15 : 3))
      else { throw Ledger.Corrupt() }
      let from = number == 0 ? start - .hours(1) : start + .minutes(Int.random(in: 0...240, using: &random))
      versions.append(.init(validFrom: from, limits: limits))
    }
    guard let history = LimitsHistory(versions) else { throw Ledger.Corrupt() }
    return history
  }

  /// Samples on whole minutes, so that instants tie with each other and with deadlines.
  private mutating func measure(_ random: inout SplitMix) {
    var minute = 0
    var celsius = 4.0
    var open = false
    for number in 0..<Int.random(in: 1...60, using: &random) {
      minute += [0, 1, 2, 5, 5, 5, 10, 15, 40].randomElement(using: &random) ?? 5
      let at = Self.start + .minutes(minute)
      let id = UUID(high: 7, low: UInt64(number))
      if random.chance(25) {
        if random.chance(70) { open.toggle() }
        let device = Self.doors.randomElement(using: &random) ?? Self.probe
        readings.append(UnitReading(id: id, device: device, recordedAt: at, doorOpen: open, checksIn: false))
      } else {
        celsius =
          random.chance(60) ? celsius : [-1, 0.9, 1.2, 4, 4, 4, 4.8, 5.1, 6, 8].randomElement(using: &random) ?? 4
        readings.append(
          UnitReading(
            id: id, device: Self.probe, recordedAt: at,
            temperature: random.chance(95) ? Temperature(celsius: celsius) : nil,
            doorOpen: random.chance(5) ? open : nil, checksIn: random.chance(90), simulated: random.chance(10)))
      }
    }
    // One (`recordedAt`, `device`) is one reading.
    readings.sort { UnitReading.inOrder($0, $1) }
    var kept: [UnitReading] = []
    for reading in readings {
      if let last = kept.last, last.recordedAt == reading.recordedAt, last.device == reading.device { continue }
      kept.append(reading)
    }
    readings = kept
  }

  private mutating func deliver(_ random: inout SplitMix) {
    let unruly = random.chance(80)
    var arrivals: [(now: Instant, batch: [UnitReading])] = []
    for reading in readings {
      for _ in 0..<(random.chance(20) ? 2 : 1) {
        let delay: Duration =
          unruly && random.chance(30)
          ? .minutes(Int.random(in: 0...180, using: &random)) : .seconds(Int.random(in: 0...90, using: &random))
        // Some sensors' clocks are ahead.
        let early: Duration = random.chance(3) ? .minutes(3) : .zero
        arrivals.append((reading.recordedAt + delay - early, [reading]))
      }
    }
    let last = arrivals.map(\.now).max() ?? Self.start
    let span = (last - Self.start).microseconds
    for _ in 0..<Int.random(in: 0...60, using: &random) {
      arrivals.append((Self.start + .microseconds(Int64.random(in: 0...max(1, span), using: &random)), []))
    }
    arrivals.sort { $0.now < $1.now }
    for arrival in arrivals {
      if random.chance(40), let previous = deliveries.indices.last {
        deliveries[previous].batch += arrival.batch
        deliveries[previous].now = arrival.now
      } else {
        deliveries.append(arrival)
      }
    }
    end = last + .minutes(Int.random(in: 0...90, using: &random))
  }
}
