import Synchronization

/// The figures of this process. Families are made once, at the start; values change from any thread without a lock.
public final class Metrics: Sendable {
  /// More label sets than this go to one series whose labels all say `other`.
  public static let labelSetLimit = 500

  private let families = Mutex<[any MetricFamily]>([])
  private let overflow: Counter

  public init() {
    overflow = Counter(
      description: MetricDescription(
        name: "metrics_label_sets_dropped_total", help: "Label sets beyond the bound, counted under other.",
        kind: .counter, labels: ["metric"]), limit: Metrics.labelSetLimit, overflow: nil)
    families.withLock { $0.append(overflow) }
  }

  /// A figure that only grows. The name ends in `_total`.
  public func counter(
    _ name: String, help: String, labels: [String] = [], limit: Int = Metrics.labelSetLimit
  ) -> Counter {
    precondition(name.hasSuffix("_total"), "the name of a counter ends in _total: \(name)")
    return register(name, help, .counter, labels) { Counter(description: $0, limit: limit, overflow: self.overflow) }
  }

  public func gauge(
    _ name: String, help: String, labels: [String] = [], limit: Int = Metrics.labelSetLimit
  ) -> Gauge {
    register(name, help, .gauge, labels) { Gauge(description: $0, limit: limit, overflow: self.overflow) }
  }

  /// `buckets` are upper bounds, ascending, without infinity. Durations are seconds.
  public func histogram(
    _ name: String, help: String, labels: [String] = [], buckets: [Double] = Histogram.durations,
    limit: Int = Metrics.labelSetLimit
  ) -> Histogram {
    precondition(zip(buckets, buckets.dropFirst()).allSatisfy { $0 < $1 }, "bucket bounds ascend: \(name)")
    return register(name, help, .histogram, labels) {
      Histogram(description: $0, bounds: buckets, limit: limit, overflow: self.overflow)
    }
  }

  /// A figure that is read when somebody asks. `read` must not block. Registered again, the later one counts.
  public func gauge(_ name: String, help: String, read: @escaping @Sendable () -> Double) {
    observed(name, help: help, kind: .gauge, labels: []) { [([], read())] }
  }

  /// Figures that are read when somebody asks: label values and the figure for each series.
  public func observed(
    _ name: String, help: String, kind: MetricKind, labels: [String],
    read: @escaping @Sendable () -> [(labels: [String], value: Double)]
  ) {
    precondition(kind != .histogram, "a histogram is recorded, not read: \(name)")
    let description = MetricDescription(name: name, help: help, kind: kind, labels: labels)
    let family = ObservedFamily(description: description, read: read)
    families.withLock { families in
      families.removeAll { $0.description.name == name }
      families.append(family)
    }
  }

  public enum Format: Sendable {
    /// Prometheus text format 0.0.4.
    case prometheus
    /// OpenMetrics 1.0.
    case openMetrics

    public var contentType: String {
      switch self {
      case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
      case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
      }
    }
  }

  public func render(_ format: Format) -> [UInt8] {
    var page = Exposition(format)
    for family in families.withLock({ $0 }) { family.write(to: &page) }
    return page.finished()
  }

  private func register<Family: MetricFamily>(
    _ name: String, _ help: String, _ kind: MetricKind, _ labels: [String], _ make: (MetricDescription) -> Family
  ) -> Family {
    families.withLock { families in
      if let old = families.first(where: { $0.description.name == name }) {
        guard let same = old as? Family, old.description.labels == labels else {
          preconditionFailure("\(name) is registered twice, differently")
        }
        return same
      }
      let family = make(MetricDescription(name: name, help: help, kind: kind, labels: labels))
      families.append(family)
      return family
    }
  }
}

public enum MetricKind: String, Sendable {
  case counter
  case gauge
  case histogram
}

struct MetricDescription: Sendable {
  let name: String
  let help: String
  let kind: MetricKind
  let labels: [String]

  init(name: String, help: String, kind: MetricKind, labels: [String]) {
    precondition(Self.isName(name, colons: true), "not a metric name: \(name)")
    precondition(labels.allSatisfy { Self.isName($0, colons: false) && !$0.hasPrefix("__") && $0 != "le" }, name)
    self.name = name
    self.help = help
    self.kind = kind
    self.labels = labels
  }

  private static func isName(_ text: String, colons: Bool) -> Bool {
    guard let first = text.utf8.first, !(0x30...0x39).contains(first) else { return false }
    return text.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
      case 0x3A: colons
      default: false
      }
    }
  }
}

protocol MetricFamily: AnyObject, Sendable {
  var description: MetricDescription { get }
  func write(to page: inout Exposition)
}

private final class ObservedFamily: MetricFamily {
  let description: MetricDescription
  private let read: @Sendable () -> [(labels: [String], value: Double)]

  init(description: MetricDescription, read: @escaping @Sendable () -> [(labels: [String], value: Double)]) {
    self.description = description
    self.read = read
  }

  func write(to page: inout Exposition) {
    page.begin(description)
    for (labels, value) in read() {
      page.sample(description.name, LabelText(names: description.labels, values: labels), value)
    }
  }
}
