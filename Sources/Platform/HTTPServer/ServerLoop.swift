import Basics
import HTTP
import JSON
import Runtime
import Synchronization
import Telemetry

/// The part of the server that lives on one loop: its listener, its connections and what they share.
final class ServerLoop {
  struct Limits {
    let head, bodyIdle, handler, idle, write: UInt64
  }

  let plan: ServerPlan
  let reactor: Reactor
  let limits: Limits
  var listener: Listener?
  private(set) var connections: [Connection] = []
  private(set) var isDraining = false
  /// Of requests that are not answered yet.
  var bodyBytes = 0

  private var inputs: [InputBuffer] = []
  private var outputs: [[UInt8]] = []
  private var dirty: [Connection] = []
  private var flushing: [Connection] = []
  private var flushAll: () -> Void = {}
  private var date = HTTPDate()
  private var lastRequestID = SecureRandom.uint64()
  /// For whole answers; streamed ones have their own.
  private(set) lazy var encoder = GzipEncoder()
  /// For each route the counters it has needed so far.
  private var counters: [[(method: Method, status: Status, counter: CounterHandle)]]
  private var onEmpty: (() -> Void)?

  init(_ plan: ServerPlan, _ reactor: Reactor) {
    self.plan = plan
    self.reactor = reactor
    let configuration = plan.configuration
    limits = Limits(
      head: nanoseconds(configuration.headTimeLimit), bodyIdle: nanoseconds(configuration.bodyIdleLimit),
      handler: nanoseconds(configuration.handlerTimeLimit), idle: nanoseconds(configuration.idleTimeLimit),
      write: nanoseconds(configuration.writeTimeLimit))
    counters = Array(repeating: [], count: plan.routes.count + 1)
    flushAll = { [unowned self] in flush() }
    scheduleSweep()
  }

  func deadline(_ limit: UInt64) -> UInt64 { reactor.now &+ limit }

  // MARK: - Connections

  func add(_ descriptor: CInt, _ peer: PeerAddress) {
    let connection = Connection(descriptor: descriptor, address: peer, loop: self)
    guard let watch = try? reactor.watch(descriptor, connection.interest, connection) else {
      plan.connectionCount.value.subtract(1, ordering: .relaxed)
      return Socket.close(descriptor)
    }
    connection.watch = watch
    connection.deadline = deadline(limits.head)
    connection.place = connections.count
    connections.append(connection)
  }

  func remove(_ connection: Connection) {
    let last = connections.removeLast()
    if last !== connection {
      last.place = connection.place
      connections[connection.place] = last
    }
    plan.connectionCount.value.subtract(1, ordering: .relaxed)
    listener?.resume()
    if connections.isEmpty, let onEmpty {
      self.onEmpty = nil
      onEmpty()
    }
  }

  // MARK: - Buffers

  private static let pooledMax = 64

  func takeInput() -> InputBuffer { inputs.popLast() ?? InputBuffer() }

  func give(_ input: InputBuffer) {
    input.clear()
    if inputs.count < Self.pooledMax { inputs.append(input) }
  }

  /// Gives `buffer` room if it has none.
  func takeOutput(_ buffer: inout [UInt8]) {
    if buffer.capacity > 0 { return }
    if let pooled = outputs.popLast() { buffer = pooled } else { buffer.reserveCapacity(4096) }
  }

  func giveOutput(_ buffer: inout [UInt8]) {
    if buffer.capacity > 0, buffer.capacity <= 64 << 10, outputs.count < Self.pooledMax { outputs.append(buffer) }
    buffer = []
  }

  // MARK: - The end of a turn

  func markDirty(_ connection: Connection) {
    if dirty.isEmpty { reactor.atEndOfTurn(flushAll) }
    dirty.append(connection)
  }

  private func flush() {
    swap(&dirty, &flushing)
    for connection in flushing { connection.flush() }
    flushing.removeAll(keepingCapacity: true)
  }

  // MARK: - Answers

  func nextRequestID() -> RequestID {
    lastRequestID &+= 1
    return RequestID(number: lastRequestID)
  }

  func dateLine() -> [UInt8] {
    date.update(plan.configuration.clock.now())
    return date.line
  }

  func response(for error: any Error, _ exchange: Exchange) -> Response {
    let answer: HTTPError
    switch error {
    case let error as HTTPError: answer = error
    case let error as InvalidFields: answer = .validation(error)
    case let error as InvalidBody: answer = .validation(error)
    case let error as ParseError: answer = error.answer
    default:
      if let mapped = plan.configuration.mapError(error) {
        answer = mapped
      } else {
        answer = .internal
        plan.log.error(
          "request failed",
          ["request_id": .string(exchange.id.text), "route": .string(label(exchange)), "error": .error(error)])
      }
    }
    return answer.response(id: exchange.id)
  }

