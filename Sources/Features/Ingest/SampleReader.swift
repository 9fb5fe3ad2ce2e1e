import Basics
import ColdChain
import Identity
import JSON
import Readings

/// Reads the body of `POST /api/ingest/readings`.
enum SampleReader {
  /// Readings in one request.
  private static let countMax = 1000

  private enum Source: String, CaseIterable { case ttn, manual, api, `import` }

  static let schema = Fields.describe { _ = samples(&$0, arrivedAt: .distantPast) }

  /// Every problem of every item is named; then nothing of the request is taken.
  static func read(_ body: ArraySlice<UInt8>, _ scope: IngestScope, arrivedAt: Instant) throws -> [Intake] {
    var fields = try Fields(body: body)
    let samples = samples(&fields, arrivedAt: arrivedAt)
    try fields.check()
    return samples.map { .sample($0, by: scope) }
  }

  /// One reading by itself. Throws ``InvalidBody`` or ``InvalidFields``.
  static func read(line: ArraySlice<UInt8>, arrivedAt: Instant) throws -> Sample {
    var fields = try Fields(body: line)
    let sample = sample(&fields, arrivedAt)
    try fields.check()
    return sample
  }

  private static func samples(_ fields: inout Fields, arrivedAt: Instant) -> [Sample] {
    fields.objects("readings", count: 1...countMax) { sample(&$0, arrivedAt) }
  }

  private static func sample(_ item: inout Fields, _ arrivedAt: Instant) -> Sample {
    let scale = item.choice("temperatureUnit", default: TemperatureUnit.celsius)
    let degrees = item.roundedDecimal("temperature", in: -32_000...32_000)
    let temperature = Temperature(hundredths: Int32(clamping: degrees.hundredths), in: scale)
    if !Temperature.bounds.contains(temperature.celsius) || temperature.celsius < -273.15 {
      item.problem("temperature", "is not a temperature that can be measured")
    }
    let recordedAt = item.instant("recordedAt")
    if !Measurements.believableAge.contains(arrivedAt - recordedAt) {
      item.problem("recordedAt", "must be within 45 days before and 5 minutes after now")
    }
    let source = item.choice("source", default: Source.api)
    return Sample(
      unitId: item.uuid("unitId"), deviceId: item.optionalUUID("deviceId"), recordedAt: recordedAt,
      arrivedAt: arrivedAt, source: Reading.Source(rawValue: source.rawValue) ?? .api, temperature: temperature,
      humidity: item.optionalRoundedDecimal("humidity", in: 0...100).flatMap {
        Humidity(hundredths: Int32(clamping: $0.hundredths))
      },
      batteryPercent: item.optionalInt("battery", in: 0...100).map { Int16($0) },
      signalStrength: item.optionalInt("signalStrength", in: -200...100).map { Int16($0) },
      payload: item.optionalString("rawPayload", 0...4096).map { Array($0.utf8) })
  }
}
