import Basics
import ColdChain
import JSON

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

  private var nominal: Duration {
    switch self {
    case .quarterHour: .minutes(15)
    case .hour: .hours(1)
    case .day: .days(1)
    }
  }

  func allows(_ span: Duration) -> Bool { span <= nominal * Self.countMax }

  /// Where the buckets of a span begin, and where the last ends. Hours and their quarters are those of the site's clock,
  /// whose distance from UTC at the beginning is `offset`. Nil for days: only the database knows the calendar.
  func bounds(of span: Range<Instant>, offset: Duration) -> [Instant]? {
    guard self != .day else { return nil }
    let step = nominal.microseconds
    let local = span.lowerBound.microseconds + offset.microseconds
    let into = ((local % step) + step) % step
    var bounds = [span.lowerBound - .microseconds(into)]
    while let last = bounds.last, last < span.upperBound { bounds.append(last + nominal) }
    return bounds
  }
}

extension Schema {
  /// Temperatures are in `temperatureUnit`; `coverage` is the percentage of the bucket's time that readings stand for.
  static let readingBucket = Schema.object(
    "ReadingBucket",
    [
      .instant("start"), .instant("end"), .number("min").orNull, .number("max").orNull, .number("mean").orNull,
      .integer("count"), .integer("secondsOutOfRange"), .number("coverage"),
      .choice("temperatureUnit", TemperatureUnit.self),
    ])
}

extension TemperatureBuckets {
  /// One JSON array.
  func json(in unit: TemperatureUnit) -> [UInt8] {
    JSONWriter.bytes { json in
      json.array { json in
        for bucket in buckets { bucket.write(to: &json, in: unit) }
      }
    }
  }
}

extension TemperatureBuckets.Bucket {
  fileprivate func write(to json: inout JSONWriter, in unit: TemperatureUnit) {
    func shown(_ temperature: Temperature?) -> Decimal2? {
      temperature.map { Decimal2(hundredths: Int64($0.hundredths(in: unit))) }
    }
    json.object { json in
      json.field("start", start)
      json.field("end", end)
      json.field("min", shown(minimum))
      json.field("max", shown(maximum))
      json.field("mean", shown(mean.flatMap { Temperature(celsius: $0) }))
      json.field("count", count)
      json.field("secondsOutOfRange", Int((Double(outside.microseconds) / 1e6).rounded()))
      json.field("coverage", (coverage * 1000).rounded() / 10)
      json.field("temperatureUnit", unit.rawValue)
    }
  }
}
