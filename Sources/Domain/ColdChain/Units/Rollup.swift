import Basics

/// What a unit measured in one span of time. Sums of rollups of spans side by side are the rollup of both together.
public struct Rollup: Hashable, Sendable {
  public var count: Int32 = 0
  /// Readings within the limits of their time.
  public var inside: Int32 = 0
  /// Hundredths of °C.
  public var sum: Int64 = 0
  public var minimum: Temperature?
  public var maximum: Temperature?
  /// Time outside of the limits that were valid then.
  public var outside: Duration = .zero
  /// Time of which is known whether it was inside or outside.
  public var judged: Duration = .zero
  /// Time that counts as monitored.
  public var covered: Duration = .zero

  public init() {}

  public var isEmpty: Bool { count == 0 && covered == .zero }

  /// Nil without a reading.
  public var mean: Double? { count > 0 ? Double(sum) / Double(count) / 100 : nil }

  public struct Sample: Hashable, Sendable {
    public var at: Instant
    public var temperature: Temperature

    public init(at: Instant, temperature: Temperature) {
      self.at = at
      self.temperature = temperature
    }
  }

  /// The rollups between neighbouring boundaries, of samples in order of time: see ``Rollups``.
  public static func between(_ boundaries: [Instant], of samples: [Sample], limits: LimitsHistory) -> [Rollup] {
    var rollups = Rollups(between: boundaries, limits: limits)
    for sample in samples { rollups.add(sample) }
    return rollups.finished()
  }

  /// The longest silence between two samples that still counts as monitored: three expected intervals, at least 45 minutes.
  public static func gap(_ limits: Limits) -> Duration { max(limits.expectedInterval * 3, .minutes(45)) }

  /// How far a sample reaches to both sides, whatever limits are valid.
  public static func reach(_ limits: LimitsHistory) -> Duration {
    limits.versions.map { gap($0.limits) }.max() ?? .minutes(45)
  }

  /// The stretches of time, in whole hours UTC, that samples of these stretches can have changed: up to their neighbours, as
  /// far as a gap is bridged. Stretches that nearly touch are one.
  public static func spans(touchedBy changed: [Range<Instant>], limits: LimitsHistory) -> [Range<Instant>] {
    let reach = reach(limits)
    var spans: [Range<Instant>] = []
    for stretch in changed.sorted(by: { $0.lowerBound < $1.lowerBound }) {
      let (first, last) = ((stretch.lowerBound - reach).hour, (stretch.upperBound + reach).hour + .hours(1))
      if let before = spans.last, first <= before.upperBound {
        spans[spans.count - 1] = before.lowerBound..<max(before.upperBound, last)
      } else {
        spans.append(first..<last)
      }
    }
    return spans
  }

  public static func spans(touchedBy hours: [Instant], limits: LimitsHistory) -> [Range<Instant>] {
    spans(touchedBy: hours.map { $0..<$0 + .hours(1) }, limits: limits)
  }
}

extension Instant {
  /// The start of its hour, UTC.
  public var hour: Instant {
    let (hours, rest) = microseconds.quotientAndRemainder(dividingBy: 3_600_000_000)
    return Instant(microseconds: (rest < 0 ? hours - 1 : hours) * 3_600_000_000)
  }
}
