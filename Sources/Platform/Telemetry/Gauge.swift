import Synchronization

/// A figure that goes up and down.
public final class Gauge: MetricFamily {
  let description: MetricDescription
  private let table: SeriesTable<GaugeHandle>

  init(description: MetricDescription, limit: Int, overflow: Counter?) {
    self.description = description
    table = SeriesTable(description, limit: limit, overflow: overflow) { GaugeHandle(label: $0) }
  }

  public func handle(_ values: [String] = []) -> GaugeHandle { table.series(values) }

  public func set(_ value: Double, _ values: [String] = []) { table.series(values).set(value) }

  public func add(_ change: Double, _ values: [String] = []) { table.series(values).add(change) }

  func write(to page: inout Exposition) {
    page.begin(description)
    for series in table.all { page.sample(description.name, series.label, series.value) }
  }
}

public final class GaugeHandle: Sendable {
  let label: LabelText
  private let figure = AtomicDouble()

  init(label: LabelText) { self.label = label }

  public func set(_ value: Double) { figure.store(value) }
  public func add(_ change: Double) { figure.add(change) }
  public var value: Double { figure.value }
}

/// A double that threads share: its bits in an atomic word.
final class AtomicDouble: Sendable {
  private let bits = Atomic<UInt64>(0)

  var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

  func store(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

  func add(_ change: Double) {
    var old = bits.load(ordering: .relaxed)
    while true {
      let new = (Double(bitPattern: old) + change).bitPattern
      let (exchanged, original) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
      if exchanged { return }
      old = original
    }
  }
}
