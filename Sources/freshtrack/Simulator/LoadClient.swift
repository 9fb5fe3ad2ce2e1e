import Basics
import CLinux
import Glibc

/// Posts uplinks over many keep-alive connections from one thread, as fast as it is told or as the server can.
struct LoadClient {
  struct Plan {
    let target: HTTPTarget
    let apiKey: String
    /// Uplinks a second. Nil: as many as are answered.
    var rate: Double?
    var connections = 16
    /// Requests on their way on one connection.
    var pipeline = 4
    /// Nil: until it is told to stop.
    var duration: Duration?
    /// After this many uplinks. Nil: no bound.
    var count: Int?
    /// How long answers are waited for at the end.
    var patience: Duration = .seconds(10)
  }

  private let plan: Plan
  private let next: () -> UplinkSource.Uplink?
  private let isStopping: () -> Bool
  private let acknowledge: (UplinkSource.Uplink) -> Void
  private var lines: [LoadConnection]
  private var nextLine = 0
  private var asked = 0
  private var report = LoadReport()
  private var poll: CInt = -1
  private var events = [clinux_event](repeating: clinux_event(), count: 256)

  /// `next` gives the uplink to send now, or nil when nothing is to be sent in this turn of the rate.
  init(
    _ plan: Plan, isStopping: @escaping () -> Bool = { false },
    acknowledge: @escaping (UplinkSource.Uplink) -> Void = { _ in }, next: @escaping () -> UplinkSource.Uplink?
  ) {
    self.plan = plan
    self.next = next
    self.isStopping = isStopping
    self.acknowledge = acknowledge
    lines = (0..<max(1, plan.connections)).map { _ in LoadConnection(plan.target, apiKey: plan.apiKey) }
  }

  /// Runs to the end of the plan. `progress` hears of it about once a second.
  mutating func run(progress: (LoadReport) -> Void) -> LoadReport {
    poll = clinux_poll_create()
    defer { close(poll) }
    let started = MonotonicClock.nanoseconds()
    let end = plan.duration.map { started + UInt64(max(0, $0.microseconds)) * 1000 }
    var told = started
    var stopped: UInt64?
    while true {
      let now = MonotonicClock.nanoseconds()
      if stopped == nil, isStopping() || end.map({ now >= $0 }) == true || plan.count.map({ asked >= $0 }) == true {
        stopped = now
      }
      if let stopped {
        let waited = now - stopped
        if lines.allSatisfy({ $0.inFlight == 0 }) || waited > UInt64(plan.patience.microseconds) * 1000 { break }
      }
      wait(until: stopped == nil ? issue(started: started, now: now) : nil, now: now)
      report.seconds = Double(MonotonicClock.nanoseconds() - started) / 1e9
      if now - told >= 1_000_000_000 {
        told = now
        progress(report)
      }
    }
    for place in lines.indices { report.unanswered += lines[place].drop() }
    return report
  }

  /// When the next uplink is to be sent, on the monotonic clock.
  private func nextDue(started: UInt64) -> UInt64? {
    plan.rate.map { started + UInt64(Double(asked) / $0 * 1e9) }
  }

  /// Sends what is due. Returns when the next one is; nil when that is for an answer to say, or for nobody.
  private mutating func issue(started: UInt64, now: UInt64) -> UInt64? {
    while plan.count.map({ asked < $0 }) ?? true {
      let due = nextDue(started: started)
      if let due, due > now { return due }
      guard let place = freeLine(now) else { return nil }
      asked += 1
      guard let uplink = next() else {
        if due == nil { return nil }
        continue
      }
      report.sent += 1
      // Counted from when it was due: a server that stalls does not hide the wait of those behind it.
      lines[place].enqueue(uplink, since: due ?? now)
    }
    return nil
  }

  private mutating func freeLine(_ now: UInt64) -> Int? {
    for step in 0..<lines.count {
      let place = (nextLine + step) % lines.count
      guard lines[place].inFlight < plan.pipeline else { continue }
      switch lines[place].open(now) {
      case .open:
        nextLine = place + 1
        return place
      case .resting: continue
      case .refused:
        report.connectFailures += 1
        continue
      }
    }
    return nil
  }

  private mutating func wait(until due: UInt64?, now: UInt64) {
    for place in lines.indices {
      if lines[place].hasOutput { report.unanswered += lines[place].flush(now) }
      lines[place].watch(on: poll, as: UInt64(place))
    }
    let count = arrivals(until: due, now: now)
    let arrived = MonotonicClock.nanoseconds()
    for event in events[..<count] {
      let place = Int(event.token)
      let acknowledge = acknowledge
      let lost = lines[place].ready(event.events, now: arrived, into: &report) { report, uplink, answer, since in
        report.record(answer, microseconds: Int((arrived &- min(since, arrived)) / 1000))
        if (200..<300).contains(answer.status) { acknowledge(uplink) }
      }
      report.unanswered += lost.unanswered
      if lost.wasRefused { report.connectFailures += 1 }
    }
  }

  /// Waits for what comes, and says on how many connections: see `events`.
  private mutating func arrivals(until due: UInt64?, now: UInt64) -> Int {
    if let due {
      // To the nanosecond: looking again and again would take the core that the server runs on.
      var one = pollfd(fd: poll, events: Int16(POLLIN), revents: 0)
      let nanoseconds = due > now ? min(50_000_000, due - now) : 0
      guard clinux_poll_descriptors(&one, 1, Int64(nanoseconds)) > 0 else { return 0 }
    }
    return max(0, Int(clinux_poll_wait(poll, &events, CInt(events.count), due == nil ? 50 : 0)))
  }
}
