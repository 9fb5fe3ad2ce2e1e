/// The page that a scraper reads: Prometheus text 0.0.4 or OpenMetrics 1.0.
struct Exposition {
  private let format: Metrics.Format
  private var bytes: [UInt8] = []

  init(_ format: Metrics.Format) {
    self.format = format
    bytes.reserveCapacity(16 * 1024)
  }

  /// OpenMetrics names a counter's family without `_total` and escapes quotes in help; Prometheus does neither.
  mutating func begin(_ description: MetricDescription) {
    var name = description.name
    if format == .openMetrics, description.kind == .counter { name.removeLast("_total".utf8.count) }
    bytes.append(text: "# HELP \(name) ")
    for byte in description.help.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): bytes.append(text: "\\\\")
      case UInt8(ascii: "\n"): bytes.append(text: "\\n")
      case UInt8(ascii: "\"") where format == .openMetrics: bytes.append(text: "\\\"")
      default: bytes.append(byte)
      }
    }
    bytes.append(text: "\n# TYPE \(name) \(description.kind.rawValue)\n")
  }

  mutating func sample(_ name: String, _ labels: LabelText, _ value: Double) {
    start(name, labels.bytes, and: [])
    if value.isNaN {
      bytes.append(text: "NaN")
    } else if value.isInfinite {
      bytes.append(text: value > 0 ? "+Inf" : "-Inf")
    } else if let whole = Int64(exactly: value), whole.magnitude < 1 << 53 {
      bytes.append(text: String(whole))
    } else {
      bytes.append(text: value.description)
    }
    bytes.append(UInt8(ascii: "\n"))
  }

  mutating func sample(_ name: String, _ labels: LabelText, _ value: UInt64, and extra: [UInt8] = []) {
    start(name, labels.bytes, and: extra)
    bytes.append(text: String(value))
    bytes.append(UInt8(ascii: "\n"))
  }

  private mutating func start(_ name: String, _ labels: [UInt8], and extra: [UInt8]) {
    bytes.append(text: name)
    if !labels.isEmpty || !extra.isEmpty {
      bytes.append(UInt8(ascii: "{"))
      bytes.append(contentsOf: labels)
      if !labels.isEmpty, !extra.isEmpty { bytes.append(UInt8(ascii: ",")) }
      bytes.append(contentsOf: extra)
      bytes.append(UInt8(ascii: "}"))
    }
    bytes.append(UInt8(ascii: " "))
  }

  consuming func finished() -> [UInt8] {
    if format == .openMetrics { bytes.append(text: "# EOF\n") }
    return bytes
  }
}
