import CLinux
import Glibc
import Synchronization

/// Runs the jobs of one ``EventLoop`` on that loop's thread.
///
/// What the loop's own thread enqueues goes to a plain array; other threads post to the inbox and wake the poll.
// @unchecked: `ready`, `running` and `taken` are touched by the loop's thread only; the inbox has a lock.
final class LoopExecutor: SerialExecutor, TaskExecutor, @unchecked Sendable {
  enum Work {
    case job(UnownedJob)
    case call(@Sendable () -> Void)
  }

  let wakeDescriptor: CInt
  private var ready: [UnownedJob] = []
  private var running: [UnownedJob] = []
  private let inbox = Mutex<[Work]>([])
  private var taken: [Work] = []
  /// The reactor that this executor is the thread of; set by it before the first turn.
  unowned(unsafe) var reactor: Reactor?

  init() {
    wakeDescriptor = clinux_wake_create()
    precondition(wakeDescriptor >= 0, "no descriptor left for an event loop")
  }

  deinit { close(wakeDescriptor) }

  var isCurrent: Bool { clinux_thread_loop() == Unmanaged.passUnretained(self).toOpaque() }
  var hasReadyJobs: Bool { !ready.isEmpty }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    if isCurrent { ready.append(job) } else { post(.job(job)) }
  }

  func post(_ work: Work) {
    let wasEmpty = inbox.withLock { inbox in
      inbox.append(work)
      return inbox.count == 1
    }
    if wasEmpty {
      var one: UInt64 = 1
      _ = write(wakeDescriptor, &one, 8)
    }
  }

  /// Takes what other threads posted. Called when the wake descriptor is readable.
  func takeInbox() {
    var count: UInt64 = 0
    _ = read(wakeDescriptor, &count, 8)
    inbox.withLock { swap(&$0, &taken) }
    for work in taken {
      switch work {
      case .job(let job): ready.append(job)
      case .call(let body): body()
      }
    }
    taken.removeAll(keepingCapacity: true)
  }

  /// Runs what is ready and what becomes ready meanwhile, for a bounded number of rounds, so that sockets get their turn.
  func drain() {
    for _ in 0..<64 {
      if ready.isEmpty { return }
      swap(&ready, &running)
      for job in running {
        job.runSynchronously(isolatedTo: asUnownedSerialExecutor(), taskExecutor: asUnownedTaskExecutor())
      }
      running.removeAll(keepingCapacity: true)
    }
  }

  func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }
  func isIsolatingCurrentContext() -> Bool? { isCurrent }
  func checkIsolated() { precondition(isCurrent, "not on the event loop's thread") }
}
