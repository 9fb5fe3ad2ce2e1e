import Basics
import ColdChain
import JSON
import PostgreSQL

/// What a unit measured in a quarter of an hour, an hour or a day.
struct ReadingBucket {
  let start: Instant
  let end: Instant
  /// The part of it that was asked for.
  let asked: Range<Instant>
  /// Nil as long as it is not known.
  var rollup: Rollup?

  private init(_ start: Instant, _ end: Instant, within span: ClosedRange<Instant>) {
    self.start = start
    self.end = end
    // The end belongs to the span.
    asked = max(start, span.lowerBound)..<min(end, span.upperBound + .microseconds(1))
  }

  /// Of ``BucketStore/rolledUp(_:)``. Nothing is known of a part.
  init(_ row: Row, within span: ClosedRange<Instant>) throws {
    self.init(try row.instant(0), try row.instant(1), within: span)
    guard asked == start..<end, try row.bool(2) else { return }
    var rollup = Rollup()
    rollup.count = Int32(clamping: try row.optionalInt(3) ?? 0)
    rollup.sum = try row.optionalHundredths(4) ?? 0
    rollup.minimum = try row.optionalHundredths(5).map { Temperature(hundredths: Int32(clamping: $0)) }
    rollup.maximum = try row.optionalHundredths(6).map { Temperature(hundredths: Int32(clamping: $0)) }
    rollup.outside = .microseconds(try row.optionalInt(7) ?? 0)
    rollup.covered = .microseconds(try row.optionalInt(8) ?? 0)
    self.rollup = rollup
  }

  /// No zone differs from UTC by less than quarters of an hour.
  static func quarters(of span: ClosedRange<Instant>) -> [ReadingBucket] {
    let length = Duration.minutes(15)
    var buckets: [ReadingBucket] = []
    var start = span.lowerBound.hour
    while start < span.upperBound {
      if span.lowerBound < start + length { buckets.append(.init(start, start + length, within: span)) }
      start = start + length
    }
    return buckets
  }

  /// Those that are not known, each stretch of neighbours for itself.
  static func unknown(_ buckets: [ReadingBucket]) -> [Range<Int>] {
    var stretches: [Range<Int>] = []
    for place in buckets.indices where buckets[place].rollup == nil {
      if let last = stretches.last, last.upperBound == place {
        stretches[stretches.count - 1] = last.lowerBound..<place + 1
      } else {
        stretches.append(place..<place + 1)
      }
    }
    return stretches
  }

  /// Percent, with one digit after the point.
  private var coverage: Double {
    let covered = rollup?.covered ?? .zero
    let length = asked.upperBound - asked.lowerBound
    return (1000 * Double(covered.microseconds) / Double(max(1, length.microseconds))).rounded() / 10
  }

  func write(to json: inout JSONWriter, in unit: TemperatureUnit) {
    func shown(_ temperature: Temperature?) -> Decimal2? {
      temperature.map { Decimal2(hundredths: Int64($0.hundredths(in: unit))) }
    }
    let rollup = rollup ?? Rollup()
    json.object { json in
      json.field("start", start)
      json.field("end", end)
      json.field("min", shown(rollup.minimum))
      json.field("max", shown(rollup.maximum))
      json.field("mean", shown(rollup.mean.flatMap { Temperature(celsius: $0) }))
      json.field("count", Int(rollup.count))
      json.field("secondsOutOfRange", Int((Double(rollup.outside.microseconds) / 1e6).rounded()))
      json.field("coverage", coverage)
      json.field("temperatureUnit", unit.rawValue)
    }
  }
}

extension Schema {
  /// Temperatures are in `temperatureUnit`; `coverage` is the percentage of the bucket's time that readings stand for, as
  /// far as it was asked for.
  static let readingBucket = Schema.object(
    "ReadingBucket",
    [
      .instant("start"), .instant("end"), .number("min").orNull, .number("max").orNull, .number("mean").orNull,
      .integer("count"), .integer("secondsOutOfRange"), .number("coverage"),
      .choice("temperatureUnit", TemperatureUnit.self),
    ])
}
