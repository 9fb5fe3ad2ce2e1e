import Synchronization

/// The series of one family by their label values, never more than a bound.
final class SeriesTable<Series: AnyObject & Sendable>: Sendable {
  private struct State {
    var byLabels: [[String]: Series] = [:]
    var ordered: [Series] = []
  }

  private let state = Mutex(State())
  private let labels: [String]
  private let metric: String
  private let limit: Int
  private let overflow: Counter?
  private let make: @Sendable (LabelText) -> Series

  init(
    _ description: MetricDescription, limit: Int, overflow: Counter?, make: @escaping @Sendable (LabelText) -> Series
  ) {
    labels = description.labels
    metric = description.name
    self.limit = limit
    self.overflow = overflow
    self.make = make
    if labels.isEmpty { _ = series([]) }
  }

  var all: [Series] { state.withLock { $0.ordered } }

  func series(_ values: [String]) -> Series {
    precondition(values.count == labels.count, "\(metric) has the labels \(labels)")
    let (series, dropped) = state.withLock { state in
      if let known = state.byLabels[values] { return (known, false) }
      let isOver = state.ordered.count >= limit
      let key = isOver ? values.map { _ in "other" } : values
      if let known = state.byLabels[key] { return (known, isOver) }
      let fresh = make(LabelText(names: labels, values: key))
      state.byLabels[key] = fresh
      state.ordered.append(fresh)
      return (fresh, isOver)
    }
    if dropped { overflow?.add(1, [metric]) }
    return series
  }
}

/// `a="x",b="y"`: escaped once, when the series is made.
struct LabelText: Sendable {
  let bytes: [UInt8]

  /// Longer values are cut: a label is a name, not a text.
  private static let longestValue = 256

  init(names: [String], values: [String]) {
    var bytes: [UInt8] = []
    for (name, value) in zip(names, values) {
      if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
      bytes.append(text: name)
      bytes.append(text: "=\"")
      for scalar in value.unicodeScalars.prefix(Self.longestValue) {
        switch scalar {
        case "\\": bytes.append(text: "\\\\")
        case "\"": bytes.append(text: "\\\"")
        case "\n": bytes.append(text: "\\n")
        default: bytes.append(contentsOf: scalar.utf8)
        }
      }
      bytes.append(UInt8(ascii: "\""))
    }
    self.bytes = bytes
  }
}
