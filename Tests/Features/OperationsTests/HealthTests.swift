import Basics
import HTTP
import Operations
import Synchronization
import Telemetry
import Testing

private final class Hands: Sendable {
  private let time = Mutex(Instant(seconds: 1_800_000_000))
  var clock: WallClock { WallClock { self.time.withLock { $0 } } }
  func turn(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}

private final class Switch: Sendable {
  private let finding = Mutex(HealthCheck.Finding.pass)
  private let runs = Mutex(0)
  var count: Int { runs.withLock { $0 } }

  func set(_ fresh: HealthCheck.Finding) { finding.withLock { $0 = fresh } }

  func check(_ name: String, isVital: Bool = false) -> HealthCheck {
    HealthCheck(name, isVital: isVital) {
      self.runs.withLock { $0 += 1 }
      return self.finding.withLock { $0 }
    }
  }
}

@Suite("Health")
struct HealthTests {
  @Test("a vital failure makes the whole unhealthy, any other finding degrades it")
  func status() async {
    let hands = Hands()
    let vital = Switch()
    let other = Switch()
    let monitor = HealthMonitor(
      checks: [vital.check("database", isVital: true), other.check("jobs")], clock: hands.clock)
    #expect(await monitor.report().status == .healthy)
    for (finding, expected) in [
      (HealthCheck.Finding(.warn, "w"), HealthReport.Status.degraded), (.init(.fail, "f"), .degraded),
    ] {
      other.set(finding)
      hands.turn(.seconds(2))
      #expect(await monitor.report().status == expected)
    }
    vital.set(.init(.warn))
    hands.turn(.seconds(2))
    #expect(await monitor.report().obstacle == nil)
    vital.set(.init(.fail, "away"))
    hands.turn(.seconds(2))
    let report = await monitor.report()
    #expect(report.status == .unhealthy)
    #expect(report.obstacle == "database: away")
  }

  @Test("the checks run at most once a second")
  func cached() async {
    let hands = Hands()
    let check = Switch()
    let monitor = HealthMonitor(checks: [check.check("database")], clock: hands.clock)
    for _ in 0..<10 { _ = await monitor.report() }
    #expect(check.count == 1)
    hands.turn(.milliseconds(999))
    _ = await monitor.report()
    #expect(check.count == 1)
    hands.turn(.milliseconds(1))
    _ = await monitor.report()
    #expect(check.count == 2)
  }

  @Test("a clock that steps back does not keep an old report for ever")
  func clockStep() async {
    let hands = Hands()
    let check = Switch()
    let monitor = HealthMonitor(checks: [check.check("database")], clock: hands.clock)
    _ = await monitor.report()
    hands.turn(.hours(-1))
    _ = await monitor.report()
    #expect(check.count == 2)
  }
}

@Suite("Jobs")
struct JobTests {
  private struct Broken: Error {}

  private func finding(_ board: JobBoard, _ hands: Hands) async -> HealthCheck.Finding? {
    await HealthMonitor(checks: [board.check], clock: hands.clock).report().entries.first?.finding
  }

  @Test("a job that fails for long is late, and well again after one success")
  func late() async {
    let hands = Hands()
    let board = JobBoard(metrics: Metrics(), log: .none, clock: hands.clock)
    let works = Mutex(false)
    let job = Job("escalation", every: .minutes(1)) { _ in
      if !works.withLock({ $0 }) { throw Broken() }
    }
    await board.run(job)
    #expect(await finding(board, hands) == .pass)
    hands.turn(.minutes(5))
    await board.run(job)
    #expect(await finding(board, hands)?.status == .warn)
    #expect(await finding(board, hands)?.message?.contains("escalation") == true)
    works.withLock { $0 = true }
    await board.run(job)
    #expect(await finding(board, hands) == .pass)
  }

  @Test("runs are counted by their outcome")
  func counted() async {
    let metrics = Metrics()
    let board = JobBoard(metrics: metrics, log: .none, clock: Hands().clock)
    await board.run(Job("a", every: .seconds(1)) { _ in })
    await board.run(Job("b", every: .seconds(1)) { _ in throw Broken() })
    let page = String(decoding: metrics.render(.prometheus), as: UTF8.self)
    #expect(page.contains(#"job_runs_total{job_name="a",outcome="success"} 1"#))
    #expect(page.contains(#"job_runs_total{job_name="b",outcome="failure"} 1"#))
    #expect(page.contains(#"jobs_last_success_timestamp_seconds{job_name="a"} 1800000000"#))
  }
}
