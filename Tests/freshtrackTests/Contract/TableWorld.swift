import Basics
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL
import Runtime
import Testing

@testable import StackSupport
@testable import freshtrack

/// One answer of the running program.
struct Reply: CustomStringConvertible {
  let status: Int
  let body: [UInt8]

  var json: JSONValue? { (try? JSONDocument(body))?.root }
  var badFields: [String] { json?["error"]?["details"]?.elements.compactMap { $0["path"]?.string } ?? [] }
  var isSuccess: Bool { (200..<300).contains(status) }
  /// The error without what differs from request to request.
  var error: String { "\(status) \(json?["error"]?["code"]?.string ?? "") \(json?["error"]?["message"]?.string ?? "")" }
  var description: String { "\(status) \(String(decoding: body.prefix(600), as: UTF8.self))" }
}

/// An organization with one of everything that its API can make.
final class Tenant {
  /// By the name of the path parameter: `siteId`.
  var ids: [String: String] = [:]
  var tokens: [Role: String] = [:]
  /// Of a super admin of the platform.
  var adminToken = ""
  var key = ""
  /// What was made, and how it was answered.
  var made: [(route: Route, reply: Reply)] = []

  var samples: Samples { Samples(ids: ids) }
  var owner: String { tokens[.owner] ?? "" }
}

/// The running program with its own table of routes, and two organizations. For one thread.
final class TableWorld {
  let server: Server
  let routes: [Route]
  let acme = Tenant()
  let other = Tenant()
  private let place: Place
  private let network: FakeStack
  private var problems: [String] = []
  private var callers: [String: Caller] = [:]

  private final class Caller {
    var http: PlainHTTP
    init(_ http: consuming PlainHTTP) { self.http = http }
  }

  init(_ place: Place) throws {
    self.place = place
    network = try FakeStack()
    server = try Server(
      place.settings([
        "TTN_API_URL": network.url, "PUBLIC_URL": "https://cold.example.com",
        "ENCRYPTION_KEY": String(repeating: "0a", count: 32),
      ]), work: .requests)
    routes = server.composition.routes
    for tenant in [acme, other] {
      try found(tenant)
      try appoint(tenant)
      try connect(tenant)
      try furnish(tenant)
      try alarm(tenant)
      try furnish(tenant)
    }
  }

  deinit { server.stop() }

  /// Runs `body` with the program and its two organizations, and expects that it finds no problem.
  static func run(_ body: @escaping @Sendable (TableWorld) throws -> Void) async throws {
    let place = try await Place()
    let problems = try await blocking {
      let world = try TableWorld(place)
      try body(world)
      return world.problems
    }
    #expect(problems.isEmpty, "\(problems.count) problems\n\(problems.prefix(40).joined(separator: "\n"))")
  }

  /// Notes a problem when something is not as it should be: Swift Testing does not know whose thread this is.
  func expect(_ isRight: Bool, _ problem: @autoclosure () -> String) {
    if !isRight { problems.append(problem()) }
  }

  // MARK: - Calls

  func call(_ method: Method, _ path: String, _ credential: (Credential, String)? = nil, _ body: String? = nil) throws
    -> Reply
  {
    try call(method, path, headers: credential.map { [Self.header($0, $1)] } ?? [], body)
  }

  private func call(_ method: Method, _ path: String, headers: [(String, String)], _ body: String?) throws -> Reply {
    let name = headers.map { "\($0): \($1)" }.joined()
    let caller = try callers[name] ?? Caller(PlainHTTP(target(server), headers: headers))
    callers[name] = caller
    let (status, bytes) = try caller.http.send(method.name, path, body: body.map { Array($0.utf8) })
    return Reply(status: status, body: bytes)
  }

  private static func header(_ credential: Credential, _ value: String) -> (String, String) {
    (credential.header, credential.isBearer ? "Bearer \(value)" : value)
  }

  /// What lets `tenant` use the route: the token of its owner, or its API key. Nil when the table's own people have none.
  func credential(_ route: Route, of tenant: Tenant) -> (Credential, String)? {
    guard let contract = route.contract else { return nil }
    if contract.credentials.contains(.bearer) {
      let isPlatform = contract.role.map { Role(rawValue: $0) == nil } ?? false
      return (.bearer, isPlatform ? tenant.adminToken : tenant.owner)
    }
    return contract.credentials.contains(.apiKey) ? (.apiKey, tenant.key) : nil
  }

