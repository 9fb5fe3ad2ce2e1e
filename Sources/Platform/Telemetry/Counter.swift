import Synchronization

/// A figure that only grows.
public final class Counter: MetricFamily {
  let description: MetricDescription
  private let table: SeriesTable<CounterHandle>

  init(description: MetricDescription, limit: Int, overflow: Counter?) {
    self.description = description
    table = SeriesTable(description, limit: limit, overflow: overflow) { CounterHandle(label: $0) }
  }

  /// The series of these label values, to keep: adding to it takes no lookup and no lock.
  public func handle(_ values: [String] = []) -> CounterHandle { table.series(values) }

  public func add(_ count: Int = 1, _ values: [String] = []) { table.series(values).add(count) }

  func write(to page: inout Exposition) {
    page.begin(description)
    for series in table.all { page.sample(description.name, series.label, UInt64(series.value)) }
  }
}

public final class CounterHandle: Sendable {
  let label: LabelText
  private let count = Atomic<UInt64>(0)

  init(label: LabelText) { self.label = label }

  /// `count` is not negative.
  public func add(_ count: Int = 1) {
    precondition(count >= 0, "a counter only grows")
    self.count.wrappingAdd(UInt64(count), ordering: .relaxed)
  }

  public var value: Int { Int(clamping: count.load(ordering: .relaxed)) }
}
