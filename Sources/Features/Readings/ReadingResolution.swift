import Basics

/// How closely readings are shown.
enum ReadingResolution: String, Sendable, CaseIterable {
  case raw
  case quarterHour = "15m"
  case hour = "1h"
  /// Of the site: 23, 24 or 25 hours.
  case day = "1d"
  /// As closely as the length of the span allows.
  case auto

  /// Up to a day every reading, up to a week quarters of an hour, up to 90 days hours.
  func settled(for span: Duration) -> ReadingResolution {
    guard self == .auto else { return self }
    if span <= .days(1) { return .raw }
    if span <= .days(7) { return .quarterHour }
    return span <= .days(90) ? .hour : .day
  }

  /// Nil for single readings.
  var bucket: BucketLength? {
    switch self {
    case .raw, .auto: nil
    case .quarterHour: .quarterHour
    case .hour: .hour
    case .day: .day
    }
  }
}

enum BucketLength: Sendable {
  case quarterHour, hour, day

  /// Buckets in one answer.
  static let countMax = 10_000

  func allows(_ span: Duration) -> Bool {
    let nominal: Duration =
      switch self {
      case .quarterHour: .minutes(15)
      case .hour: .hours(1)
      case .day: .days(1)
      }
    return span <= nominal * Self.countMax
  }
}
