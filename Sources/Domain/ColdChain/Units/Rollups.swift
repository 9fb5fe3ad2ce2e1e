import Basics

/// Makes the rollups of spans of time side by side, from a unit's samples as they come.
///
/// Between two samples no further apart than ``Rollup/gap(_:)`` the temperature is a straight line, and the time outside is
/// measured to its crossing of the limit. Over a longer silence the first sample's state holds for a third of the gap, and
/// the rest is unknown. The last sample is treated as if a silence followed.
public struct Rollups: Sendable {
  private let boundaries: [Instant]
  private let limits: LimitsHistory
  private var rollups: [Rollup]
  private var last: Rollup.Sample?
  /// The one that the last sample lies in, or the next one.
  private var place = 0

  /// - Parameter boundaries: ascending; between two of them is one rollup.
  public init(between boundaries: [Instant], limits: LimitsHistory) {
    self.boundaries = boundaries
    self.limits = limits
    rollups = Array(repeating: Rollup(), count: max(0, boundaries.count - 1))
  }

  /// The next sample; not before the one before it. Those within a gap before the first and after the last boundary count
  /// for time, and must be among them.
  public mutating func add(_ sample: Rollup.Sample) {
    spread(to: sample)
    while place < rollups.count, boundaries[place + 1] <= sample.at { place += 1 }
    if place < rollups.count, boundaries[place] <= sample.at {
      rollups[place].take(sample.temperature, limits.at(sample.at))
    }
    last = sample
  }

  /// There are no more samples.
  public consuming func finished() -> [Rollup] {
    spread(to: nil)
    return rollups
  }

  private mutating func spread(to next: Rollup.Sample?) {
    guard let last else { return }
    Line(from: last, to: next, gap: Rollup.gap(limits.at(last.at)))
      .spread(over: boundaries, near: place, limits: limits, into: &rollups)
  }
}

extension Rollup {
  fileprivate mutating func take(_ temperature: Temperature, _ limits: Limits) {
    count += 1
    if limits.excess(of: temperature) == 0 { inside += 1 }
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
