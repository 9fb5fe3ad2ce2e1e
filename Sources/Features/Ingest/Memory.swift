import Basics
import Monitoring

/// What the writer remembers from flush to flush, so that an uplink costs no look-up.
final class Memory {
  /// States beyond this are forgotten, all at once: some 500 bytes each.
  private static let capacity = 200_000

  let directory = Directory()
  let repeats = Repeats()
  private var known: [UUID: Known] = [:]

  /// In a box of its own, so that a table of many units, half of it empty, stays small.
  private final class Known {
    var state: StoredState
    init(_ state: StoredState) { self.state = state }
  }

  func state(of unit: UUID) -> StoredState? { known[unit]?.state }

  /// These are committed, and their rows have that version.
  func remember(_ states: [StoredState], version: UInt32) {
    if known.count > Self.capacity { known.removeAll(keepingCapacity: true) }
    for var state in states {
      state.version = version
      if let unit = known[state.unitId] { unit.state = state } else { known[state.unitId] = Known(state) }
    }
  }

  /// Somebody else has written one of these.
  func forget(_ units: some Sequence<UUID>) { for unit in units { known[unit] = nil } }
}

/// Whether deliveries are coming twice at the moment.
///
/// Readings are stored without a look at what is there, until one is; then with a look, until a hundred flushes have met none.
final class Repeats {
  private var flushesLeft = 0

  var areExpected: Bool { flushesLeft > 0 }
  func saw() { flushesLeft = 100 }
  func looked(andFound found: Bool) { flushesLeft = found ? 100 : flushesLeft - 1 }
}
