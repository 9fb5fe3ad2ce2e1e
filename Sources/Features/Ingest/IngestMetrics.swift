import Telemetry

/// Figures of the way in. Handles are resolved once.
final class IngestMetrics: Sendable {
  private let stored: CounterHandle
  private let duplicate: CounterHandle
  private let quarantined: CounterHandle
  private let ignored: CounterHandle
  private let refused: CounterHandle
  private let spooled: CounterHandle
  private let unavailable: CounterHandle
  private let readings: CounterHandle
  private let alerts: CounterHandle
  private let batchSize: HistogramHandle
  private let flushSeconds: HistogramHandle
  private let commitSeconds: HistogramHandle

  init(_ metrics: Metrics) {
    let outcomes = metrics.counter(
      "ingest_uplinks_total", help: "Messages and samples taken in, by what became of them.", labels: ["outcome"])
    stored = outcomes.handle(["stored"])
    duplicate = outcomes.handle(["duplicate"])
    quarantined = outcomes.handle(["quarantined"])
    ignored = outcomes.handle(["ignored"])
    refused = outcomes.handle(["refused"])
    // Counted again by what becomes of them.
    spooled = outcomes.handle(["spooled"])
    unavailable = outcomes.handle(["unavailable"])
    readings = metrics.counter("freshtrack_sensor_readings_total", help: "Readings stored.").handle()
    alerts = metrics.counter("ingest_alerts_opened_total", help: "Alerts that readings opened.").handle()
    batchSize = metrics.histogram(
      "ingest_batch_size", help: "Messages in one transaction.", buckets: Histogram.sizes
    ).handle()
    flushSeconds = metrics.histogram(
      "ingest_flush_duration_seconds", help: "One transaction of the writer.", buckets: Histogram.durations
    ).handle()
    commitSeconds = metrics.histogram(
      "ingest_commit_duration_seconds", help: "From the message being read to its commit.", buckets: Histogram.durations
    ).handle()
  }

  func flushed(_ count: Int, seconds: Double) {
    batchSize.observe(Double(count))
    flushSeconds.observe(seconds)
  }

  func settled(_ answer: Result<Settled, WriteFailure>, seconds: Double) {
    switch answer {
    case .success(.stored(_, let raised)):
      stored.add()
      readings.add()
      if raised > 0 { alerts.add(raised) }
      commitSeconds.observe(seconds)
    case .success(.duplicate): duplicate.add()
    case .success(.quarantined): quarantined.add()
    case .success(.ignored): ignored.add()
    case .success(.foreign), .success(.refused): refused.add()
    // The spool may take it yet.
    case .failure: break
    }
  }

  /// On disk, so many messages.
  func kept(_ count: Int) { spooled.add(count) }
  /// Nothing could take them.
  func lost(_ count: Int) { unavailable.add(count) }
}
