import Basics
import ColdChain
import Testing

struct RollupTests {
  static let start = Instant(seconds: 1_767_598_200).hour

  func limits(low: Int32? = 0, high: Int32? = 500, every minutes: Int = 15) throws -> Limits {
    try #require(
      Limits(
        low: low.map { Limit(hundredths: $0, in: .celsius) }, high: high.map { Limit(hundredths: $0, in: .celsius) },
        expectedInterval: .minutes(minutes)))
  }

  func samples(_ values: [(minute: Int, hundredths: Int32)]) -> [Rollup.Sample] {
    values.map { .init(at: Self.start + .minutes($0.minute), temperature: Temperature(hundredths: $0.hundredths)) }
  }

  func hours(_ count: Int) -> [Instant] { (0...count).map { Self.start + .hours($0) } }

  func roll(_ values: [(minute: Int, hundredths: Int32)], hours count: Int = 1) throws -> [Rollup] {
    Rollup.between(hours(count), of: samples(values), limits: LimitsHistory(try limits()))
  }

  @Test("count, sum, minimum and maximum are of the samples of the hour")
  func values() throws {
    let hours = try roll([(0, 300), (15, 310), (59, 290), (60, 1000)], hours: 2)
    #expect(hours.map(\.count) == [3, 1] && hours[0].inside == 3 && hours[1].inside == 0)
    #expect(hours[0].sum == 900 && hours[0].mean == 3)
    #expect(hours[0].minimum?.hundredths == 290 && hours[0].maximum?.hundredths == 310)
    #expect(try roll([]) == [Rollup()])
    #expect(Rollup().isEmpty && Rollup().mean == nil)
  }

  @Test("time outside is measured to where the line crosses the limit")
  func crossing() throws {
    // 4 to 6 °C in 20 minutes, on, and back in 10.
    let up = try roll([(0, 400), (20, 600), (40, 600), (50, 400), (60, 400)])
    #expect(up[0].outside == .minutes(10 + 20 + 5) && up[0].judged == .hours(1) && up[0].covered == .hours(1))
    let down = try roll([(0, 100), (20, -100), (40, 100), (60, 100)])
    #expect(down[0].outside == .minutes(20))
    #expect(try roll([(0, 500), (30, 500), (60, 500)])[0].outside == .zero)
  }

  @Test("a line over the full hour belongs to both hours, and the parts add up")
  func acrossHours() throws {
    let hours = try roll([(50, 400), (70, 600), (80, 600)], hours: 2)
    #expect(hours[0].outside == .zero && hours[1].outside == .minutes(10 + 10 + 15))
    let odd = try roll([(37, 123), (71, 777)], hours: 2)
    let whole = Rollup.between(
      [Self.start, Self.start + .hours(2)], of: samples([(37, 123), (71, 777)]),
      limits: LimitsHistory(try limits()))
    #expect(odd[0].outside + odd[1].outside == whole[0].outside)
  }

  @Test("over a silence the state holds for a third of the gap, and the rest is unknown")
  func silence() throws {
    // The gap is 45 minutes.
    let hours = try roll([(0, 600), (150, 600)], hours: 3)
    #expect(hours[0].outside == .minutes(15) && hours[0].judged == .minutes(15) && hours[0].covered == .minutes(45))
    #expect(hours[1].isEmpty)
    #expect(hours[2].outside == .minutes(15) && hours[2].covered == .minutes(30))
  }

  @Test("a line from above the one limit to below the other is outside of both")
  func bothLimits() throws {
    #expect(try roll([(0, 1000), (30, -500), (40, 100)])[0].outside == .seconds(600 + 600 + 500))
  }

  @Test("samples before the first boundary reach behind it and are not counted")
  func before() throws {
    let hours = try roll([(-10, 600), (10, 600), (15, 100), (125, 900)], hours: 2)
    #expect(hours.map(\.count) == [2, 0] && hours.map(\.inside) == [1, 0])
    #expect(hours[0].outside == .minutes(10) + .minutes(1) && hours[1].maximum == nil)
  }

  @Test("however time is cut, the parts sum up to the whole", arguments: 0..<20 as Range<UInt64>)
  func additive(seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    var values: [(minute: Int, hundredths: Int32)] = []
    var minute = -60
    while minute < 600 {
      values.append((minute, Int32.random(in: -400...1000, using: &random)))
      minute += Int.random(in: 0..<10, using: &random) == 0 ? 75 : Int.random(in: 1...20, using: &random)
    }
    func roll(every step: Int) throws -> [Rollup] {
      let boundaries = stride(from: 0, through: 480, by: step).map { Self.start + .minutes($0) }
      return Rollup.between(boundaries, of: samples(values), limits: LimitsHistory(try limits()))
    }
    let whole = try roll(every: 480)[0]
    for step in [5, 15, 60, 96] {
      let parts = try roll(every: step)
      #expect(parts.reduce(0) { $0 + $1.count } == whole.count, "seed \(seed)")
      #expect(parts.reduce(0) { $0 + $1.inside } == whole.inside, "seed \(seed)")
      #expect(parts.reduce(0) { $0 + $1.sum } == whole.sum, "seed \(seed)")
      #expect(parts.reduce(.zero) { $0 + $1.outside } == whole.outside, "seed \(seed)")
      #expect(parts.reduce(.zero) { $0 + $1.judged } == whole.judged, "seed \(seed)")
      #expect(parts.reduce(.zero) { $0 + $1.covered } == whole.covered, "seed \(seed)")
      #expect(parts.compactMap(\.minimum).min() == whole.minimum, "seed \(seed)")
      #expect(parts.allSatisfy { $0.outside <= $0.judged && $0.judged <= $0.covered }, "seed \(seed)")
    }
  }

  @Test("each moment is judged by the limits that were valid then")
  func limitsThroughTime() throws {
    let history = try #require(
      LimitsHistory([
        .init(validFrom: .distantPast, limits: try limits()),
        .init(validFrom: Self.start + .minutes(20), limits: try limits(high: 800)),
        .init(validFrom: Self.start + .minutes(40), limits: try limits(high: nil)),
      ]))
    let rollup = Rollup.between(hours(1), of: samples([(0, 900), (30, 900), (60, 900)]), limits: history)
    #expect(rollup[0].outside == .minutes(40))
  }

  @Test("rolling up only what was touched gives what rolling up everything does")
  func incremental() throws {
    var random = SplitMix(seed: 0xC01D)
    let history = LimitsHistory(try limits())
    let boundaries = hours(30)
    for round in 0..<200 {
      var minute = 0
      let all = samples(
        (0..<60).map { _ in
          minute += [1, 5, 15, 15, 40, 46, 90].randomElement(using: &random) ?? 15
          return (minute, Int32.random(in: -200...800, using: &random))
        }.filter { $0.0 < 29 * 60 })
      var stored: [Rollup.Sample] = []
      var rows = [Rollup](repeating: Rollup(), count: 30)
      for chunk in all.shuffled(using: &random).chunks(of: 7) {
        stored = (stored + chunk).sorted { $0.at < $1.at }
        for span in Rollup.spans(touchedBy: chunk.map(\.at.hour), limits: history) {
          let reach = Rollup.reach(history)
          let seen = stored.filter { span.lowerBound - reach <= $0.at && $0.at < span.upperBound + reach }
          let edges = boundaries.filter { (span.lowerBound...span.upperBound).contains($0) }
          let first = boundaries.firstIndex(of: edges[0]) ?? 0
          for (place, rollup) in Rollup.between(edges, of: seen, limits: history).enumerated() {
            rows[first + place] = rollup
          }
        }
      }
      #expect(rows == Rollup.between(boundaries, of: all, limits: history), "round \(round)")
    }
  }
}

extension Array {
  func chunks(of size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
