import Basics
import CPostgreSQL
import Runtime

/// The socket of one connection and libpq behind it, driven by the readiness of the event loop. Not more than one
/// operation at a time. A failure is final: the link is closed and every later call throws it.
final class Link: ReadinessHandler {
  /// What an operation waits for.
  enum Goal {
    /// A step of the handshake.
    case handshake
    /// libpq has a whole result, or knows that there is none.
    case result
    /// Everything that was sent has left.
    case flushed
    /// The cancellation request has been made.
    case cancelRequested
    case notification
  }

  let reactor: Reactor
  private(set) var pg: OpaquePointer?
  private var watch: Watch?
  private var interest: Interest = []
  private var isOpen = false
  private var waiting: (goal: Goal, continuation: UnsafeContinuation<Void, Never>)?
  private(set) var failure: DatabaseError?
  /// Called when the link fails while nothing runs on it.
  var onIdleFailure: (() -> Void)?

  private var operation = Operation()
  private var cancelHandle: CancelHandle?

  private struct Operation {
    var number: UInt64 = 0
    var isActive = false
    var watch: CancellationWatch?
    /// Why the server was asked to cancel.
    var cancelReason: DatabaseError.Kind?
    var cancelIsUnderWay = false
  }

  init() {
    reactor = Reactor.current
  }

  deinit { close() }

  func close() {
    if let watch { reactor.cancel(watch) }
    watch = nil
    if let pg { PQfinish(pg) }
    pg = nil
    cancelHandle = nil
    if failure == nil { failure = DatabaseError(.connectionLost, "the connection is closed") }
  }

  // MARK: - Opening

  /// Connects and logs in. `keywords` are libpq's.
  func open(_ keywords: [(String, String)], timeout: Duration) async throws(DatabaseError) {
    try begin(timeout: timeout, isCancellable: true)
    defer { end() }
    guard let connection = Self.start(keywords) else { throw DatabaseError(.insufficientResources, "out of memory") }
    pg = connection
    // Without a receiver libpq prints notices on standard error.
    PQsetNoticeReceiver(connection, { _, _ in }, nil)
    guard PQstatus(connection) != CONNECTION_BAD else { throw connectFailure() }
    var step = PGRES_POLLING_WRITING
    while step != PGRES_POLLING_OK {
      guard step == PGRES_POLLING_READING || step == PGRES_POLLING_WRITING else { throw connectFailure() }
      // libpq may change sockets between two steps, so each is watched on its own.
      watchSocket(step == PGRES_POLLING_READING ? .read : .write)
      await wait(for: .handshake)
      if let failure { throw failure }
      unwatchSocket()
      step = PQconnectPoll(connection)
    }
    guard PQsetnonblocking(connection, 1) == 0, PQenterPipelineMode(connection) == 1 else { throw connectFailure() }
    cancelHandle = CancelHandle(connection)
    isOpen = true
    watchSocket(.read)
    if let failure { throw failure }
  }

  private static func start(_ keywords: [(String, String)]) -> OpaquePointer? {
    // libpq wants two arrays of C strings that end with NULL; one buffer holds them all.
    var bytes: [CChar] = []
    var offsets: [(Int, Int)] = []
    for (keyword, value) in keywords {
      let keywordStart = bytes.count
      bytes.append(contentsOf: keyword.utf8CString)
      offsets.append((keywordStart, bytes.count))
      bytes.append(contentsOf: value.utf8CString)
    }
    return bytes.withUnsafeBufferPointer { bytes in
      let names: [UnsafePointer<CChar>?] = offsets.map { bytes.baseAddress?.advanced(by: $0.0) } + [nil]
      let values: [UnsafePointer<CChar>?] = offsets.map { bytes.baseAddress?.advanced(by: $0.1) } + [nil]
      return PQconnectStartParams(names, values, 0)
    }
  }

  private func connectFailure() -> DatabaseError {
    let error = DatabaseError(.unavailable, lastMessage)
    fail(error)
    return error
  }

