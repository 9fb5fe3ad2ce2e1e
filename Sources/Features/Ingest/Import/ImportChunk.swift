import Basics
import ColdChain
import Monitoring
import Places

/// A piece of an imported file, read and ready to be stored.
struct ImportChunk: Sendable {
  /// What names a row: its device, or its unit when it has none.
  enum Key: Hashable, Sendable {
    case device(UUID)
    case unit(UUID)
  }

  /// What the rows of one unit mean for it.
  struct Touch: Sendable {
    var first: Instant
    var last: Instant
    var newest: LastValues
    /// The first row that says something of the door, or is outside of the limits.
    var firstHarmful: Instant?

    mutating func add(_ other: Touch) {
      first = min(first, other.first)
      last = max(last, other.last)
      if other.newest.recordedAt >= newest.recordedAt { newest = other.newest }
      if let harmful = other.firstHarmful { firstHarmful = min(firstHarmful ?? harmful, harmful) }
    }
  }

  struct Refusal: Sendable {
    let line: Int
    let reason: String
  }

  /// Tuples of a binary COPY.
  var bytes: [UInt8] = []
  var rows = 0
  var lines = 0
  var spans: [Key: ClosedRange<Instant>] = [:]
  var units: [UUID: Touch] = [:]
  /// Two rows may be of the same device and instant.
  var mayRepeat = false
  var refused = 0
  /// The first of them.
  var refusals: [Refusal] = []
  static let refusalsMax = 100

  mutating func refuse(_ line: Int, _ reason: String) {
    refused += 1
    if refusals.count < Self.refusalsMax { refusals.append(Refusal(line: line, reason: reason)) }
  }

  mutating func note(_ row: ImportRow, _ rules: UnitRules?) {
    rows += 1
    let key = row.deviceId.map(Key.device) ?? .unit(row.unitId ?? UUID(high: 0, low: 0))
    let at = row.recordedAt
    if let place = spans.index(forKey: key) {
      let span = spans.values[place]
      if span.contains(at) { mayRepeat = true }
      spans.values[place] = min(span.lowerBound, at)...max(span.upperBound, at)
    } else {
      spans[key] = at...at
    }
    guard let unit = row.unitId else { return }
    let isPrimary = row.flags & ImportParser.secondary == 0
    let temperature = isPrimary ? row.temperature.map { Temperature(hundredths: $0) } : nil
    var harmful = row.doorOpen != nil
    if let temperature, let limits = rules?.limits, !harmful, case .outside = limits.at(at).verdict(on: temperature) {
      harmful = true
    }
    let values = LastValues(
      recordedAt: at, temperature: temperature,
      humidity: isPrimary ? row.humidity.flatMap { Humidity(hundredths: $0) } : nil,
      device: isPrimary ? row.deviceId : nil)
    let touch = Touch(first: at, last: at, newest: values, firstHarmful: harmful ? at : nil)
    if let place = units.index(forKey: unit) {
      units.values[place].add(touch)
    } else {
      units[unit] = touch
    }
  }
}