  func logCut(_ exchange: Exchange, _ error: any Error) {
    plan.log.error(
      "answer cut",
      ["request_id": .string(exchange.id.text), "route": .string(label(exchange)), "error": .error(error)])
  }

  private func label(_ exchange: Exchange) -> String { plan.meters.label(exchange.route ?? plan.routes.count) }

  // MARK: - Time limits

  /// Looks at all deadlines a few times within the shortest limit, which costs less than a timer for each connection.
  private func scheduleSweep() {
    let shortest = min(limits.head, limits.bodyIdle, limits.handler, limits.idle, limits.write)
    let interval = Duration.nanoseconds(Int64(clamping: min(max(shortest / 4, 10_000_000), 500_000_000)))
    reactor.schedule(after: interval) { [weak self] in
      self?.sweep()
      self?.scheduleSweep()
    }
  }

  private func sweep() {
    let now = reactor.now
    for connection in connections.reversed()
    where connection.deadline <= now || connection.writeDeadline <= now {
      connection.expire(now)
    }
    listener?.resume()
  }

  // MARK: - Draining

  /// Answers what has been sent and takes no more. Calls `finished` when the last connection is gone.
  func drain(within limit: Duration, _ finished: @escaping () -> Void) {
    isDraining = true
    listener?.close()
    listener = nil
    if connections.isEmpty { return finished() }
    onEmpty = finished
    for connection in connections.reversed() { connection.drain() }
    reactor.schedule(after: limit) { [weak self] in
      guard let self else { return }
      for connection in connections.reversed() { connection.close() }
    }
  }
}

// MARK: - Observation

extension ServerLoop {
  func observe(_ exchange: Exchange, _ status: Status, bytes: Int) {
    let place = exchange.route ?? plan.routes.count
    let duration = MonotonicClock.nanoseconds() &- exchange.started
    counter(place, exchange.method, status).add()
    plan.meters.durations[place].observe(Double(duration) / 1e9)
    let level = level(exchange.route, status)
    guard plan.log.isEnabled(level) else { return }
    plan.log.log(
      level, "request",
      [
        "request_id": .string(exchange.id.text), "method": .string(exchange.method.name),
        "route": .string(plan.meters.label(place)), "status": .int(Int(status.code)),
        "duration_ms": .double(Double(duration / 1000) / 1000), "bytes": .int(bytes),
        "peer": .string(exchange.peer.description),
      ])
  }

  private func level(_ route: Int?, _ status: Status) -> Log.Level {
    if status.code >= 500, status != .serviceUnavailable { return .error }
    if status.code >= 400 { return .info }
    guard let route else { return .info }
    return plan.routes[route].logLevel == .debug ? .debug : .info
  }

  private func counter(_ place: Int, _ method: Method, _ status: Status) -> CounterHandle {
    for entry in counters[place] where entry.status == status && entry.method == method { return entry.counter }
    let counter = plan.meters.counter(place, method, status)
    counters[place].append((method, status, counter))
    return counter
  }
}

extension Connection {
  /// A deadline has passed.
  func expire(_ now: UInt64) {
    if writeDeadline <= now { return cut() }
    switch state {
    case .head:
      if input?.isEmpty ?? true { close() } else { refuse(Self.tooSlow) }
    case .body: refuse(Self.tooSlow)
    case .handling:
      let isWaitingForClient = bodyStream?.isWaiting ?? false
      cancelTask()
      exchange.keepAlive = false
      let error = isWaitingForClient ? Self.tooSlow : HTTPError.unavailable("The answer took too long")
      answer(error.response(id: exchange.id))
    case .lingering: close()
    case .closed: break
    }
  }

  private static let tooSlow = HTTPError(.requestTimeout, "REQUEST_TIMEOUT", "The request took too long to arrive")

  /// The server stops: what was sent is answered, what was not has no more time than a request in flight needs.
  func drain() {
    switch state {
    case .head:
      if input == nil { ready(.readable) }
      guard state == .head, input?.isEmpty ?? true, !closesAfterFlush else { return }
      if hasServed, output.isEmpty { return close() }
      deadline = min(deadline, loop.deadline(1_000_000_000))
    case .handling:
      if let stream, stream.endsOnDrain {
        task?.cancel()
        stream.resume()
      }
    case .body, .lingering, .closed: break
    }
  }
}
