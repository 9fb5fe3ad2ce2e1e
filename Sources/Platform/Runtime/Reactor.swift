import Basics
import CLinux
import Glibc

/// What a descriptor has become, as reported by the poll.
public struct Readiness: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let readable = Readiness(rawValue: UInt32(CLINUX_READABLE))
  public static let writable = Readiness(rawValue: UInt32(CLINUX_WRITABLE))
  /// The peer will send no more, or the connection is gone. Always reported.
  public static let hangup = Readiness(
    rawValue: UInt32(CLINUX_HANGUP | CLINUX_PEER_CLOSED | CLINUX_ERROR))
}

/// What a descriptor is watched for. Level-triggered: reported every turn until it is dealt with.
public struct Interest: OptionSet, Sendable {
  public let rawValue: UInt32
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  public static let read = Interest(rawValue: UInt32(CLINUX_READABLE))
  public static let write = Interest(rawValue: UInt32(CLINUX_WRITABLE))
  /// Also tell when the peer has shut down its side, before all of its bytes are read.
  public static let peerClosed = Interest(rawValue: UInt32(CLINUX_PEER_CLOSED))
}

public protocol ReadinessHandler: AnyObject {
  /// Called on the loop's thread. It must not block.
  func ready(_ events: Readiness)
}

/// A descriptor on the poll. Cancel it before the descriptor is closed.
public struct Watch {
  fileprivate let token: UInt64
  fileprivate let descriptor: CInt
}

/// The part of an ``EventLoop`` that only its own thread may touch: sockets, timers, and the turn.
///
/// A turn is: poll, tell the handlers, fire timers, run the Swift jobs that became ready, then what asked for the end of the turn.
public final class Reactor {
  /// The reactor of the calling thread, which must be a loop's.
  public static var current: Reactor {
    guard let executor = clinux_thread_loop(),
      let reactor = Unmanaged<LoopExecutor>.fromOpaque(executor).takeUnretainedValue().reactor
    else { preconditionFailure("this runs on event loops only") }
    return reactor
  }

  public let index: Int
  /// Monotonic nanoseconds, read once a turn, after the poll.
  public private(set) var now: UInt64 = MonotonicClock.nanoseconds()

  private let executor: LoopExecutor
  private let poll: CInt
  private var attached: EventLoop?
  private var timers = Timers()
  private var handlers = Slab<any ReadinessHandler>()
  private var endOfTurn: [() -> Void] = []
  private var endOfTurnRunning: [() -> Void] = []
  private var events = [clinux_event](repeating: clinux_event(), count: 256)
  private var stopped = false
  var locals: [UInt64: AnyObject] = [:]

  init(executor: LoopExecutor, index: Int) {
    self.executor = executor
    self.index = index
    poll = clinux_poll_create()
    precondition(poll >= 0, "no descriptor left for an event loop")
    precondition(clinux_poll_add(poll, executor.wakeDescriptor, Interest.read.rawValue, .max) == 0)
  }

  deinit { close(poll) }

  public var loop: EventLoop {
    guard let attached else { preconditionFailure("the loop has stopped") }
    return attached
  }

  func attach(to loop: EventLoop) {
    attached = loop
    executor.reactor = self
  }

  /// Drops what hangs off the loop. What is dropped may still call back, so it is dropped when nothing here is being changed.
  func detach() {
    let dropped = (locals, handlers, timers, endOfTurn)
    locals = [:]
    handlers = Slab()
    timers = Timers()
    endOfTurn = []
    withExtendedLifetime(dropped) {}
    attached = nil
  }

  func stop() { stopped = true }

  func run() { while !stopped { turn() } }

  private func turn() {
    let count = clinux_poll_wait(poll, &events, CInt(events.count), pollTimeout())
    now = MonotonicClock.nanoseconds()
    for place in 0..<max(0, Int(count)) {
      let event = events[place]
      if event.token == .max {
        executor.takeInbox()
      } else if let handler = handlers[event.token] {
        handler.ready(Readiness(rawValue: event.events))
      }
    }
    while let fire = timers.popDue(now) { fire() }
    executor.drain()
    if !endOfTurn.isEmpty {
      swap(&endOfTurn, &endOfTurnRunning)
      for body in endOfTurnRunning { body() }
      endOfTurnRunning.removeAll(keepingCapacity: true)
    }
  }

  /// Milliseconds, rounded up so that a timer is due when the poll returns; -1 when only a descriptor can wake the loop.
  private func pollTimeout() -> CInt {
    if executor.hasReadyJobs || !endOfTurn.isEmpty { return 0 }
    guard let deadline = timers.nextDeadline else { return -1 }
    let now = MonotonicClock.nanoseconds()
    return deadline <= now ? 0 : CInt(min((deadline - now + 999_999) / 1_000_000, 60_000))
  }
}

// MARK: - Descriptors

extension Reactor {
  /// Reports what becomes of `descriptor` to `handler`, which is kept until the watch is cancelled.
  public func watch(_ descriptor: CInt, _ interest: Interest, _ handler: any ReadinessHandler) throws(SystemError)
    -> Watch
  {
    let token = handlers.insert(handler)
    guard clinux_poll_add(poll, descriptor, interest.rawValue, token) == 0 else {
      let error = SystemError("watch a socket")
      handlers.remove(token)
      throw error
    }
    return Watch(token: token, descriptor: descriptor)
  }

  public func change(_ watch: Watch, to interest: Interest) {
    _ = clinux_poll_modify(poll, watch.descriptor, interest.rawValue, watch.token)
  }

  public func cancel(_ watch: Watch) {
    guard handlers.remove(watch.token) else { return }
    _ = clinux_poll_remove(poll, watch.descriptor)
  }
}

// MARK: - Work

extension Reactor {
  /// Starts a task that is isolated to this loop. Its body may hold state of the loop that is not `Sendable`.
  @discardableResult
  public func spawn(_ body: @escaping () async -> Void) -> LoopTask { loop.start(LoopBody(call: body)) }

  /// Calls `body` once, when everything that is ready has run and before the loop polls again.
  public func atEndOfTurn(_ body: @escaping () -> Void) { endOfTurn.append(body) }

  /// Calls `body` when at least `delay` has passed. Not before; how much later depends on what else the turn holds.
  @discardableResult
  public func schedule(after delay: Duration, _ body: @escaping () -> Void) -> TimerID {
    timers.schedule(at: MonotonicClock.nanoseconds() &+ UInt64(max(0, delay.microseconds)) &* 1000, body)
  }

  /// False when it has fired or was cancelled before.
  @discardableResult
  public func cancel(_ timer: TimerID) -> Bool { timers.cancel(timer) }

  /// Waits on the loop. Throws as soon as the task is cancelled.
  ///
  /// `isolation` keeps the operation of the cancellation handler on the loop: without it the handler, whose operation is no
  /// `nonisolated(nonsending)` closure, would run it on the cooperative pool.
  public func sleep(for delay: Duration, isolation: isolated (any Actor)? = #isolation) async throws(CancellationError)
  {
    let timer = timers.reserve()
    let loop = loop
    await withTaskCancellationHandler {
      _ = isolation
      await withUnsafeContinuation { continuation in
        let deadline = MonotonicClock.nanoseconds() &+ UInt64(max(0, delay.microseconds)) &* 1000
        timers.schedule(timer, at: Task.isCancelled ? 0 : deadline) { continuation.resume() }
      }
    } onCancel: {
      loop.execute { Reactor.current.timers.take(timer)?() }
    }
    if Task.isCancelled { throw CancellationError() }
  }
}
