import CLinux
import Dispatch
import Glibc
import Synchronization

/// A thread that polls its sockets, runs the Swift jobs that became ready, and writes the answers of the turn.
///
/// The loop is an actor and its thread the actor's executor: an `async` function that runs on the loop stays there, and state of
/// the loop needs no lock. What must not be shared with other threads hangs off its ``Reactor``.
public actor EventLoop {
  /// Position in its ``LoopGroup``, from 0.
  public nonisolated let index: Int

  nonisolated let executor = LoopExecutor()
  public nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let reactor: Reactor
  private let thread: DispatchQueue

  /// Starts the thread. The loop lives until ``stop()``.
  public init(index: Int = 0) {
    self.index = index
    reactor = Reactor(executor: executor, index: index)
    thread = DispatchQueue(label: "loop-\(index)")
    thread.async { self.run() }
  }

  private nonisolated func run() {
    clinux_set_thread_loop(Unmanaged.passUnretained(executor).toOpaque())
    assumeIsolated { loop in
      loop.reactor.attach(to: loop)
      loop.reactor.run()
      loop.reactor.detach()
    }
    clinux_set_thread_loop(nil)
  }

  /// Runs `body` on the loop's thread, from any thread.
  public nonisolated func submit(_ body: @escaping @Sendable () async -> Void) {
    execute { Reactor.current.spawn(body) }
  }

  /// Calls `body` on the loop's thread in its next turn, from any thread. It must not block.
  public nonisolated func execute(_ body: @escaping @Sendable () -> Void) {
    executor.post(.call(body))
  }

  /// Ends the thread after its current turn. Tasks that still wait on the loop never resume.
  public nonisolated func stop() {
    execute { Reactor.current.stop() }
  }

  nonisolated func start(_ body: LoopBody) -> LoopTask {
    assumeIsolated { loop in LoopTask(task: loop.task(body)) }
  }

  private func task(_ body: LoopBody) -> Task<Void, Never> {
    Task(executorPreference: executor) { await self.perform(body) }
  }

  private func perform(_ body: LoopBody) async { await body.call() }

  /// Runs `body` on a loop of its own and waits for it: for commands and tests, never from a loop's thread.
  public static func run<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) throws -> R {
    let loop = EventLoop()
    let finished = DispatchSemaphore(value: 0)
    let outcome = Mutex<Result<R, any Error>?>(nil)
    loop.submit {
      let result: Result<R, any Error>
      do { result = .success(try await body()) } catch { result = .failure(error) }
      outcome.withLock { $0 = result }
      finished.signal()
    }
    finished.wait()
    loop.stop()
    guard let result = outcome.withLock({ $0 }) else { preconditionFailure("signalled without a result") }
    return try result.get()
  }
}

/// A task's body that may hold state of the loop.
// @unchecked: made and called on the thread of one loop.
struct LoopBody: @unchecked Sendable {
  let call: () async -> Void
}

/// A task on a loop.
public struct LoopTask: Sendable {
  let task: Task<Void, Never>

  public func cancel() { task.cancel() }
  public var isCancelled: Bool { task.isCancelled }
  public func finished() async { await task.value }
}

/// The loops of a process, by convention one for each core.
public struct LoopGroup: Sendable {
  public let loops: [EventLoop]

  public init(count: Int) {
    precondition(count > 0)
    ignoreBrokenPipes()
    loops = (0..<count).map { EventLoop(index: $0) }
  }

  public func stop() { for loop in loops { loop.stop() } }
}

/// A peer that closed its socket is an error of `write`, not the end of the process.
private func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }
