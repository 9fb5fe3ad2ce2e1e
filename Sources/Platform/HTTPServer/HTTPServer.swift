import HTTP
import Runtime
import Synchronization
import Telemetry

/// Serves a table of routes on every loop of a group.
public final class HTTPServer: Sendable {
  private let plan: ServerPlan
  private let locals: LoopLocal<ServerLoop>
  private let loops = Mutex<[EventLoop]>([])

  /// Two routes for one method and path are a fault of the program and end it here.
  public init(routes: [Route], configuration: HTTPServerConfiguration, log: Log, metrics: Metrics) {
    let plan = ServerPlan(routes, configuration, log, metrics)
    self.plan = plan
    locals = LoopLocal { ServerLoop(plan, $0) }
    metrics.gauge("http_connections", help: "Connections that are open.") { [count = plan.connectionCount] in
      Double(count.value.load(ordering: .relaxed))
    }
  }

  /// Listens on the configured address, once for each loop: the kernel spreads the connections.
  /// Throws ``SystemError`` when the address cannot be had. Returns it with the port that the kernel gave.
  @discardableResult
  public func start(on group: LoopGroup) throws -> SocketAddress {
    let configuration = plan.configuration
    guard var address = SocketAddress(host: configuration.host, port: configuration.port) else {
      throw InvalidHost(host: configuration.host)
    }
    var descriptors: [CInt] = []
    do {
      for _ in group.loops {
        let descriptor = try Socket.listen(on: address, sharingPort: group.loops.count > 1)
        descriptors.append(descriptor)
        if let bound = Socket.localAddress(descriptor) { address = bound }
      }
    } catch {
      for descriptor in descriptors { Socket.close(descriptor) }
      throw error
    }
    loops.withLock { $0 = group.loops }
    for (loop, descriptor) in zip(group.loops, descriptors) {
      loop.execute { [locals] in
        let local = locals.value
        local.listener = try? Listener(descriptor, local)
      }
    }
    return address
  }

  /// Stops accepting, answers what was sent, and returns when the last connection is closed.
  /// What is not finished within `limit` is cut.
  public func drain(within limit: Duration) async {
    let loops = loops.withLock { loops in
      let running = loops
      loops = []
      return running
    }
    if loops.isEmpty { return }
    let left = Remaining(loops.count)
    await withUnsafeContinuation { continuation in
      for loop in loops {
        loop.execute { [locals] in
          locals.value.drain(within: limit) {
            // Freed once the stack of its last connection is gone.
            Reactor.current.atEndOfTurn { locals.remove() }
            if left.countDown() { continuation.resume() }
          }
        }
      }
    }
  }

  private final class Remaining: Sendable {
    private let count: Atomic<Int>

    init(_ count: Int) { self.count = Atomic(count) }

    /// True for the last one.
    func countDown() -> Bool { count.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 }
  }
}

/// The host to listen on is no IP address.
public struct InvalidHost: Error, CustomStringConvertible {
  public let host: String

  public var description: String { "cannot listen on \"\(host)\": give an IP address such as 127.0.0.1, 0.0.0.0 or ::" }
}