  /// A body that is right, when the route takes one.
  func body(_ route: Route, of tenant: Tenant, with member: (name: String, json: String?)? = nil) -> String? {
    guard let body = route.contract?.body else { return nil }
    guard body.mediaType == "application/json" else { return "" }
    guard case .object(_, let properties) = body.schema.kind else { return tenant.samples.value(body.schema) }
    return tenant.samples.object(properties, (member.map { [$0] } ?? []) + (Self.unspoken[route.name] ?? []))
  }

  /// Fields that a body needs although none of them is required alone.
  private static let unspoken: [String: [(name: String, json: String?)]] = [
    "POST /api/orgs/:organizationId/escalation-contacts": [("email", "\"a@example.com\"")],
    "POST /api/orgs/:organizationId/suppressions": [
      ("startsAt", "\"2036-01-05T07:30:00Z\""), ("endsAt", "\"2036-01-05T09:30:00Z\""),
    ],
    "POST /api/orgs/:organizationId/devices/:deviceId/calibrations": [("temperatureOffset", "0.5")],
  ]

  // MARK: - Making

  private func found(_ tenant: Tenant) throws {
    let database = Database(place.database.configuration)
    let now = WallClock.system.now()
    let owner = UUID.v4()
    let (id, tokens) = try EventLoop.run {
      let organization = try await Operator(database: database).createOrganization(
        name: "Organization", owner: owner, email: "owner@example.com", timezone: "UTC", now: now)
      var tokens: [Role: String] = [:]
      for role in Role.allCases {
        let user = role == .owner ? owner : UUID.v4()
        if role != .owner {
          try await database.execute(
            "INSERT INTO user_roles (organization_id, user_id, role) VALUES ($1, $2, $3)",
            [.uuid(organization.id), .uuid(user), .text(role.rawValue)])
        }
        tokens[role] = try await LocalIssuer(database: database).token(
          user: user, email: "\(role)@example.com", name: "A \(role)", lifetime: .hours(1), now: now)
      }
      try await Self.tell(of: organization.id, database)
      database.close()
      return (organization.id, tokens)
    }
    tenant.ids["organizationId"] = id.description
    tenant.ids["field"] = "tempMax"
    tenant.tokens = tokens
  }

  /// What no request makes, but a provider or a job.
  private static func tell(of organization: UUID, _ database: Database) async throws {
    _ = try await database.pipeline([
      (
        """
        INSERT INTO subscriptions (organization_id, plan, status, current_period_end)
        VALUES ($1, 'pro', 'active', now())
        """, [.uuid(organization)]
      ),
      (
        """
        INSERT INTO notification_deliveries (organization_id, occasion, channel, recipient, provider, sent_at, status)
        VALUES ($1, 'test', 'sms', '+12025550143', 'telnyx', now(), 'sent')
        """, [.uuid(organization)]
      ),
      (
        """
        INSERT INTO assets (organization_id, asset_type, entity_id, object_key, mime_type, size, sha256, uploaded_by)
        VALUES ($1, 'site', $1, $1::text, 'image/png', 1, sha256('a'), $1)
        """, [.uuid(organization)]
      ),
    ])
  }

  private func appoint(_ tenant: Tenant) throws {
    let database = Database(place.database.configuration)
    tenant.adminToken = try EventLoop.run {
      let user = UUID.v4()
      try await database.execute(
        "INSERT INTO platform_roles (user_id, role) VALUES ($1, 'SUPER_ADMIN')", [.uuid(user)])
      let token = try await LocalIssuer(database: database).token(
        user: user, email: "admin@example.com", name: "An admin", lifetime: .hours(1), now: WallClock.system.now())
      database.close()
      return token
    }
  }

  /// With an application at The Things Stack.
  private func connect(_ tenant: Tenant) throws {
    let body = #"{"applicationId":"\#(FakeState.application)","apiKey":"\#(FakeState.key)"}"#
    let reply = try call(.put, "/api/orgs/\(tenant.ids["organizationId"] ?? "")/ttn", (.bearer, tenant.owner), body)
    expect(reply.isSuccess, "no connection: \(reply)")
  }

