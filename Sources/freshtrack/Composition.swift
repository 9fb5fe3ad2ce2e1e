import API
import Assets
import Basics
import HTTP
import HTTPServer
import Identity
import Ingest
import Migrations
import Monitoring
import Notifications
import Operations
import PostgreSQL
import Readings
import Runtime
import Telemetry
import TheThingsStack

/// The one place where the rooms meet: every route and every job of the program.
struct Composition: Sendable {
  let health: HealthMonitor
  let routes: [Route]
  /// For the operator's own port.
  let metricsRoutes: [Route]
  let jobs: [Job]
  let board: JobBoard
  let ingest: IngestRoutes

  init(_ parts: Parts) throws(Failure) {
    let database = parts.database
    let authenticator = Authenticator(
      try parts.settings.authentication, database: database, log: parts.log, download: KeySets.download)
    let keys = APIKeys(database: database)
    let limiter = parts.settings.rateLimiter
    let gate = Gate(authenticator: authenticator, keys: keys, limiter: limiter, database: database)
    let board = JobBoard(metrics: parts.metrics, log: parts.log, clock: parts.clock)
    let lag = LoopLag(parts.loops.loops + [parts.writing], metrics: parts.metrics)
    let figures = Figures(database: database, metrics: parts.metrics)
    let partitions = ReadingPartitions(database: database, log: parts.log)
    let rollups = RollupJob(database: database)
    let monitoring = MonitoringJob(database: database)
    let quarantine = QuarantineReplay(
      database: database, home: parts.writing, clock: parts.clock, log: parts.log, metrics: parts.metrics)
    ingest = IngestRoutes(
      database: database, keys: keys, home: parts.writing, clock: parts.clock, log: parts.log, metrics: parts.metrics,
      spool: parts.spool, isAway: parts.isDatabaseAway,
      isReady: { try await Schema.require(on: database, log: parts.log) })
    let providers = parts.settings.providers(parts.clock)
    let gaps = GapJob(database: database, metrics: parts.metrics)
    let healing = HealingJob(
      database: database, door: ingest.stored, stack: providers.stack, log: parts.log, metrics: parts.metrics)
    let sync = SyncJob(database: database, stack: providers.stack, log: parts.log)

    health = HealthMonitor(
      checks: [
        DatabaseChecks.reachable(database, isVital: parts.spool?.isAccepting != true),
        DatabaseChecks.migrated(database, Schema.migrator), board.check, lag.check, Memory.check,
      ] + Self.checks(parts.spool), clock: parts.clock)

    let operations =
      HealthRoutes(
        monitor: health, version: programVersion, environment: parts.settings.text("ENVIRONMENT") ?? "",
        started: parts.clock.now()
      ).routes
      + (parts.settings.isSet("METRICS_PORT")
        ? [] : MetricsRoutes(metrics: parts.metrics, audience: .privateAddresses).routes)
    let seals = SealRenewal(of: Self.sealed, database: database, box: providers.secrets, log: parts.log)
    let purges = OrganizationPurge(database: database)
    let removals = ObjectRemovalJob(database: database, objects: providers.objects, log: parts.log)
    let api = Features(
      database: database, gate: gate, keys: keys, limiter: limiter, providers: providers, quarantine: quarantine,
      queues: Queues.all(database), log: parts.log
    ).routes
    let described =
      operations + ingest.routes + (parts.settings.flag("READ_ONLY") ? api.map(Self.frozen) : api)
    routes = described + DocumentationRoutes(of: described, version: programVersion).routes
    metricsRoutes = MetricsRoutes(metrics: parts.metrics, audience: .anyone).routes

    self.board = board
    jobs = [
      Job("authentication-keys", every: .minutes(10)) { await authenticator.refresh(at: $0) },
      Job("monitoring", every: .seconds(5)) { try await monitoring.run(at: $0) },
      Job("reading-partitions", every: .hours(1)) { try await partitions.run(at: $0) },
      Job("figures", every: .seconds(30)) { try await figures.count(at: $0) },
      Job("seals", every: .hours(1)) { _ in try await seals.run() },
      Job("rollups", every: .seconds(30)) { try await rollups.run(at: $0) },
      Job("quarantine", every: .minutes(1)) { try await quarantine.run(at: $0) },
      Job("uplink-gaps", every: .minutes(1)) { try await gaps.run(at: $0) },
      Job("ttn-healing", every: .seconds(30)) { try await healing.run(at: $0) },
      Job("ttn-sync", every: .minutes(1)) { try await sync.run(at: $0) },
      Job("purges", every: .minutes(1)) { _ in try await purges.run() },
      Job("object-removals", every: .minutes(1)) { try await removals.run(at: $0) },
    ]
  }

  /// What every room is built on.
  struct Parts: Sendable {
    let settings: Settings
    let log: Log
    let metrics: Metrics
    let database: Database
    /// They serve requests and run the jobs.
    let loops: LoopGroup
    /// It writes readings.
    let writing: EventLoop
    let clock: WallClock
    let spool: Spool?
    /// It could not be reached at the start.
    let isDatabaseAway: Bool
  }

  /// Everything in the database that ENCRYPTION_KEY opens.
  static let sealed: [SealedColumn] = [.telnyxKeys, .stackKeys]

  private static func checks(_ spool: Spool?) -> [HealthCheck] {
    guard let spool else { return [] }
    return [
      HealthCheck("spool") { spool.concern.map { .init(.warn, $0) } ?? .pass }
    ]
  }

  /// READ_ONLY: what a user would change answers 503.
  private static func frozen(_ route: Route) -> Route {
    switch route.method {
    case .get, .head, .options: return route
    default:
      var frozen = Route(route.method, route.pattern, content: .any) { _ in
        throw HTTPError.unavailable("This installation is read-only for now", retryAfter: 60)
      }
      frozen.contract = route.contract
      return frozen
    }
  }
}