  /// What libpq has to say about the connection. It names host, database and user, never the password.
  var lastMessage: String {
    guard let pg, let text = PQerrorMessage(pg) else { return "no connection" }
    var message = String(cString: text)
    while message.last?.isWhitespace == true { message.removeLast() }
    return message.isEmpty ? "the connection was closed" : message
  }

  // MARK: - The socket

  private func watchSocket(_ interest: Interest) {
    guard let pg, failure == nil else { return }
    do {
      watch = try reactor.watch(PQsocket(pg), interest, self)
      self.interest = interest
    } catch {
      fail(DatabaseError(.unavailable, "\(error)"))
    }
  }

  private func unwatchSocket() {
    if let watch { reactor.cancel(watch) }
    watch = nil
  }

  private func setInterest(_ wanted: Interest) {
    guard let watch, wanted != interest else { return }
    reactor.change(watch, to: wanted)
    interest = wanted
  }

  /// Stops reading, so that the server feels that we are busy; hangups are still noticed.
  func pauseReading() { setInterest(interest.subtracting(.read)) }
  func resumeReading() { setInterest(interest.union(.read)) }

  func ready(_ events: Readiness) {
    // During the handshake only PQconnectPoll may read.
    guard isOpen, let pg else { return waiting?.goal == .handshake ? resumeWaiting() : () }
    if waiting?.goal == .notification {
      isQuiet = false
      resumeWaiting()
    }
    if events.contains(.readable) || !events.isDisjoint(with: .hangup) {
      if interest.contains(.read) {
        if PQconsumeInput(pg) == 0 { return lose(lastMessage) }
      } else if events.contains(.readable) == false {
        return lose("the server closed the connection")
      }
    }
    if interest.contains(.write), !flush() { return }
    if waiting == nil, !operation.isActive {
      // Nothing was asked: the server says goodbye, or that a setting changed.
      if PQstatus(pg) == CONNECTION_BAD || !events.isDisjoint(with: .hangup) {
        lose("the server closed the idle connection")
      }
      return
    }
    if let goal = waiting?.goal, isMet(goal) { resumeWaiting() }
  }

  /// Sends what libpq holds; asks for writability while something is left. False when the connection broke.
  @discardableResult
  func flush() -> Bool {
    guard let pg else { return false }
    switch PQflush(pg) {
    case 0: setInterest(interest.subtracting(.write))
    case 1: setInterest(interest.union(.write))
    default:
      // The server may have said why before it went: keep its words.
      _ = PQconsumeInput(pg)
      lose(lastMessage)
      return false
    }
    return true
  }

  var hasUnsent: Bool { interest.contains(.write) }

  private func isMet(_ goal: Goal) -> Bool {
    // Nothing more will come, and libpq no longer blocks.
    if pendingLoss != nil { return true }
    return switch goal {
    case .handshake: false
    case .result: pg.map { PQisBusy($0) == 0 } ?? true
    case .flushed: !hasUnsent
    case .cancelRequested: !operation.cancelIsUnderWay
    case .notification: false
    }
  }

  func wait(for goal: Goal) async {
    if failure != nil || isMet(goal) { return }
    await withUnsafeContinuation { waiting = (goal, $0) }
  }

  /// Nothing came in during the last ``waitForNotification(atMost:)``.
  private(set) var isQuiet = false

  /// Returns when something has come in, the time is over, or the task is cancelled.
  func waitForNotification(atMost time: Duration) async {
    if failure != nil || Task.isCancelled { return }
    isQuiet = true
    let watch = CancellationWatch(reactor, atMost: time) { [weak self] _ in self?.stopListening() }
    await withUnsafeContinuation { waiting = (.notification, $0) }
    watch.stop()
  }

  private func stopListening() {
    if waiting?.goal == .notification { resumeWaiting() }
  }

  private func resumeWaiting() {
    guard let (_, continuation) = waiting else { return }
    waiting = nil
    continuation.resume()
  }

  // MARK: - Operations

