/// Latencies in microseconds, to within two percent, in a fixed amount of memory.
struct LatencyHistogram {
  /// 64 steps for each power of two.
  private var cells = [Int](repeating: 0, count: 64 * 40)
  private(set) var count = 0
  private(set) var longest = 0

  mutating func record(microseconds: Int) {
    let value = max(0, microseconds)
    cells[min(Self.cell(of: value), cells.count - 1)] += 1
    count += 1
    longest = max(longest, value)
  }

  /// The value below which `share` of all lie, in milliseconds.
  func milliseconds(at share: Double) -> Double {
    var left = Int((Double(count) * share).rounded(.up))
    for (place, cell) in cells.enumerated() where cell > 0 {
      left -= cell
      if left <= 0 { return Double(min(Self.value(of: place), longest)) / 1000 }
    }
    return Double(longest) / 1000
  }

  private static func cell(of value: Int) -> Int {
    guard value >= 64 else { return value }
    let shift = Int.bitWidth - 1 - value.leadingZeroBitCount - 6
    return 64 * (shift + 1) + (value >> shift) - 64
  }

  /// The largest value of that cell.
  private static func value(of cell: Int) -> Int {
    guard cell >= 128 else { return cell }
    let shift = cell / 64 - 1
    return ((cell % 64 + 64 + 1) << shift) - 1
  }
}
