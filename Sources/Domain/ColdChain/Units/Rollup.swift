import Basics

/// What a unit measured in one span of time. Sums of rollups of spans side by side are the rollup of both together.
public struct Rollup: Hashable, Sendable {
  public var count: Int32 = 0
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

  /// The longest silence between two samples that still counts as monitored: three expected intervals, at least 45 minutes.
  public static func gap(_ limits: Limits) -> Duration { max(limits.expectedInterval * 3, .minutes(45)) }

  /// How far a sample reaches to both sides, whatever limits are valid.
  public static func reach(_ limits: LimitsHistory) -> Duration {
    limits.versions.map { gap($0.limits) }.max() ?? .minutes(45)
  }

  /// The stretches of time, in whole hours UTC, that samples of these hours can have changed: up to their neighbours, as far as
  /// a gap is bridged. Stretches that nearly touch are one.
  public static func spans(touchedBy hours: [Instant], limits: LimitsHistory) -> [Range<Instant>] {
    let reach = reach(limits)
    var spans: [Range<Instant>] = []
    for hour in hours.sorted() {
      let (first, last) = ((hour - reach).hour, (hour + .hours(1) + reach).hour + .hours(1))
      if let before = spans.last, first <= before.upperBound {
        spans[spans.count - 1] = before.lowerBound..<max(before.upperBound, last)
      } else {
        spans.append(first..<last)
      }
    }
    return spans
  }

  /// The rollups between neighbouring boundaries.
  ///
  /// Between two samples no further apart than ``gap(_:)`` the temperature is a straight line, and the time outside is measured to
  /// its crossing of the limit. Over a longer silence the first sample's state holds for a third of the gap, and the rest is
  /// unknown. The last sample is treated as if a silence followed.
  ///
  /// - Parameters:
  ///   - samples: in order of time. Samples within a gap before the first and after the last boundary count for time, and
  ///     must be among them.
  ///   - boundaries: ascending.
  public static func between(
    _ boundaries: [Instant], of samples: [Sample], limits: LimitsHistory
  ) -> [Rollup] {
    guard boundaries.count > 1 else { return [] }
    var rollups = [Rollup](repeating: Rollup(), count: boundaries.count - 1)
    var bucket = 0
    for (place, sample) in samples.enumerated() {
      while bucket < rollups.count, boundaries[bucket + 1] <= sample.at { bucket += 1 }
      if bucket < rollups.count, boundaries[bucket] <= sample.at { rollups[bucket].take(sample.temperature) }
      let next = place + 1 < samples.count ? samples[place + 1] : nil
      let line = Line(from: sample, to: next, gap: gap(limits.at(sample.at)))
      line.spread(over: boundaries, near: bucket, limits: limits, into: &rollups)
    }
    return rollups
  }

  mutating func take(_ temperature: Temperature) {
    count += 1
    sum += Int64(temperature.hundredths)
    minimum = minimum.map { min($0, temperature) } ?? temperature
    maximum = maximum.map { max($0, temperature) } ?? temperature
  }
}

/// The temperature from one sample to the next.
private struct Line {
  let start: Instant
  let from: Int64
  /// As long as the state is known.
  let end: Instant
  let to: Int64
  /// As long as the sample counts as near.
  let coveredTo: Instant

  init(from sample: Rollup.Sample, to next: Rollup.Sample?, gap: Duration) {
    start = sample.at
    from = Int64(sample.temperature.hundredths)
    if let next, next.at - sample.at <= gap {
      end = next.at
      to = Int64(next.temperature.hundredths)
      coveredTo = next.at
    } else {
      end = sample.at + gap / 3
      to = from
      coveredTo = min(next?.at ?? .distantFuture, sample.at + gap)
    }
  }

  func spread(over boundaries: [Instant], near bucket: Int, limits: LimitsHistory, into rollups: inout [Rollup]) {
    var place = bucket
    while place < rollups.count, boundaries[place] < coveredTo {
      let lower = max(start, boundaries[place])
      let covered = min(coveredTo, boundaries[place + 1])
      if covered > lower { rollups[place].covered += covered - lower }
      let judged = min(end, boundaries[place + 1])
      if judged > lower {
        rollups[place].judged += judged - lower
        rollups[place].outside += outside(lower, judged, limits)
      }
      place += 1
    }
  }

  /// Time outside of the limits between two instants of the line.
  private func outside(_ lower: Instant, _ upper: Instant, _ limits: LimitsHistory) -> Duration {
    let versions = limits.versions
    guard versions.count > 1 else { return outside(lower, upper, versions[0].limits) }
    var total = Duration.zero
    for (place, version) in versions.enumerated() {
      // The first is valid for all time before it too.
      let from = place == 0 ? lower : max(lower, version.validFrom)
      let to = place + 1 < versions.count ? min(upper, versions[place + 1].validFrom) : upper
      if from < to { total += outside(from, to, version.limits) }
    }
    return total
  }

  private func outside(_ lower: Instant, _ upper: Instant, _ limits: Limits) -> Duration {
    var total = Duration.zero
    if let high = limits.high?.temperature { total += above(Int64(high.hundredths), lower, upper, sign: 1) }
    if let low = limits.low?.temperature { total += above(-Int64(low.hundredths), lower, upper, sign: -1) }
    return total
  }

  /// Time strictly above the limit; with the sign turned, below it.
  private func above(_ limit: Int64, _ lower: Instant, _ upper: Instant, sign: Int64) -> Duration {
    let (first, last) = (from * sign, to * sign)
    if first > limit, last > limit { return upper - lower }
    if first <= limit, last <= limit { return .zero }
    // Whole microseconds, and the same for every part of the line: parts add up to the whole.
    let crossing = start + .microseconds((limit - first) * (end - start).microseconds / (last - first))
    return last > limit ? max(.zero, upper - max(lower, crossing)) : max(.zero, min(upper, crossing) - lower)
  }
}

extension Instant {
  /// The start of its hour, UTC.
  public var hour: Instant {
    let (hours, rest) = microseconds.quotientAndRemainder(dividingBy: 3_600_000_000)
    return Instant(microseconds: (rest < 0 ? hours - 1 : hours) * 3_600_000_000)
  }
}
