import Basics

/// The date of an answer (RFC 9110 section 5.6.7), written anew once a second.
struct HTTPDate {
  private var second = Int64.min
  /// `Date: Tue, 05 Jan 2026 07:30:12 GMT` with its line end.
  private(set) var line: [UInt8] = []

  mutating func update(_ now: Instant) {
    let seconds = now.microseconds / 1_000_000
    if seconds == second { return }
    second = seconds
    line = Array("Date: \(Self.text(seconds))\r\n".utf8)
  }

  static func text(_ seconds: Int64) -> String {
    let days = Int(seconds / 86_400)
    let date = CivilDate(daysSinceEpoch: days)
    let rest = Int(seconds % 86_400)
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][days % 7]
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][date.month - 1]
    let time = "\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))"
    return "\(weekday), \(two(date.day)) \(month) \(date.year) \(time) GMT"
  }
}
