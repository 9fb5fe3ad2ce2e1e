import HTTP
import HTTPServer
import JSON
import Testing

@testable import freshtrack

@Suite("The description of the API")
struct DescriptionTests {
  @Test("it names every route of the table, and nothing else") func completeness() async throws {
    try await TableWorld.run { world in
      let paths = try world.call(.get, "/api/openapi.json").json?["paths"]
      let page = String(decoding: try world.call(.get, "/api/docs").body, as: UTF8.self)
      var described: [String] = []
      var ids: Set<String> = []
      for (path, operations) in Self.members(paths) {
        for (method, operation) in Self.members(operations) {
          let name = "\(method.uppercased()) \(path)"
          described.append(name)
          world.expect(operation["summary"]?.string?.isEmpty == false, "\(name) has no summary")
          let id = operation["operationId"]?.string ?? ""
          world.expect(ids.insert(id).inserted, "\(id) is the name of two operations")
          world.expect(page.contains("id=\"\(id)\""), "\(name) is not on the page")
        }
      }
      let served = world.routes.map { route in
        route.parameterNames.reduce(route.name) { $0.replacing(":\($1)", with: "{\($1)}") }
      }
      world.expect(described.sorted() == served.sorted(), "\(Set(served).symmetricDifference(described))")
    }
  }

  private static func members(_ object: JSONValue?) -> [(key: String, value: JSONValue)] {
    object.map { $0.members.map { ($0.key, $0.value) } } ?? []
  }

  @Test("answers hold what it says") func answers() async throws {
    try await TableWorld.run { world in
      for (route, reply) in world.acme.made { Self.check(route, reply, world) }
      let made = world.acme.made.filter(\.reply.isSuccess).map(\.route.name)
      for route in Self.order(world.routes) where !Self.isStream(route) && !made.contains(route.name) {
        if Self.needsMail(route) { continue }
        guard let path = route.target(world.acme.samples) else {
          world.expect(Self.unreached.contains(route.name), "\(route.name): nothing to ask for")
          continue
        }
        let reply = try world.call(
          route.method, path, world.credential(route, of: world.acme), world.body(route, of: world.acme))
        Self.check(route, reply, world)
      }
    }
  }

  @Test("every write is in the audit log: who, what, by which request and from where") func audited() async throws {
    try await TableWorld.run { world in
      let audit = "/api/orgs/\(world.acme.ids["organizationId"] ?? "")/audit?limit=1"
      let owner = (Credential.bearer, world.acme.owner)
      var recorded = 0
      for route in Self.order(world.routes)
      where route.method != .get && route.pattern.hasPrefix("/api/orgs/:organizationId") {
        guard let credential = world.credential(route, of: world.acme), credential.0 == .bearer,
          let path = route.target(world.acme.samples)
        else { continue }
        let before = try world.call(.get, audit, owner).json?[0]?["seq"]?.int ?? 0
        let reply = try world.call(route.method, path, credential, world.body(route, of: world.acme))
        guard reply.isSuccess, !Self.asks.contains(route.name) else { continue }
        guard let entry = try world.call(.get, audit, owner).json?[0], (entry["seq"]?.int ?? 0) > before else {
          world.expect(false, "\(route.name) left no entry: \(reply)")
          continue
        }
        recorded += 1
        world.expect(
          entry["actorId"]?.string != nil && entry["requestId"]?.string != nil && entry["ipAddress"]?.string != nil
            && entry["eventType"]?.string?.isEmpty == false, "\(route.name): \(entry["eventType"]?.string ?? "no type")"
        )
      }
      world.expect(recorded > 40, "only \(recorded) writes were seen")
      let verified = try world.call(.get, "/api/orgs/\(world.acme.ids["organizationId"] ?? "")/audit/verify", owner)
      world.expect(verified.json?["valid"]?.bool == true, "\(verified)")
    }
  }

  /// They are POST because they ask the network, and write nothing that anybody decided.
  private static let asks: Set<String> = [
    "POST /api/orgs/:organizationId/ttn/test", "POST /api/orgs/:organizationId/ttn/gateways/:gateway/status",
  ]

  /// Routes that no example gets through.
  private static let unreached: Set<String> = [
    // They need a provider.
    "GET /api/orgs/:organizationId/assets/:assetId/content",
    "POST /api/orgs/:organizationId/assets/upload",
    "POST /api/orgs/:organizationId/payments/checkout",
    "POST /api/orgs/:organizationId/payments/portal",
    "POST /api/webhooks/stripe",
    "POST /api/webhooks/telnyx",
    // The device of the example is at no network.
    "POST /api/orgs/:organizationId/devices/:deviceId/settings-requests",
    "POST /api/orgs/:organizationId/devices/:deviceId/downlinks",
  ]

  /// What reads, what changes, what makes; then what deletes, from the leaves to the root, each brought back at once.
  /// What cannot be brought back is left out.
  private static func order(_ routes: [Route]) -> [Route] {
    let routes = routes.filter { !$0.pattern.hasSuffix("/purge") }
    func isRestore(_ route: Route) -> Bool { route.pattern.hasSuffix("/restore") }
    let deletions = routes.reversed().filter { $0.method == .delete }.flatMap { deletion in
      [deletion] + routes.filter { $0.pattern == deletion.pattern + "/restore" }
    }
    return [.get, .put, .patch, .post].flatMap { method in routes.filter { $0.method == method && !isRestore($0) } }
      + deletions
  }

  /// It takes a token that only a mail tells.
  private static func needsMail(_ route: Route) -> Bool {
    var body: [Shape.Property] = []
    if case .object(_, let properties)? = route.contract?.body?.schema.kind { body = properties }
    return (body + (route.contract?.query ?? [])).contains { $0.name == "token" && $0.isRequired }
  }

  private static func isStream(_ route: Route) -> Bool {
    route.contract?.answers.contains { $0.body?.mediaType == "text/event-stream" } ?? true
  }

  private static func check(_ route: Route, _ reply: Reply, _ world: TableWorld) {
    guard let contract = route.contract else { return }
    guard let answer = contract.answers.first(where: { Int($0.status.code) == reply.status }) else {
      return world.expect(unreached.contains(route.name), "\(route.name): \(reply)")
    }
    world.expect(!unreached.contains(route.name), "\(route.name) is reached after all")
    guard let body = answer.body else {
      return world.expect(reply.body.isEmpty, "\(route.name): \(reply)")
    }
    guard body.mediaType == "application/json" else { return }
    let faults = reply.json.map { body.schema.faults(in: $0) } ?? ["no JSON"]
    world.expect(faults.isEmpty, "\(route.name): \(faults.prefix(5)) \(reply)")
  }
}
