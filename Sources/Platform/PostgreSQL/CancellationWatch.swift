import Basics
import Runtime

/// Tells when the time of the current task's wait is over, or that the task was cancelled, at most 20 ms late.
///
/// `withTaskCancellationHandler` would tell at once, but its operation is no `nonisolated(nonsending)` closure (Swift
/// 6.3): it would leave the loop, and a thread hop costs more than the query that is waited for.
final class CancellationWatch {
  private let reactor: Reactor
  private let task: UnsafeCurrentTask?
  /// Monotonic nanoseconds.
  private let deadline: UInt64
  private let isCancellable: Bool
  private let fire: (DatabaseError.Kind) -> Void
  private var timer: TimerID?

  init(
    _ reactor: Reactor, atMost time: Duration, isCancellable: Bool = true,
    _ fire: @escaping (DatabaseError.Kind) -> Void
  ) {
    self.reactor = reactor
    // Kept beyond the closure: whether a task is cancelled may be asked from anywhere.
    task = withUnsafeCurrentTask { $0 }
    deadline = MonotonicClock.nanoseconds() &+ UInt64(max(0, time.microseconds)) &* 1000
    self.isCancellable = isCancellable
    self.fire = fire
    schedule()
  }

  func stop() {
    if let timer { reactor.cancel(timer) }
    timer = nil
  }

  private func schedule() {
    let left = Int64(clamping: deadline &- min(deadline, MonotonicClock.nanoseconds())) / 1000 + 1
    timer = reactor.schedule(after: .microseconds(min(left, 20_000))) { [weak self] in self?.look() }
  }

  private func look() {
    timer = nil
    if MonotonicClock.nanoseconds() >= deadline {
      fire(.timeout)
    } else if isCancellable, task?.isCancelled == true {
      fire(.cancelled)
    } else {
      schedule()
    }
  }
}
