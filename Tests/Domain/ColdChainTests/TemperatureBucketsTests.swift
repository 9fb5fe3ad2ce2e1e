import Basics
import ColdChain
import Testing

@Suite struct TemperatureBucketsTests {
  private let start = Instant(seconds: 1_767_225_600)  // 2026-01-01T00:00:00Z

  private func at(_ minutes: Int) -> Instant { start + .minutes(minutes) }

  /// Buckets of so many minutes over `window`, of samples (minute, °C). Limits 0 to 5 °C, a reading every 10 minutes.
  private func buckets(
    _ samples: [(Int, Double)], every step: Int = 60, count: Int = 2, window: Range<Int>? = nil
  ) throws -> [TemperatureBuckets.Bucket] {
    let limits = try #require(
      Limits(
        low: Limit(hundredths: 0, in: .celsius), high: Limit(hundredths: 500, in: .celsius),
        expectedInterval: .minutes(10)))
    let window = window ?? 0..<step * count
    var buckets = TemperatureBuckets(
      bounds: (0...count).map { at($0 * step) }, window: at(window.lowerBound)..<at(window.upperBound),
      limits: LimitsHistory(limits))
    for (minute, celsius) in samples {
      buckets.add(try #require(Temperature(celsius: celsius)), at: at(minute))
    }
    buckets.finish()
    return buckets.buckets
  }

  @Test func `a bucket has the extremes, the mean and the number of its samples`() throws {
    let found = try buckets([(0, 1), (10, 2), (50, 6), (60, 3), (70, 4)])
    #expect(found.map(\.count) == [3, 2])
    #expect(found[0].minimum == Temperature(celsius: 1))
    #expect(found[0].maximum == Temperature(celsius: 6))
    #expect(found[0].mean == 3)
    #expect(found[1].mean == 3.5)
  }

  @Test func `the time outside is where the line between two samples is outside`() throws {
    // 4 to 6 °C in 10 minutes: outside from the 5th minute on; back to 4 in 20: outside for half of them.
    let found = try buckets([(0, 4), (10, 6), (30, 4), (40, 4)])
    #expect(found[0].outside == .minutes(15))
    // Below the low limit just the same.
    #expect(try buckets([(0, 1), (10, -1), (20, -1), (30, 1)])[0].outside == .minutes(20))
    // From above the one limit to below the other.
    #expect(try buckets([(0, 10), (30, -5), (40, 1)])[0].outside == .seconds(600 + 600 + 500))
  }

  @Test func `a span that crosses a bound is shared by both buckets`() throws {
    let found = try buckets([(50, 6), (70, 6), (75, 1)])
    #expect(found[0].outside == .minutes(10))
    #expect(found[1].outside == .minutes(11))
    #expect(found[0].covered == .minutes(10))
    #expect(found[1].covered == .minutes(15) + .minutes(45))
  }

  @Test func `a sample stands for no longer than the gap limit, and its state for a third of it`() throws {
    // 3 × 10 minutes is below 45 minutes, which count.
    let found = try buckets([(0, 6), (100, 1)], every: 120, count: 1)
    #expect(found[0].covered == .minutes(45 + 20))
    #expect(found[0].outside == .minutes(15))
    #expect(abs(found[0].coverage - 65.0 / 120) < 1e-9)
  }

  @Test func `samples before what was asked for reach into it and are not counted`() throws {
    let found = try buckets([(-10, 6), (10, 6), (15, 1), (125, 9)], window: 0..<120)
    #expect(found.map(\.count) == [2, 0])
    #expect(found[0].outside == .minutes(10) + .minutes(1))
    #expect(found[1].maximum == nil)
    #expect(found[1].mean == nil)
  }

  @Test func `coverage is of the part that was asked for`() throws {
    let found = try buckets([(0, 1), (30, 1)], every: 60, count: 1, window: 30..<60)
    #expect(found[0].coverage == 1)
    #expect(found[0].length == .minutes(30))
    #expect(try buckets([])[0].coverage == 0)
  }

  @Test(arguments: 0..<20 as Range<UInt64>)
  func `however time is cut, the parts sum up to the whole`(seed: UInt64) throws {
    var state = seed &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    func random(_ count: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(count))
    }
    var minute = -60
    var samples: [(Int, Double)] = []
    while minute < 600 {
      samples.append((minute, Double(random(1400)) / 100 - 4))
      minute += random(10) == 0 ? 30 + random(90) : 1 + random(20)
    }
    let whole = try buckets(samples, every: 480, count: 1)
    for step in [5, 15, 60, 96] {
      let parts = try buckets(samples, every: step, count: 480 / step)
      #expect(parts.reduce(0) { $0 + $1.count } == whole[0].count, "seed \(seed)")
      #expect(parts.reduce(0) { $0 + $1.sum } == whole[0].sum, "seed \(seed)")
      #expect(parts.reduce(.zero) { $0 + $1.outside } == whole[0].outside, "seed \(seed)")
      #expect(parts.reduce(.zero) { $0 + $1.covered } == whole[0].covered, "seed \(seed)")
      #expect(parts.compactMap(\.minimum).min() == whole[0].minimum, "seed \(seed)")
      #expect(parts.allSatisfy { $0.covered <= $0.length && $0.outside <= $0.covered }, "seed \(seed)")
    }
  }
}
