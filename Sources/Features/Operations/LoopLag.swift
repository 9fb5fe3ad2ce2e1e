import Basics
import Runtime
import Synchronization
import Telemetry

/// How late the loops run their timers: what every request waits for when a loop is kept from its work.
public final class LoopLag: Sendable {
  private static let pace = Duration.milliseconds(250)

  /// Nanoseconds. The worst of the last seconds fades, so that a scrape sees it and it does not stay.
  private final class Peak: Sendable {
    let value = Atomic<UInt64>(0)

    func note(_ lag: UInt64) {
      let faded = value.load(ordering: .relaxed) / 20 * 19
      value.store(max(lag, faded), ordering: .relaxed)
    }
  }

  private let peaks: [Peak]

  public init(_ loops: [EventLoop], metrics: Metrics) {
    peaks = loops.map { _ in Peak() }
    for (loop, peak) in zip(loops, peaks) { loop.execute { Self.measure(peak) } }
    metrics.gauge("event_loop_lag_seconds", help: "How late the event loops run their timers.") { [weak self] in
      (self?.worst ?? 0) / 1000
    }
  }

  private static func measure(_ peak: Peak) {
    let due = MonotonicClock.nanoseconds() &+ UInt64(pace.microseconds) * 1000
    Reactor.current.schedule(after: pace) {
      let now = MonotonicClock.nanoseconds()
      peak.note(now > due ? now - due : 0)
      measure(peak)
    }
  }

  /// Milliseconds.
  private var worst: Double { Double(peaks.map { $0.value.load(ordering: .relaxed) }.max() ?? 0) / 1_000_000 }

  public var check: HealthCheck {
    HealthCheck("event_loop") {
      self.worst < 250 ? .pass : .init(.warn, "an event loop was held up for \(Int(self.worst)) ms")
    }
  }
}
