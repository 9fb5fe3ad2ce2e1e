import API
import Basics
import HTTP
import HTTPClient
import HTTPServer
import Identity
import Ingest
import JSON
import Migrations
import PostgreSQL
import Runtime
import Telemetry
import TestSupport
import TheThingsStack

/// The features over a database of their own, behind a real server on a free port.
public final class House: Sendable {
  public let database: Database
  public let keys: APIKeys
  private let group = LoopGroup(count: 1)
  private let server: HTTPServer
  let port: UInt16

  /// - Parameters:
  ///   - place: a migrated database; by default a fresh one of the test process's own cluster.
  ///   - providers: by default there are none.
  ///   - writing: routes that write on the house's loop.
  ///   - limiter: how often each caller may ask.
  ///   - clock: tells when a request came.
  public init(
    on place: DatabaseConfiguration? = nil, limiter: RateLimiter = .off, clock: WallClock = .system,
    providers: Providers = .none,
    writing: @Sendable (Database, APIKeys, EventLoop) -> [Route] = { _, _, _ in [] }
  ) async throws {
    let fresh = place == nil ? try await TestCluster.database(template: Migrations.all).configuration : nil
    guard var configuration = place ?? fresh else { throw NoNetwork() }
    configuration.connectionsMax = 4
    let database = Database(configuration)
    self.database = database
    let keys = APIKeys(database: database)
    self.keys = keys
    let authenticator = Authenticator(.local, database: database, log: .none) { _ in throw NoNetwork() }
    let gate = Gate(authenticator: authenticator, keys: keys, limiter: limiter, database: database)
    let quarantine = QuarantineReplay(
      database: database, home: group.loops[0], clock: .system, log: .none, metrics: Metrics())
    let features = Features(
      database: database, gate: gate, keys: keys, limiter: limiter, providers: providers, quarantine: quarantine,
      queues: [], log: .none)
    let probe = Route(.get, "/probe/:scope", content: .any) { request in
      let scope = APIKeyScope(rawValue: request.parameter("scope")) ?? .ingest
      let key = try await keys.authenticate(request, scope: scope)
      return .json(bytes: JSONWriter.bytes { json in json.object { $0.field("organizationId", key.organizationId) } })
    }
    var settings = HTTPServerConfiguration()
    settings.port = 0
    settings.clock = clock
    settings.mapError = { error in
      switch error {
      case let error as DatabaseError where error.isUnavailable: .unavailable()
      case let error as DatabaseError:
        HTTPError(.internalServerError, "INTERNAL_ERROR", "\(error)")
      default: nil
      }
    }
    server = HTTPServer(
      routes: features.routes + [probe] + writing(database, keys, group.loops[0]), configuration: settings, log: .none,
      metrics: Metrics())
    port = try server.start(on: group).port
  }

  deinit {
    let (server, database, group) = (server, database, group)
    group.loops[0].submit {
      await server.drain(within: .zero)
      database.close()
      group.stop()
    }
  }

  private struct NoNetwork: Error {}

  public static let unsubscribeSecret = "a secret of the tests"

  // MARK: - Statements

  /// Runs `body` on an event loop, where statements run.
  public func run<R: Sendable>(_ body: @escaping @Sendable (Database) async throws -> R) async throws -> R {
    let database = database
    return try await withCheckedThrowingContinuation { continuation in
      group.loops[0].submit {
        do { continuation.resume(returning: try await body(database)) } catch { continuation.resume(throwing: error) }
      }
    }
  }

  /// Returns when all connections are there and no statement runs on any of them; throws when that takes too long.
  public func rest() async throws {
    try await run { try await Self.hold($0.configuration.connectionsMax, of: $0) }
  }

  private static func hold(_ count: Int, of database: Database) async throws {
    guard count > 0 else { return }
    try await database.withConnection { _ in try await hold(count - 1, of: database) }
  }

  @discardableResult
  public func sql(_ sql: SQL, _ parameters: [Value] = []) async throws -> Rows {
    try await run { try await $0.query(sql, parameters) }
  }

