import Basics
import Telemetry

/// Figures of the spool.
final class SpoolMetrics: Sendable {
  let appended: CounterHandle
  let refused: CounterHandle
  let replayed: CounterHandle
  let bad: CounterHandle
  let torn: CounterHandle
  private let registry: Metrics

  init(_ metrics: Metrics) {
    registry = metrics
    appended = metrics.counter("spool_appended_total", help: "Requests written to the spool.").handle()
    refused = metrics.counter(
      "spool_refused_total", help: "Requests that the spool could not take: it is full, or the disk too slow."
    ).handle()
    replayed = metrics.counter("spool_replayed_total", help: "Requests of the spool that are in the database now.")
      .handle()
    bad = metrics.counter(
      "spool_bad_total", help: "Places and requests of the spool that were set aside: damaged, or with a wrong key."
    ).handle()
    torn = metrics.counter("spool_torn_total", help: "Ends of segments that were cut off at a start.").handle()
  }

  func watch(_ spool: Spool) {
    registry.gauge("spool_records", help: "Requests that wait in the spool for the database.") { [weak spool] in
      Double(spool?.figures.depth ?? 0)
    }
    registry.gauge("spool_bytes", help: "What they take on disk.") { [weak spool] in Double(spool?.figures.bytes ?? 0) }
    registry.gauge("spool_oldest_age_seconds", help: "How long the oldest of them waits; 0 when there is none.") {
      [weak spool] in
      guard let oldest = spool?.figures.oldest else { return 0 }
      return max(0, Double((WallClock.system.now() - oldest).microseconds) / 1_000_000)
    }
  }
}
