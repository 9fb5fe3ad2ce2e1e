import Basics
import Dispatch
import Glibc
import PostgreSQL
import Runtime
import Synchronization
import Telemetry

extension Command {
  static let dev = Command(
    name: "dev", summary: "everything on this machine: a private PostgreSQL, demo data and simulated sensors",
    details: """
      The data stays in the folder; a second start goes on with it. Remove the folder to
      begin anew. The folder also gets a file `env` to source: URL, ORG, TOKEN, KEY.
      """,
    options: [
      .value("--port", "PORT", "of the server (default 3000)"),
      .value("--data-dir", "FOLDER", "for PostgreSQL and the demo's keys (default .freshtrack)"),
      .flag("--no-simulator", "no simulated sensors"),
    ],
    run: { arguments in
      try DevelopmentRun(
        folder: arguments.text("--data-dir") ?? ".freshtrack", port: try arguments.int("--port", in: 1...65535) ?? 3000,
        simulates: !arguments.has("--no-simulator")
      ).run()
    })
}

/// One run of `freshtrack dev`.
private struct DevelopmentRun {
  let folder: String
  let port: Int
  let simulates: Bool

  /// Seconds between two uplinks, of all sensors together.
  private static let pace = 5.0

  func run() throws {
    let stop = StopSignal()
    // Sooner than the server finds it, which needs the database first.
    try Server.tryPort(UInt16(port), of: host, changedBy: "--port")
    try File.makeFolder(folder)
    let folder = try absolute(folder)
    let clusterFolder = clusterFolder(in: folder)
    Terminal.say("Starting PostgreSQL in \(clusterFolder)")
    let cluster = PrivateCluster(directory: clusterFolder)
    do { try cluster.start() } catch { throw Failure(.system, "PostgreSQL: \(error)") }
    defer { cluster.stop() }
    let settings = try Settings(environment: environment(cluster, folder), for: .server)
    try migrate(cluster, settings)
    let server = try Server(settings, work: .everything)
    defer { server.stop() }

    let target = try HTTPTarget("http://127.0.0.1:\(port)")
    let database = try settings.database(settings.log, Metrics())
    let sensors = DemoPlan.sensors(session: SecureRandom.uint64())
    let demo = try demo(folder, database, target, sensors)
    let token = try demo.token(on: database, now: WallClock.system.now())
    try File.write(Array(variables(demo, token).utf8), to: "\(folder)/env")
    let simulation = simulates ? Simulation(target, key: demo.ingestKey, rate: 1 / Self.pace) : nil
    Terminal.say(banner(demo))
    stop.wait()
    Terminal.say("Stopping")
    simulation?.stop()
  }

  /// PostgreSQL does not run as root: started by root, it runs as another user, who cannot get to what lies in root's
  /// own folder. Then its data lies in /var/tmp, under a name that tells where it belongs.
  private func clusterFolder(in folder: String) -> String {
    var path = ""
    let isReachable = folder.split(separator: "/").allSatisfy { part in
      path += "/\(part)"
      var status = stat()
      return stat(path, &status) == 0 && status.st_mode & S_IXOTH != 0
    }
    if getuid() != 0 || isReachable { return "\(folder)/postgres" }
    return "/var/tmp/freshtrack" + folder.map { $0 == "/" ? "-" : $0 } + "-postgres"
  }

  private var host: String { Settings.processEnvironment["HOST"].flatMap { $0.isEmpty ? nil : $0 } ?? "127.0.0.1" }

  private func environment(_ cluster: PrivateCluster, _ folder: String) -> [String: String] {
    var environment = Settings.processEnvironment
    // What is asked for stays; what would point elsewhere does not.
    for name in ["DATABASE_URL_FILE", "METRICS_PORT", "METRICS_PORT_FILE", "PORT_FILE", "AUTH_MODE_FILE"] {
      environment[name] = nil
    }
    environment["DATABASE_URL"] = cluster.url(database: "freshtrack")
    environment["PORT"] = String(port)
    environment["AUTH_MODE"] = "local"
    for (name, value) in [
      ("HOST", host), ("SPOOL_DIR", "\(folder)/spool"), ("SPOOL_MAX_BYTES", "1073741824"),
      ("ENVIRONMENT", "development"), ("LOG_FORMAT", "text"), ("LOG_LEVEL", "warn"),
      ("RATE_LIMIT_MAX", "0"),
    ] where environment[name, default: ""].isEmpty { environment[name] = value }
    return environment
  }