  /// Marks the hours of all readings, as everybody does who writes them.
  public func markHours() async throws {
    try await sql(
      """
      INSERT INTO rollup_marks (unit_id, hour, organization_id, due_at)
      SELECT DISTINCT unit_id, date_trunc('hour', recorded_at, 'UTC'), organization_id, now() FROM sensor_readings
      WHERE unit_id IS NOT NULL ON CONFLICT DO NOTHING
      """)
  }

  // MARK: - People

  public struct User: Sendable {
    public let id: UUID
    public let token: String

    public init(id: UUID, token: String) {
      self.id = id
      self.token = token
    }
  }

  public func user(lifetime: Duration = .hours(1), now: Instant = WallClock.system.now()) async throws -> User {
    let id = UUID.v4()
    let token = try await run { database in
      try await LocalIssuer(database: database).token(
        user: id, email: "\(id)@example.com", name: "Somebody", lifetime: lifetime, now: now)
    }
    return User(id: id, token: token)
  }

  /// A member of the organization with that role.
  public func member(_ role: Role, of organization: UUID) async throws -> User {
    let user = try await user()
    try await sql(
      "INSERT INTO user_roles (organization_id, user_id, role) VALUES ($1, $2, $3)",
      [.uuid(organization), .uuid(user.id), .text(role.rawValue)])
    return user
  }

  /// An organization with one owner, site, area and unit (33 to 41 °F).
  public struct Organization: Sendable {
    public let id: UUID
    public let owner: User
    public let site: UUID
    public let area: UUID
    public let unit: UUID

    public var path: String { "/api/orgs/\(id)" }
    public var sitePath: String { "\(path)/sites/\(site)" }
    public var areaPath: String { "\(sitePath)/areas/\(area)" }
    public var unitPath: String { "\(areaPath)/units/\(unit)" }
  }

  public func organization(_ name: String = "Joe's Diner \(UUID.v4())") async throws -> Organization {
    let owner = try await user()
    func make(_ path: String, _ body: String) async throws -> UUID {
      let answer = try await call(.post, path, as: owner, body)
      guard let id = answer.json["id"]?.string.flatMap({ UUID($0) }) else { throw Unexpected(answer: answer) }
      return id
    }
    let id = try await make("/api/orgs", #"{"name":"\#(name)"}"#)
    let site = try await make("/api/orgs/\(id)/sites", #"{"name":"Main","timezone":"America/New_York"}"#)
    let area = try await make("/api/orgs/\(id)/sites/\(site)/areas", #"{"name":"Kitchen"}"#)
    let unit = try await make(
      "/api/orgs/\(id)/sites/\(site)/areas/\(area)/units",
      #"{"name":"Fridge","unitType":"fridge","tempMin":33,"tempMax":41}"#)
    return Organization(id: id, owner: owner, site: site, area: area, unit: unit)
  }

  public struct Unexpected: Error {
    public let answer: Answer
  }

  // MARK: - Requests

  /// One request over a connection of its own.
  public func call(
    _ method: Method, _ target: String, as user: User? = nil, _ body: String? = nil, headers: [(String, String)] = []
  ) async throws -> Answer {
    var headers = headers
    if let user { headers.append(("x-stack-access-token", user.token)) }
    var text = "\(method.name) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if let body { text += "Content-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n" }
    return try Answer(exchange(port, Array((text + "\r\n" + (body ?? "")).utf8)))
  }

  /// The same with a body that is no JSON.
  public func send(
    _ method: Method, _ target: String, as user: User? = nil, _ body: [UInt8], contentType: String,
    headers: [(String, String)] = []
  ) async throws -> Answer {
    var headers = headers + [("Content-Type", contentType), ("Content-Length", "\(body.count)")]
    if let user { headers.append(("x-stack-access-token", user.token)) }
    var text = "\(method.name) \(target) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    return try Answer(exchange(port, Array((text + "\r\n").utf8) + body))
  }
}

extension Providers {
  /// None but a secret for mails.
  public static var none: Providers {
    var none = Providers(stack: StackConfiguration(http: HTTPClient(), secrets: nil), client: HTTPClient())
    none.unsubscribeSecret = House.unsubscribeSecret
    return none
  }

  /// One, set by the test.
  public static func only(_ set: (inout Providers) -> Void) -> Providers {
    var providers = none
    set(&providers)
    return providers
  }
}
