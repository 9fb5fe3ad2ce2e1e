import Basics

/// What a unit's temperature did in spans of time that follow each other, from its readings in order.
///
/// A sample stands for the time until the next one, for at most the gap limit: three expected intervals, and no less than
/// 45 minutes. Between two samples that are no further apart, the temperature runs in a straight line, and the part
/// outside the limits is outside. After a sample with a longer gap its state is held for a third of the gap limit; what
/// is beyond that is unknown, neither inside nor outside.
public struct TemperatureBuckets: Sendable {
  public struct Bucket: Hashable, Sendable {
    public let start: Instant
    public let end: Instant
    /// The part of it that was asked for.
    public let length: Duration
    public fileprivate(set) var count = 0
    public fileprivate(set) var minimum: Temperature?
    public fileprivate(set) var maximum: Temperature?
    /// Hundredths of °C of all samples together.
    public fileprivate(set) var sum: Int64 = 0
    /// Samples stand for this much of it.
    public fileprivate(set) var covered = Duration.zero
    /// Outside the limits that were in force.
    public fileprivate(set) var outside = Duration.zero

    /// °C.
    public var mean: Double? { count == 0 ? nil : Double(sum) / Double(count) / 100 }

    /// 0 to 1.
    public var coverage: Double {
      length > .zero ? min(1, Double(covered.microseconds) / Double(length.microseconds)) : 0
    }
  }

  public private(set) var buckets: [Bucket]
  private let window: Range<Instant>
  private let limits: LimitsHistory
  private var last: (at: Instant, temperature: Temperature)?
  /// The bucket that the last sample lies in, or the first.
  private var place = 0

  /// - Parameters:
  ///   - bounds: where buckets begin, and where the last one ends; ascending, at least two.
  ///   - window: what was asked for, within the bounds.
  public init(bounds: [Instant], window: Range<Instant>, limits: LimitsHistory) {
    buckets = zip(bounds, bounds.dropFirst()).map { start, end in
      let (from, to) = (max(start, window.lowerBound), min(end, window.upperBound))
      return Bucket(start: start, end: end, length: from < to ? to - from : .zero)
    }
    self.window = window
    self.limits = limits
  }

  /// The longest time that a sample can stand for: readings so far before the window and after it matter too.
  public static func gapLimit(_ limits: Limits) -> Duration { max(limits.expectedInterval * 3, .minutes(45)) }

  /// The next sample; not before the one before it.
  public mutating func add(_ temperature: Temperature, at instant: Instant) {
    if let last { join(last.at, last.temperature, instant, temperature) }
    last = (instant, temperature)
    while place + 1 < buckets.count, buckets[place].end <= instant { place += 1 }
    guard window.contains(instant), let bucket = buckets.indices.contains(place) ? place : nil else { return }
    buckets[bucket].count += 1
    buckets[bucket].sum += Int64(temperature.hundredths)
    buckets[bucket].minimum = min(buckets[bucket].minimum ?? temperature, temperature)
    buckets[bucket].maximum = max(buckets[bucket].maximum ?? temperature, temperature)
  }

  /// No more samples.
  public mutating func finish() {
    guard let last else { return }
    hold(last.at, last.temperature, for: Self.gapLimit(limits.at(last.at)))
    self.last = nil
  }

  // MARK: - Between two samples

  private mutating func join(_ start: Instant, _ from: Temperature, _ end: Instant, _ to: Temperature) {
    let rules = limits.at(start)
    let gapLimit = Self.gapLimit(rules)
    guard end - start <= gapLimit else { return hold(start, from, for: gapLimit) }
    spread(start..<end, to: \.covered)
    let line = Line(start: start, length: end - start, from: Int64(from.hundredths), to: Int64(to.hundredths))
    if let high = rules.high, let span = line.above(Int64(high.temperature.hundredths)) { spread(span, to: \.outside) }
    if let low = rules.low, let span = line.below(Int64(low.temperature.hundredths)) { spread(span, to: \.outside) }
  }

  private mutating func hold(_ start: Instant, _ temperature: Temperature, for gapLimit: Duration) {
    spread(start..<start + gapLimit, to: \.covered)
    if case .outside = limits.at(start).verdict(on: temperature) {
      spread(start..<start + gapLimit / 3, to: \.outside)
    }
  }

  /// Adds a span, as far as it was asked for, to the buckets that it touches.
  private mutating func spread(_ span: Range<Instant>, to field: WritableKeyPath<Bucket, Duration>) {
    let from = max(span.lowerBound, window.lowerBound)
    let end = min(span.upperBound, window.upperBound)
    guard from < end else { return }
    var index = place
    while index < buckets.count, buckets[index].start < end {
      let (start, stop) = (max(from, buckets[index].start), min(end, buckets[index].end))
      if start < stop { buckets[index][keyPath: field] += stop - start }
      index += 1
    }
  }
}

/// A temperature that runs straight from one sample to the next, in hundredths of °C.
private struct Line {
  let start: Instant
  let length: Duration
  let from: Int64
  let to: Int64

  func above(_ limit: Int64) -> Range<Instant>? { beyond(limit) { $0 > limit } }
  func below(_ limit: Int64) -> Range<Instant>? { beyond(limit) { $0 < limit } }

  private func beyond(_ limit: Int64, _ isBeyond: (Int64) -> Bool) -> Range<Instant>? {
    switch (isBeyond(from), isBeyond(to)) {
    case (true, true): start..<start + length
    case (false, false): nil
    case (true, false): start..<crossing(limit)
    case (false, true): crossing(limit)..<start + length
    }
  }

  private func crossing(_ limit: Int64) -> Instant {
    start + .microseconds(Int64((Double(length.microseconds) * Double(limit - from) / Double(to - from)).rounded()))
  }
}
