import Basics
import ColdChain
import Testing

let probe = UUID(high: 0, low: 1)
let doorSensor = UUID(high: 0, low: 2)
let day = Instant(seconds: 1_767_571_200)  // 2026-01-05T00:00:00Z

/// Minutes after midnight of the day.
func at(_ minutes: Double) -> Instant { day + .microseconds(Int64(minutes * 60_000_000)) }

/// A reading of the probe, in °C. Its id is its minute.
func reading(_ minutes: Double, _ celsius: Double?) -> UnitReading {
  UnitReading(
    id: UUID(high: 1, low: UInt64(minutes * 60)), device: probe, recordedAt: at(minutes),
    temperature: celsius.flatMap { Temperature(celsius: $0) })
}

func door(_ minutes: Double, open: Bool) -> UnitReading {
  UnitReading(
    id: UUID(high: 2, low: UInt64(minutes * 60)), device: doorSensor, recordedAt: at(minutes), doorOpen: open,
    checksIn: false)
}

func celsius(_ value: Double) -> Limit { Limit(hundredths: Int32(value * 100), in: .celsius) }

/// A fridge: 1 to 5 °C, 0.5 hysteresis, a reading each 10 minutes.
func fridge(
  low: Double? = 1, high: Double? = 5, mask: Duration = .minutes(60)
) throws -> Limits {
  guard
    let limits = Limits(
      low: low.map(celsius), high: high.map(celsius), doorMaskPerDay: mask, expectedInterval: .minutes(10))
  else { throw Impossible() }
  return limits
}

struct Impossible: Error {}

extension UnitMachine {
  /// The kinds of what the readings cause, in order. A late one is an error.
  mutating func run(_ readings: UnitReading...) throws -> [Transition.Kind] {
    var kinds: [Transition.Kind] = []
    for reading in readings {
      guard let transitions = step(reading) else { throw Impossible() }
      kinds += transitions.map(\.kind)
    }
    return kinds
  }
}
