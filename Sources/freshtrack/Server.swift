import Basics
import Dispatch
import Glibc
import HTTPServer
import Ingest
import Operations
import PostgreSQL
import Runtime
import Synchronization
import Telemetry

/// The running program: started whole, stopped whole.
struct Server: Sendable {
  enum Work: Sendable {
    case everything
    case requests
    case jobs
  }

  let address: SocketAddress
  private let log: Log
  private let loops: LoopGroup
  private let writing: EventLoop
  private let database: Database
  let composition: Composition
  private let servers: [HTTPServer]
  private let runner: JobRunner
  private let grace: Duration
  private let spool: Spool?

  /// Starts it. Throws a ``Failure`` that says what to do when it cannot.
  init(_ settings: Settings, work: Work) throws {
    let clock = WallClock.system
    log = settings.log
    let metrics = Metrics()
    metrics.registerProcess()
    Self.raiseDescriptorLimit()
    let database = try settings.database(log, metrics)
    self.database = database
    let spool = work == .jobs ? nil : try settings.spool(log, metrics)
    self.spool = spool
    let isAway = try Self.isAway(database, hasSpool: spool != nil, log)
    loops = LoopGroup(count: settings.int("LOOPS") ?? max(1, Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))))
    writing = EventLoop(index: loops.loops.count)
    composition = try Composition(
      .init(
        settings: settings, log: log, metrics: metrics, database: database, loops: loops, writing: writing,
        clock: clock,
        spool: spool, isDatabaseAway: isAway))
    grace = settings.duration("SHUTDOWN_GRACE")

    var servers: [HTTPServer] = []
    let routes = work == .jobs ? composition.routes.filter { !$0.pattern.hasPrefix("/api/") } : composition.routes
    let main = HTTPServer(
      routes: routes, configuration: settings.http(port: settings.int("PORT") ?? 3000), log: log, metrics: metrics)
    address = try Self.listen(main, settings.http(port: settings.int("PORT") ?? 3000), on: loops, "PORT")
    servers.append(main)
    if let port = settings.int("METRICS_PORT") {
      // Its own requests are not among the figures.
      let own = HTTPServer(
        routes: composition.metricsRoutes, configuration: settings.http(port: port), log: log, metrics: Metrics())
      _ = try Self.listen(own, settings.http(port: port), on: loops, "METRICS_PORT")
      servers.append(own)
    }
    self.servers = servers
    runner = JobRunner(board: composition.board)
    if work != .jobs { composition.ingest.start(on: loops.loops[0]) }
    if work != .requests { runner.start(composition.jobs, on: loops.loops) }
    log.info(
      "listening",
      [
        "address": .string("http://\(address)"), "version": .string(programVersion), "loops": .int(loops.loops.count),
        "pid": .int(Int(getpid())),
      ])
  }

  /// Says that it is not ready any more, takes no new connections, finishes what it began, and gives everything back.
  func stop() {
    let (log, servers, runner, composition, grace) = (log, servers, runner, composition, grace)
    log.info("stopping", ["grace_seconds": .double(Double(grace.microseconds) / 1_000_000)])
    composition.health.drain()
    // The loops that serve do the work; this one only waits for them.
    try? EventLoop.run {
      for server in servers { await server.drain(within: grace) }
      await runner.stop()
      await composition.ingest.stop()
    }
    for loop in loops.loops + [writing] { loop.execute { [database] in database.close() } }
    loops.stop()
    writing.stop()
    spool?.close()
    log.info("stopped")
    LogOutput.standard.flush()
  }

  /// Throws unless the program can work on this database. With a spool it also starts while the database cannot be reached: what
  /// sensors send is taken meanwhile.
  private static func isAway(_ database: Database, hasSpool: Bool, _ log: Log) throws -> Bool {
    do {
      try EventLoop.run { try await Schema.require(on: database, log: log) }
      return false
    } catch let failure as Failure where hasSpool && failure.code == .unavailable {
      log.error("started without the database", ["reason": .string(failure.description)])
      return true
    }
  }

  private static func listen(
    _ server: HTTPServer, _ configuration: HTTPServerConfiguration, on loops: LoopGroup, _ setting: String
  ) throws -> SocketAddress {
    try tryPort(configuration.port, of: configuration.host, changedBy: setting)
    do { return try server.start(on: loops) } catch let error as InvalidHost {
      throw Failure(.settings, "HOST: \(error)")
    } catch let error as SystemError {
      throw refusal(error, configuration.port, of: configuration.host, changedBy: setting)
    }
  }

  /// The kernel lets several processes share a port when all of them ask for it, as our loops do among themselves. Two
  /// servers by mistake on one port would each get half of the requests: so it is tried alone first.
  static func tryPort(_ port: UInt16, of host: String, changedBy setting: String) throws(Failure) {
    guard port != 0, let address = SocketAddress(host: host, port: port) else { return }
    do { Socket.close(try Socket.listen(on: address, sharingPort: false)) } catch {
      throw refusal(error, port, of: host, changedBy: setting)
    }
  }

  private static func refusal(
    _ error: SystemError, _ port: UInt16, of host: String, changedBy setting: String
  ) -> Failure {
    let place = "\(host) port \(port)"
    return switch error.code {
    case EADDRINUSE:
      Failure(.system, "\(place) is taken: stop what listens there, or set \(setting) to another port")
    case EACCES:
      Failure(.system, "\(place) is not allowed to this user: set \(setting) to a port above 1023")
    case EADDRNOTAVAIL:
      Failure(.system, "\(host) is no address of this machine: set HOST to one, or to 0.0.0.0")
    default: Failure(.system, "\(place): \(error)")
    }
  }

  /// Sockets are descriptors: as many as the system lets this process have.
  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}

/// SIGTERM or Ctrl-C, waited for. A second one ends the process at once.
final class StopSignal: Sendable {
  private let semaphore = DispatchSemaphore(value: 0)
  private let count = Atomic<Int>(0)

  init() {
    for number in [SIGTERM, SIGINT] {
      Signals.on(number) { [self] in
        if count.add(1, ordering: .relaxed).newValue > 1 {
          LogOutput.standard.flush()
          _exit(128 + number)
        }
        semaphore.signal()
      }
    }
  }

  func wait() { semaphore.wait() }
}
