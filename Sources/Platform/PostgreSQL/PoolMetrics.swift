import Telemetry

/// What the pools tell about themselves.
final class PoolMetrics: Sendable {
  private let connections: Gauge
  private let waiting: Gauge
  private let errors: Counter
  let wait: HistogramHandle

  init(_ metrics: Metrics) {
    connections = metrics.gauge(
      "database_pool_connections", help: "Connections to the database by loop and state.", labels: ["loop", "state"])
    waiting = metrics.gauge(
      "database_pool_waiting", help: "Callers that wait for a connection, by loop.", labels: ["loop"])
    errors = metrics.counter(
      "database_errors_total", help: "Failed statements and connections, by kind and SQLSTATE class.",
      labels: ["kind", "class"])
    wait = metrics.histogram(
      "database_pool_wait_seconds", help: "How long callers waited for a connection when none was idle.",
      buckets: Histogram.durations
    ).handle()
  }

  /// Of one loop.
  struct Gauges {
    let inUse: GaugeHandle
    let idle: GaugeHandle
    let waiting: GaugeHandle

    func set(_ machine: PoolMachine) {
      inUse.set(Double(machine.lentCount))
      idle.set(Double(machine.idle.count))
      waiting.set(Double(machine.waitingCount))
    }
  }

  func gauges(loop: Int) -> Gauges {
    let loop = String(loop)
    return Gauges(
      inUse: connections.handle([loop, "in_use"]), idle: connections.handle([loop, "idle"]),
      waiting: waiting.handle([loop]))
  }

  func count(_ error: DatabaseError) { errors.add(1, [error.label, error.sqlState?.category ?? ""]) }
}