  private func migrate(_ cluster: PrivateCluster, _ settings: Settings) throws {
    let maintenance = Database(try DatabaseConfiguration(url: cluster.url()))
    let database = try settings.database(settings.log, Metrics())
    let applied = try EventLoop.run {
      let rows = try await maintenance.query("SELECT FROM pg_database WHERE datname = 'freshtrack'")
      if rows.isEmpty { try await maintenance.execute("CREATE DATABASE freshtrack") }
      maintenance.close()
      let applied = try await Schema.migrator.apply(on: database)
      database.close()
      return applied
    }
    if !applied.isEmpty { Terminal.say("Applied \(applied.count) migrations") }
  }

  private func demo(
    _ folder: String, _ database: Database, _ target: HTTPTarget, _ sensors: [SimulatedSensor]
  ) throws -> DemoOrganization {
    let path = "\(folder)/demo.json"
    if let demo = DemoOrganization.load(from: path) { return demo }
    let now = WallClock.system.now()
    let history = DemoHistory(before: now)
    Terminal.say("Making \(DemoPlan.organization) with \(DemoHistory.days) days of history")
    let demo = try DemoOrganization.make(on: database, now: now)
    let token = try demo.token(on: database, now: now)
    try demo.furnish(target, token: token, since: history.start - .hours(1))
    let report = history.send(to: target, key: demo.ingestKey, sensors: sensors)
    guard report.acknowledged == history.uplinkCount else {
      throw Failure(.fault, "the demo's history was not taken: \(report.line)")
    }
    try demo.save(to: path)
    return demo
  }

  private func absolute(_ path: String) throws(Failure) -> String {
    guard let resolved = realpath(path, nil) else { throw Failure(.system, "\(path): \(systemError())") }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private func variables(_ demo: DemoOrganization, _ token: String) -> String {
    "URL=http://127.0.0.1:\(port)\nORG=\(demo.organizationId)\nTOKEN=\(token)\nKEY=\(demo.ingestKey)\n"
  }

  private func banner(_ demo: DemoOrganization) -> String {
    """

    FreshTrack \(programVersion) is running: http://127.0.0.1:\(port)
    Ctrl-C stops everything; the data stays in \(folder).

      organization  \(demo.organizationId)  \(DemoPlan.organization)
      owner         \(demo.ownerId)  \(DemoPlan.ownerEmail)
      ingest key    \(demo.ingestKey)
      sensors       \(simulates ? "\(DemoPlan.units.count) simulated, an uplink every \(Int(Self.pace)) seconds" : "none")

    In another terminal, the variables URL, ORG, TOKEN (30 days) and KEY come from a file:

      . \(folder)/env
      curl -s -H "Authorization: Bearer $TOKEN" $URL/api/orgs/$ORG/units
      curl -s -H "Authorization: Bearer $TOKEN" $URL/api/orgs/$ORG/alerts
      curl -s $URL/health

    """
  }

  /// The simulated sensors, on a thread of their own.
  private final class Simulation: Sendable {
    private let stopping = Atomic<Bool>(false)
    private let ended = DispatchSemaphore(value: 0)

    init(_ target: HTTPTarget, key: String, rate: Double) {
      DispatchQueue(label: "simulation").async { [self] in
        let clock = WallClock.system
        var source = UplinkSource(
          sensors: DemoPlan.sensors(session: SecureRandom.uint64()), scenario: .normal, started: clock.now(), seed: 7)
        var plan = LoadClient.Plan(target: target, apiKey: key)
        plan.rate = rate
        plan.connections = 1
        plan.patience = .seconds(2)
        var client = LoadClient(plan, isStopping: { self.stopping.load(ordering: .relaxed) }) {
          source.next(at: clock.now())
        }
        _ = client.run { _ in }
        ended.signal()
      }
    }

    func stop() {
      stopping.store(true, ordering: .relaxed)
      ended.wait()
    }
  }
}
