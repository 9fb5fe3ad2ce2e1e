import Basics
import Synchronization
import Telemetry

/// Work that is done again and again. What it does must be safe to do from many servers at once.
public struct Job: Sendable {
  public let name: String
  /// From the end of one run to the start of the next.
  public let interval: Duration
  let work: @Sendable (Instant) async throws -> Void

  public init(_ name: String, every interval: Duration, work: @escaping @Sendable (Instant) async throws -> Void) {
    self.name = name
    self.interval = interval
    self.work = work
  }
}

/// How the jobs of this process are doing.
public final class JobBoard: Sendable {
  struct Standing {
    let interval: Duration
    var lastSuccess: Instant
  }

  private let standings = Mutex<[String: Standing]>([:])
  private let runs: Counter
  private let seconds: Histogram
  private let clock: WallClock
  private let log: Log

  public init(metrics: Metrics, log: Log, clock: WallClock = .system) {
    self.clock = clock
    self.log = log
    runs = metrics.counter("job_runs_total", help: "Runs of background jobs.", labels: ["job_name", "outcome"])
    seconds = metrics.histogram("job_duration_seconds", help: "How long a run of a job took.", labels: ["job_name"])
    metrics.observed(
      "jobs_last_success_timestamp_seconds", help: "When a background job last succeeded.", kind: .gauge,
      labels: ["job_name"]
    ) { [weak self] in self?.successes ?? [] }
  }

  /// One run. A failure is written down and never thrown: the job runs again.
  public func run(_ job: Job) async {
    register(job)
    let started = MonotonicClock.nanoseconds()
    do {
      try await job.work(clock.now())
      note(job)
      runs.add(1, [job.name, "success"])
    } catch {
      // The server stops: whatever the work threw, it was told to.
      if Task.isCancelled || error is CancellationError { return }
      runs.add(1, [job.name, "failure"])
      log.error("job failed", ["job": .string(job.name), "error": .error(error)])
    }
    seconds.handle([job.name]).observe(from: started, to: MonotonicClock.nanoseconds())
  }

  /// A job that is more than three intervals and a minute behind is late.
  public var check: HealthCheck {
    HealthCheck("jobs") {
      let now = self.clock.now()
      let late = self.standings.withLock { standings in
        standings.filter { now - $0.value.lastSuccess > $0.value.interval * 3 + .minutes(1) }
      }
      guard let first = late.min(by: { $0.value.lastSuccess < $1.value.lastSuccess }) else { return .pass }
      // What a job failed with may quote data: it stands in the log.
      return .init(.warn, "\(late.keys.sorted().joined(separator: ", ")) late, since \(first.value.lastSuccess)")
    }
  }

  /// Known from here on, so that one that never succeeds is late too.
  public func register(_ job: Job) {
    let now = clock.now()
    standings.withLock { standings in
      if standings[job.name] == nil {
        standings[job.name] = Standing(interval: job.interval, lastSuccess: now)
      }
    }
  }

  private func note(_ job: Job) {
    let now = clock.now()
    standings.withLock { $0[job.name]?.lastSuccess = now }
  }

  /// One that has not succeeded yet counts from the start of the process.
  private var successes: [(labels: [String], value: Double)] {
    standings.withLock { standings in
      standings.sorted { $0.key < $1.key }.map { ([$0.key], Double($0.value.lastSuccess.microseconds) / 1_000_000) }
    }
  }
}
