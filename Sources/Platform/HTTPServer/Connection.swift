import Basics
import CLinux
import Glibc
import HTTP
import Runtime

/// One client. It lives on one loop and is touched by nothing else.
///
/// head → (body →) handling → head, and from any of them → lingering → closed. While it waits for a request it holds no buffers.
final class Connection: ReadinessHandler {
  enum State {
    /// Waits for a request or is in the middle of its head.
    case head
    /// Collects the body of a request whose route takes it whole.
    case body
    /// A task answers.
    case handling
    /// The last answer is written; what the client still sends is thrown away, so that it can read that answer
    /// (RFC 9112 section 9.6).
    case lingering
    case closed
  }

  /// Unsent bytes of answers, above which no more requests are read and streams wait; and below which they go on.
  static let outputMax = 64 << 10
  static let outputLow = 16 << 10

  let descriptor: CInt
  let address: PeerAddress
  let loop: ServerLoop
  var watch: Watch?
  var interest: Interest = [.read, .peerClosed]
  /// Place in the loop's list.
  var place = 0

  var state = State.head
  /// Monotonic nanoseconds, when ``state`` has taken too long.
  var deadline = UInt64.max
  /// When the client has taken too long to take any byte of its answer.
  var writeDeadline = UInt64.max
  var input: InputBuffer?
  var output = Output()
  var isDirty = false
  var closesAfterFlush = false
  var peerClosed = false
  var hasServed = false

  var exchange = Exchange()
  /// Grows with each request; what a task of an earlier one brings is dropped.
  var number: UInt64 = 0
  var task: LoopTask?
  var body: BodyCollector?
  /// Counted against the loop's bound until the request is answered.
  var bodyBytes = 0
  var bodyStream: BodyStream?
  var stream: AnswerStream?
  private var isReadingHead = false
  private var lingered = 0

  init(descriptor: CInt, address: PeerAddress, loop: ServerLoop) {
    self.descriptor = descriptor
    self.address = address
    self.loop = loop
  }

  func ready(_ events: Readiness) {
    // Both sides are shut, or the connection was reset: nobody would read an answer.
    if events.rawValue & UInt32(CLINUX_ERROR | CLINUX_HANGUP) != 0 { return close() }
    if events.contains(.writable) { flush() }
    if state == .closed || events.isDisjoint(with: [.readable, .hangup]) { return }
    switch state {
    case .head, .body, .handling: receive()
    case .lingering: discard()
    case .closed: return
    }
  }

  func setInterest(_ wanted: Interest) {
    guard wanted != interest, let watch else { return }
    interest = wanted
    loop.reactor.change(watch, to: wanted)
  }

  // MARK: - Reading

  private func receive() {
    let input = input ?? loop.takeInput()
    self.input = input
    // A pipelining client is not read beyond one buffer while an answer is being made or written.
    if input.isFull { return setInterest(interest.subtracting(.read)) }
    let count = input.receive(from: descriptor)
    if count > 0 {
      switch state {
      case .head: readRequests()
      case .body: readBody()
      default: bodyStream?.wake()
      }
      return
    }
    if count < 0 {
      if errno != EAGAIN, errno != EINTR { close() }
      if input.isEmpty, state == .head { releaseInput() }
      return
    }
    peerClosed = true
    setInterest(interest.subtracting([.read, .peerClosed]))
    switch state {
    case .handling: bodyStream?.wake()
    default: output.isEmpty && !isDirty ? close() : closeAfterAnswers()
    }
  }

  /// The client has shut its side in between requests, with answers still on the way.
  private func closeAfterAnswers() {
    closesAfterFlush = true
    markDirty()
  }

  /// Answers what is complete in the buffer, in order.
  func readRequests() {
    while state == .head, let input, !closesAfterFlush {
      if input.isEmpty {
        releaseInput()
        break
      }
      if output.pending > Self.outputMax {
        setInterest(interest.subtracting(.read))
        deadline = .max
        return
      }
      do {
        guard try input.parseHead() else {
          if !isReadingHead { deadline = loop.deadline(loop.limits.head) }
          isReadingHead = true
          if peerClosed { close() } else { setInterest(interest.union(.read)) }
          return
        }
      } catch {
        return refuse(error.answer)
      }
      isReadingHead = false
      hasServed = true
      number &+= 1
      dispatch(input)
      input.beginRequest()
    }
    if state == .head {
      deadline = loop.deadline(loop.limits.idle)
      if peerClosed { closeAfterAnswers() } else { setInterest(interest.union([.read, .peerClosed])) }
    }
  }

  func releaseInput() {
    guard let input else { return }
    loop.give(input)
    self.input = nil
  }

  // MARK: - Writing

  /// The output leaves at the end of the turn, whatever else is added to it until then.
  func markDirty() {
    if isDirty || state == .closed { return }
    isDirty = true
    loop.markDirty(self)
  }

  func flush() {
    isDirty = false
    if state == .closed { return }
    if !output.isEmpty {
      switch output.write(to: descriptor) {
      case .failed: return close()
      case .full:
        writeDeadline = loop.deadline(loop.limits.write)
        setInterest(interest.union(.write))
        if output.pending < Self.outputLow { stream?.resume() }
        return
      case .done: break
      }
    }
    writeDeadline = .max
    setInterest(interest.subtracting(.write))
    loop.giveOutput(&output.open)
    stream?.resume()
    if closesAfterFlush {
      if state != .lingering { linger() }
    } else if state == .head, input != nil {
      readRequests()
    }
  }

  // MARK: - The end

  private func linger() {
    cancelTask()
    releaseInput()
    body = nil
    releaseBody()
    shutdown(descriptor, CInt(SHUT_WR))
    if peerClosed { return close() }
    state = .lingering
    deadline = loop.deadline(1_000_000_000)
    setInterest([.read, .peerClosed])
  }

  private func discard() {
    let count = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 16 << 10) {
      recv(descriptor, $0.baseAddress, $0.count, 0)
    }
    lingered += max(0, count)
    if count == 0 || count < 0 && errno != EAGAIN && errno != EINTR || lingered > 1 << 20 { close() }
  }

  /// So that the client sees that its answer was cut: a reset instead of an orderly end.
  func cut() {
    var option = LingerOption(on: 1, seconds: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<LingerOption>.size))
    close()
  }

  func close() {
    if state == .closed { return }
    state = .closed
    deadline = .max
    writeDeadline = .max
    cancelTask()
    releaseInput()
    body = nil
    releaseBody()
    output = Output()
    if let watch { loop.reactor.cancel(watch) }
    watch = nil
    Socket.close(descriptor)
    loop.remove(self)
  }

  func cancelTask() {
    number &+= 1
    task?.cancel()
    task = nil
    stream?.resume()
    stream = nil
    bodyStream?.wake()
    bodyStream = nil
  }

  /// `struct linger`, whose name Swift gives to a function.
  private struct LingerOption {
    var on: CInt
    var seconds: CInt
  }
}
