import Basics
import Synchronization

/// Runs the checks when somebody asks, at most once a second however many ask.
public final class HealthMonitor: Sendable {
  private struct State {
    var report: HealthReport?
    var isRunning = false

    func latest(at now: Instant) -> HealthReport? {
      guard let report else { return nil }
      let age = now - report.takenAt
      return isRunning || age >= .zero && age < HealthMonitor.freshness ? report : nil
    }
  }

  private let checks: [HealthCheck]
  private let clock: WallClock
  private let state = Mutex(State())
  private let draining = Atomic<Bool>(false)

  private static let freshness = Duration.seconds(1)

  public init(checks: [HealthCheck], clock: WallClock = .system) {
    self.checks = checks
    self.clock = clock
  }

  /// The server is about to end: `/health/ready` says so from now on.
  public func drain() { draining.store(true, ordering: .relaxed) }
  public var isDraining: Bool { draining.load(ordering: .relaxed) }

  /// What the checks said less than a second ago, or before, while somebody runs them.
  func latest() -> HealthReport? {
    let now = clock.now()
    return state.withLock { $0.latest(at: now) }
  }

  /// What the checks say. While one caller runs them the others get the report before, if there is one.
  public func report() async -> HealthReport {
    let now = clock.now()
    let known = state.withLock { state -> HealthReport? in
      if let report = state.latest(at: now) { return report }
      state.isRunning = true
      return nil
    }
    if let known { return known }
    var entries: [HealthReport.Entry] = []
    for check in checks {
      let started = MonotonicClock.nanoseconds()
      let finding = await check.run()
      entries.append(
        HealthReport.Entry(
          name: check.name, isVital: check.isVital, finding: finding,
          took: .nanoseconds(Int64(MonotonicClock.nanoseconds() &- started))))
    }
    let report = HealthReport(entries: entries, takenAt: now)
    state.withLock { state in
      state.report = report
      state.isRunning = false
    }
    return report
  }
}
