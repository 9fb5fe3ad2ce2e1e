import Basics
import Synchronization

/// How values are distributed over buckets.
public final class Histogram: MetricFamily {
  /// Seconds, from half a millisecond to ten seconds.
  public static let durations: [Double] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  ]
  /// Counts of things, in powers of two.
  public static let sizes: [Double] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048]

  let description: MetricDescription
  private let bounds: [Double]
  private let boundLabels: [[UInt8]]
  private let table: SeriesTable<HistogramHandle>

  init(description: MetricDescription, bounds: [Double], limit: Int, overflow: Counter?) {
    self.description = description
    self.bounds = bounds
    boundLabels = (bounds.map(\.description) + ["+Inf"]).map { Array("le=\"\($0)\"".utf8) }
    table = SeriesTable(description, limit: limit, overflow: overflow) { HistogramHandle(label: $0, bounds: bounds) }
  }

  public func handle(_ values: [String] = []) -> HistogramHandle { table.series(values) }

  public func observe(_ value: Double, _ values: [String] = []) { table.series(values).observe(value) }

  func write(to page: inout Exposition) {
    page.begin(description)
    for series in table.all {
      var total: UInt64 = 0
      for (count, bound) in zip(series.counts, boundLabels) {
        total += count
        page.sample("\(description.name)_bucket", series.label, total, and: bound)
      }
      page.sample("\(description.name)_sum", series.label, series.sum)
      page.sample("\(description.name)_count", series.label, total)
    }
  }
}

public final class HistogramHandle: @unchecked Sendable {
  let label: LabelText
  private let bounds: [Double]
  /// One for each bound and one for what lies above all. The pointer never changes; the cells are atomic.
  private let cells: UnsafeMutablePointer<Atomic<UInt64>>
  private let total = AtomicDouble()

  init(label: LabelText, bounds: [Double]) {
    self.label = label
    self.bounds = bounds
    cells = .allocate(capacity: bounds.count + 1)
    for place in 0...bounds.count { (cells + place).initialize(to: Atomic(0)) }
  }

  deinit {
    cells.deinitialize(count: bounds.count + 1)
    cells.deallocate()
  }

  /// A value that is not a number is left out.
  public func observe(_ value: Double) {
    guard !value.isNaN else { return }
    var place = 0
    while place < bounds.count, value > bounds[place] { place += 1 }
    cells[place].wrappingAdd(1, ordering: .relaxed)
    total.add(value)
  }

  /// Seconds.
  public func observe(_ duration: Duration) { observe(Double(duration.microseconds) / 1_000_000) }

  /// The time between two readings of the monotonic clock, as seconds.
  public func observe(from start: UInt64, to end: UInt64) { observe(Double(end &- start) / 1e9) }

  var counts: [UInt64] { (0...bounds.count).map { cells[$0].load(ordering: .relaxed) } }
  var sum: Double { total.value }

  public var count: Int { Int(clamping: counts.reduce(0, &+)) }
}
