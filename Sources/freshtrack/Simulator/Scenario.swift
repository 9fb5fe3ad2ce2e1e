import Basics
import Glibc

/// What happens to the simulated sensors.
enum Scenario: String, Sendable, CaseIterable {
  case normal
  /// The door of the first unit stays open: it warms fast, within some ten minutes.
  case doorLeftOpen = "door-left-open"
  /// The compressor of the first unit stops: it warms slowly, over an hour.
  case compressorFailure = "compressor-failure"
  /// For 60 of every 180 seconds no uplink arrives; frame counters go on, so a gap stays.
  case gatewayOutage = "gateway-outage"
  /// Every third uplink comes twice.
  case duplicates
  /// Every fifth uplink comes up to 30 seconds late, out of order, as a webhook that is tried again does.
  case lateData = "late-data"

  var summary: String {
    switch self {
    case .normal: "units cycle, nothing is wrong"
    case .doorLeftOpen: "the first unit warms fast from the first minute on"
    case .compressorFailure: "the first unit warms slowly from the first minute on"
    case .gatewayOutage: "nothing arrives for 60 of every 180 seconds"
    case .duplicates: "every third uplink comes twice"
    case .lateData: "every fifth uplink comes up to 30 s late and out of order"
    }
  }

  /// How much warmer than usual the first unit is, of the `gap` that lies between it and the room, in °C.
  func warming(after seconds: Double, gap: Double) -> Double {
    let since = max(0, seconds - 60)
    switch self {
    case .doorLeftOpen: return gap * (1 - exp(-since / 480))
    case .compressorFailure: return gap * (1 - exp(-since / 3000))
    default: return 0
    }
  }

  func isSilent(at seconds: Double) -> Bool {
    self == .gatewayOutage && seconds.truncatingRemainder(dividingBy: 180) >= 120
  }
}

extension SplitMix {
  /// Between -1 and 1.
  mutating func spread() -> Double { Double(Int64(bitPattern: next()) >> 11) / Double(1 << 52) }
}