  /// Starts the clock of an operation.
  func begin(timeout: Duration, isCancellable: Bool) throws(DatabaseError) {
    if let failure { throw failure }
    if let pendingLoss { throw DatabaseError(.connectionLost, pendingLoss) }
    precondition(!operation.isActive, "a connection runs one operation at a time")
    if isCancellable, Task.isCancelled {
      throw DatabaseError(.cancelled, "the task was cancelled before the statement was sent")
    }
    let number = operation.number + 1
    operation = Operation(number: number, isActive: true)
    operation.watch = CancellationWatch(reactor, atMost: timeout, isCancellable: isCancellable) { [weak self] reason in
      self?.cancel(number, because: reason)
    }
  }

  func end() {
    operation.watch?.stop()
    operation.watch = nil
    operation.isActive = false
  }

  /// Why the running operation was cancelled, if it was.
  var cancelReason: DatabaseError.Kind? { operation.cancelReason }

  /// Waits until a cancellation request that is under way has been made: it must not hit the next statement.
  func settleCancellation() async {
    await wait(for: .cancelRequested)
  }

  /// Asks the server to stop the running operation, and drops the connection when it has not done so a second later.
  func cancel(_ number: UInt64, because reason: DatabaseError.Kind) {
    guard operation.isActive, operation.number == number, operation.cancelReason == nil, failure == nil else { return }
    operation.cancelReason = reason
    guard let cancelHandle, CancelHandle.begin() else { return fail(Self.cancelled(reason)) }
    operation.cancelIsUnderWay = true
    reactor.schedule(after: .seconds(1)) { [weak self] in
      guard let self, operation.number == number, operation.isActive else { return }
      fail(Self.cancelled(reason))
    }
    // No capture list: with one, Swift 6.3 runs an async closure on the cooperative pool.
    reactor.spawn {
      // Its outcome shows in the operation's own result.
      try? await Blocking.run { cancelHandle.cancel() }
      CancelHandle.end()
      guard self.operation.number == number else { return }
      self.operation.cancelIsUnderWay = false
      if self.waiting?.goal == .cancelRequested { self.resumeWaiting() }
    }
  }

  func cancelRunning(because reason: DatabaseError.Kind) { cancel(operation.number, because: reason) }

  static func cancelled(_ reason: DatabaseError.Kind) -> DatabaseError {
    DatabaseError(reason, reason == .timeout ? "the statement ran into its timeout" : "the task was cancelled")
  }

  private func lose(_ message: String) {
    // An error that the server sent before it closed is a result; the operation finds it first.
    if let pg, operation.isActive, waiting == nil || waiting?.goal == .result, PQisBusy(pg) == 0 {
      unwatchSocket()
      pendingLoss = message
      return resumeWaiting()
    }
    fail(DatabaseError(.connectionLost, message))
  }

  /// The connection is gone, but results that came before are still to be read.
  private(set) var pendingLoss: String?

  func fail(_ error: DatabaseError) {
    guard failure == nil else { return }
    failure = error
    let wasIdle = !operation.isActive
    close()
    resumeWaiting()
    if wasIdle { onIdleFailure?() }
  }
}

/// What it takes to ask the server to cancel. It makes a connection of its own for it, and blocks, as long as the server says nothing:
/// so only a few are under way at once, and the threads that block are left to others.
// @unchecked: libpq fills a PGcancel once and only reads it afterwards; PQcancel may be called from any thread.
final class CancelHandle: @unchecked Sendable {
  private let handle: OpaquePointer

  init?(_ connection: OpaquePointer) {
    guard let handle = PQgetCancel(connection) else { return nil }
    self.handle = handle
  }

  deinit { PQfreeCancel(handle) }

  /// For each loop.
  private static let underWayMax = 4
  private static let underWay = LoopLocal { _ in UnderWay() }

  private final class UnderWay {
    var count = 0
  }

  /// False: too many are under way already. True is followed by ``end()``.
  static func begin() -> Bool {
    guard underWay.value.count < underWayMax else { return false }
    underWay.value.count += 1
    return true
  }

  static func end() { underWay.value.count -= 1 }

  func cancel() {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { message in
      _ = PQcancel(handle, message.baseAddress, 256)
    }
  }
}
