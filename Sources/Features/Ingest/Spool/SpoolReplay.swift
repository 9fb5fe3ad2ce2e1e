import Runtime
import Synchronization

/// Starts the ``Replayer`` on a loop, and ends it.
final class SpoolReplay: Sendable {
  private struct State {
    var isStopping = false
    var task: LoopTask?
  }

  private let make: @Sendable () -> Replayer
  private let state = Mutex(State())

  init(_ make: @escaping @Sendable () -> Replayer) { self.make = make }

  func start(on loop: EventLoop) {
    loop.execute { [self] in
      let replayer = make()
      let task = Reactor.current.spawn { await replayer.run() }
      let isStopping = state.withLock { state in
        state.task = task
        return state.isStopping
      }
      if isStopping { task.cancel() }
    }
  }

  func stop() async {
    let task = state.withLock { state in
      state.isStopping = true
      return state.task
    }
    guard let task else { return }
    task.cancel()
    // What a database that says nothing still holds up is in the spool, and is done again.
    _ = try? await Reactor.current.result(within: .seconds(5)) { await task.finished() }
  }
}
