import Basics
import Runtime
import Synchronization

/// Runs jobs over and over on the loops, each on its own, until it is stopped.
public final class JobRunner: Sendable {
  private let board: JobBoard
  private let state = Mutex(State())

  private struct State {
    var isStopping = false
    var tasks: [LoopTask] = []
  }

  public init(board: JobBoard) { self.board = board }

  /// The first run of each starts at once.
  public func start(_ jobs: [Job], on loops: [EventLoop]) {
    precondition(!loops.isEmpty)
    for (place, job) in jobs.enumerated() {
      board.register(job)
      loops[place % loops.count].execute { [self] in
        let task = Reactor.current.spawn { await self.repeating(job) }
        let isStopping = state.withLock { state in
          state.tasks.append(task)
          return state.isStopping
        }
        if isStopping { task.cancel() }
      }
    }
  }

  /// Cancels what waits and what runs: a statement that is under way is rolled back, and another server goes on with it.
  public func stop() async {
    let tasks = state.withLock { state in
      state.isStopping = true
      return state.tasks
    }
    for task in tasks { task.cancel() }
    for task in tasks { await task.finished() }
  }

  private func repeating(_ job: Job) async {
    while !Task.isCancelled {
      await board.run(job)
      // A tenth more or less, so that servers that started together do not stay together.
      let tenth = job.interval.microseconds / 10
      let spread = tenth > 0 ? Int64(SecureRandom.uint64() % UInt64(2 * tenth)) - tenth : 0
      do { try await Reactor.current.sleep(for: job.interval + .microseconds(spread)) } catch { return }
    }
  }
}
