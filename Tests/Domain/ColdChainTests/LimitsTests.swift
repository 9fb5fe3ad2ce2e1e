import Basics
import ColdChain
import Testing

struct LimitsTests {
  @Test("comparisons are strict: on the limit is inside")
  func strict() throws {
    let limits = try fridge()
    #expect(limits.verdict(on: Temperature(hundredths: 500)) == .withinHysteresis)
    #expect(limits.verdict(on: Temperature(hundredths: 501)) == .outside(.high))
    #expect(limits.verdict(on: Temperature(hundredths: 100)) == .withinHysteresis)
    #expect(limits.verdict(on: Temperature(hundredths: 99)) == .outside(.low))
    #expect(limits.verdict(on: Temperature(hundredths: 450)) == .clear)
    #expect(limits.verdict(on: Temperature(hundredths: 451)) == .withinHysteresis)
  }

  @Test("a band narrower than twice the hysteresis takes a quarter of itself")
  func narrow() throws {
    #expect(try fridge(low: 4.2, high: 5).margin == 20)
    #expect(try fridge(low: 4, high: 5).margin == 50)
    #expect(try fridge(low: 5, high: 5).margin == 0)
    #expect(try fridge(low: 5, high: 5).verdict(on: Temperature(hundredths: 500)) == .clear)
    #expect(try fridge(low: nil).margin == 50)
  }

  @Test("a zero limit is a limit, and a missing one is none")
  func zero() throws {
    let freezer = try fridge(low: nil, high: 0)
    #expect(freezer.verdict(on: Temperature(hundredths: 1)) == .outside(.high))
    #expect(freezer.verdict(on: Temperature(hundredths: -30_000)) == .clear)
    #expect(try fridge(low: nil, high: nil).verdict(on: Temperature(hundredths: 9_000)) == .clear)
  }

  @Test("limits that contradict themselves cannot be made")
  func contradictions() {
    #expect(Limits(low: celsius(6), high: celsius(5)) == nil)
    #expect(Limits(hysteresis: .init(hundredths: -1)) == nil)
    #expect(Limits(expectedInterval: .zero) == nil)
  }

  @Test("limits are those valid at the instant")
  func history() throws {
    let (old, new) = (try fridge(high: 5), try fridge(high: 8))
    let history = try #require(
      LimitsHistory([.init(validFrom: at(60), limits: new), .init(validFrom: at(0), limits: old)]))
    #expect(history.at(at(-1)) == old && history.at(at(59)) == old)
    #expect(history.at(at(60)) == new && history.latest == new)
    #expect(LimitsHistory([]) == nil)
  }
}