  /// Makes one of everything that a POST makes, and finds one of everything that a list shows.
  private func furnish(_ tenant: Tenant) throws {
    for route in routes {
      guard let contract = route.contract, let credential = credential(route, of: tenant),
        contract.role.flatMap(Role.init(rawValue:)) != nil,
        let name = element(of: route), tenant.ids[name] == nil, let path = route.path(tenant.ids)
      else { continue }
      if route.method == .post, contract.answers.contains(where: { $0.status == .created }) {
        let reply = try call(.post, path, credential, body(route, of: tenant))
        tenant.made.append((route, reply))
        tenant.ids[name] = reply.json?["id"]?.string
        if name == "siteId" { tenant.ids["entityId"] = tenant.ids[name] }
        if name == "apiKeyId" { tenant.key = reply.json?["key"]?.string ?? "" }
      } else if route.method == .get {
        let all = try call(.get, path, credential).json
        let last = all?[(all?.count ?? 0) - 1]
        tenant.ids[name] = (last?[key: name] ?? last?["id"])?.string
      }
    }
  }

  /// The parameter that names one of the collection: `siteId` for `/api/orgs/:organizationId/sites`.
  private func element(of collection: Route) -> String? {
    let prefix = collection.pattern + "/:"
    return routes.first { $0.pattern.hasPrefix(prefix) }.flatMap { route in
      route.pattern.dropFirst(prefix.count).split(separator: "/").first.map(String.init)
    }
  }

  /// The unit has been far too warm for two hours, and a sensor that nobody knows has been heard.
  private func alarm(_ tenant: Tenant) throws {
    let stranger = """
      {"end_device_ids":{"device_id":"stranger","dev_eui":\(tenant.samples.value(.text, named: "devEui")),
      "application_ids":{"application_id":"a"}},"received_at":"\(WallClock.system.now().rfc3339)",
      "uplink_message":{"f_port":2,"f_cnt":1,"frm_payload":"zBkBFgGYAQE4f/8="}}
      """
    let heard = try call(.post, "/api/webhooks/ttn", (.apiKey, tenant.key), stranger)
    expect(heard.isSuccess, "a stranger is not heard: \(heard)")
    let unit = tenant.ids["unitId"] ?? ""
    let now = WallClock.system.now()
    let readings = (1...12).map { place in
      #"{"unitId":"\#(unit)","temperature":40,"recordedAt":"\#((now - .minutes(10 * place)).rfc3339)"}"#
    }
    let body = "{\"readings\":[\(readings.joined(separator: ","))]}"
    tenant.made += try routes.filter { $0.pattern == "/api/ingest/readings" }.map { route in
      (route, try call(.post, route.pattern, (.apiKey, tenant.key), body))
    }
  }
}

extension Route {
  /// The path with these in the place of its parameters; nil when one of them is not known.
  func path(_ ids: [String: String]) -> String? {
    var parts: [String] = []
    for part in pattern.split(separator: "/", omittingEmptySubsequences: false) {
      if part.first == ":" {
        guard let id = ids[String(part.dropFirst())] else { return nil }
        parts.append(id)
      } else {
        parts.append(String(part))
      }
    }
    return parts.joined(separator: "/")
  }

  /// The path with these and with the query parameters that are required; nil when an id is not known.
  func target(_ samples: Samples) -> String? {
    let query = (contract?.query ?? []).filter(\.isRequired).map { property in
      "\(property.name)=\(samples.value(property.schema, named: property.name).filter { $0 != "\"" })"
    }
    let target = path(samples.ids).map { $0 + (query.isEmpty ? "" : "?" + query.joined(separator: "&")) }
    return target?.replacing("+", with: "%2B")
  }

  /// The path, with an id that nobody has for each that is not known.
  func anyPath(_ ids: [String: String]) -> String {
    let unknown = parameterNames.map { ($0, UUID.v4().description) }
    return path(ids.merging(unknown) { known, _ in known }) ?? pattern
  }

  var name: String { "\(method.name) \(pattern)" }
}
