import Basics

/// A limit as a person entered it: 41 °F comes back as 41 °F, not as 5.0 °C turned back.
public struct Limit: Hashable, Sendable {
  /// Hundredths of a degree in ``unit``.
  public let entered: Int32
  public let unit: TemperatureUnit

  public init(hundredths entered: Int32, in unit: TemperatureUnit) {
    self.entered = entered
    self.unit = unit
  }

  public var temperature: Temperature { Temperature(hundredths: entered, in: unit) }
}

/// Which of the two limits was broken.
public enum LimitSide: String, Sendable, CaseIterable { case low, high }

/// What a unit must keep, and how patiently it is judged.
public struct Limits: Hashable, Sendable {
  public var low: Limit?
  public var high: Limit?
  /// How far inside a limit a temperature must be to count as recovered. See ``margin`` for what is applied.
  public var hysteresis: TemperatureDifference
  /// How long an excursion lasts before it is an alarm.
  public var confirmDoorClosed: Duration
  /// The same when the door stood open during the excursion; not below ``confirmDoorClosed``.
  public var confirmDoorOpen: Duration
  /// How much confirmation time an open door may add in one day (UTC) of a unit.
  public var doorMaskPerDay: Duration
  /// How often the unit's sensor reports.
  public var expectedInterval: Duration
  /// How many reports must be missing until the link is late, and, always more, until it is lost.
  public var lateCheckIns: Int32
  public var lostCheckIns: Int32
  /// Out of range again within this time of the close: the same incident, reopened.
  public var reopenWindow: Duration
  /// Consecutive recovered readings before an incident closes.
  public var restoringReadings: Int32
  /// How long a new sensor may take to its first check-in.
  public var neverSeenGrace: Duration

  /// Nil when `low` is above `high`, or a duration or count is negative, or the expected interval or a number of missing
  /// reports is zero.
  public init?(
    low: Limit? = nil, high: Limit? = nil, hysteresis: TemperatureDifference = .init(hundredths: 50),
    confirmDoorClosed: Duration = .minutes(10), confirmDoorOpen: Duration = .minutes(20),
    doorMaskPerDay: Duration = .minutes(60), expectedInterval: Duration = .minutes(20), lateCheckIns: Int32 = 1,
    lostCheckIns: Int32 = 5, reopenWindow: Duration = .minutes(15), restoringReadings: Int32 = 2,
    neverSeenGrace: Duration = .minutes(60)
  ) {
    if let low, let high, low.temperature > high.temperature { return nil }
    guard hysteresis.hundredths >= 0, confirmDoorClosed >= .zero, doorMaskPerDay >= .zero, expectedInterval > .zero,
      (1...1000).contains(lateCheckIns), lostCheckIns >= 1, reopenWindow >= .zero, restoringReadings >= 0,
      neverSeenGrace >= .zero
    else { return nil }
    self.low = low
    self.high = high
    self.hysteresis = hysteresis
    self.confirmDoorClosed = confirmDoorClosed
    self.confirmDoorOpen = max(confirmDoorOpen, confirmDoorClosed)
    self.doorMaskPerDay = doorMaskPerDay
    self.expectedInterval = expectedInterval
    self.lateCheckIns = lateCheckIns
    self.lostCheckIns = max(lostCheckIns, lateCheckIns + 1)
    self.reopenWindow = reopenWindow
    self.restoringReadings = restoringReadings
    self.neverSeenGrace = neverSeenGrace
  }

  /// The hysteresis as applied, in hundredths: a quarter of the band when the band is narrower than twice the
  /// hysteresis, so that every unit can recover.
  public var margin: Int32 {
    guard let low = low?.temperature.hundredths, let high = high?.temperature.hundredths else {
      return hysteresis.hundredths
    }
    let band = Int64(high) - Int64(low)
    return band < 2 * Int64(hysteresis.hundredths) ? Int32(clamping: band / 4) : hysteresis.hundredths
  }

  /// How a temperature stands to the limits. Comparisons are strict: a temperature on its limit is not outside.
  public enum Verdict: Hashable, Sendable {
    case outside(LimitSide)
    /// Inside, but not by the hysteresis: it changes nothing.
    case withinHysteresis
    case clear
  }

  public func verdict(on temperature: Temperature) -> Verdict {
    let value = Int64(temperature.hundredths)
    let margin = Int64(margin)
    let low = low.map { Int64($0.temperature.hundredths) }
    let high = high.map { Int64($0.temperature.hundredths) }
    if let high, value > high { return .outside(.high) }
    if let low, value < low { return .outside(.low) }
    if let high, value > high - margin { return .withinHysteresis }
    if let low, value < low + margin { return .withinHysteresis }
    return .clear
  }

  /// How far outside, in hundredths; 0 when inside.
  func excess(of temperature: Temperature) -> Int64 {
    let value = Int64(temperature.hundredths)
    let above = high.map { value - Int64($0.temperature.hundredths) } ?? 0
    let below = low.map { Int64($0.temperature.hundredths) - value } ?? 0
    return max(above, below, 0)
  }
}

/// The limits of a unit through time: old readings are judged by the limits valid then.
public struct LimitsHistory: Hashable, Sendable {
  public struct Version: Hashable, Sendable {
    public var validFrom: Instant
    public var limits: Limits

    public init(validFrom: Instant, limits: Limits) {
      self.validFrom = validFrom
      self.limits = limits
    }
  }

  /// By `validFrom`, ascending. Never empty.
  public let versions: [Version]

  /// One set of limits for all time.
  public init(_ limits: Limits) { versions = [Version(validFrom: .distantPast, limits: limits)] }

  /// Nil when there is no version. Of two versions with the same `validFrom` the later in the array wins.
  public init?(_ versions: [Version]) {
    guard !versions.isEmpty else { return nil }
    let order = versions.indices.sorted {
      (versions[$0].validFrom, $0) < (versions[$1].validFrom, $1)
    }
    self.versions = order.map { versions[$0] }
  }

  /// The limits valid at an instant; before the first version, the first.
  public func at(_ instant: Instant) -> Limits {
    var index = versions.count - 1
    while index > 0, versions[index].validFrom > instant { index -= 1 }
    return versions[index].limits
  }

  public var latest: Limits { versions[versions.count - 1].limits }
}
