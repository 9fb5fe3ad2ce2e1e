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
      for route in Self.order(world.routes) where !Self.isStream(route) {
        guard let path = route.path(world.acme.ids) else {
          world.expect(Self.unreached.contains(route.name), "\(route.name): nothing to ask for")
          continue
        }
        let reply = try world.call(
          route.method, path, world.credential(route, of: world.acme), world.body(route, of: world.acme))
        Self.check(route, reply, world)
      }
    }
  }

  /// Routes that no example gets through.
  private static let unreached: Set<String> = [
    // There is one policy for each type of alert already.
    "POST /api/orgs/:organizationId/notification-policies",
    // They need a provider.
    "GET /api/orgs/:organizationId/assets/:assetId/content",
    "POST /api/orgs/:organizationId/assets/upload",
    "POST /api/orgs/:organizationId/payments/checkout",
    "POST /api/orgs/:organizationId/payments/portal",
    "POST /api/webhooks/stripe",
    "POST /api/webhooks/telnyx",
    // Its field is no id.
    "DELETE /api/orgs/:organizationId/alert-rules/:ruleId/fields/:field",
    // The device of the example is at no network.
    "POST /api/orgs/:organizationId/devices/:deviceId/settings-requests",
    "POST /api/orgs/:organizationId/devices/:deviceId/downlinks",
  ]

  /// What reads, what changes, what makes; then what deletes, from the leaves to the root, each brought back at once.
  private static func order(_ routes: [Route]) -> [Route] {
    func isRestore(_ route: Route) -> Bool { route.pattern.hasSuffix("/restore") }
    let deletions = routes.reversed().filter { $0.method == .delete }.flatMap { deletion in
      [deletion] + routes.filter { $0.pattern == deletion.pattern + "/restore" }
    }
    return [.get, .put, .patch, .post].flatMap { method in routes.filter { $0.method == method && !isRestore($0) } }
      + deletions
  }

  private static func isStream(_ route: Route) -> Bool {
    route.contract?.answers.contains { $0.body?.mediaType == "text/event-stream" } ?? true
  }

  private static func check(_ route: Route, _ reply: Reply, _ world: TableWorld) {
    guard let contract = route.contract else { return }
    guard let answer = contract.answers.first(where: { Int($0.status.code) == reply.status }) else {
      return world.expect(unreached.contains(route.name), "\(route.name): \(reply)")
    }
    guard let body = answer.body else {
      return world.expect(reply.body.isEmpty, "\(route.name): \(reply)")
    }
    guard body.mediaType == "application/json" else { return }
    let faults = reply.json.map { body.schema.faults(in: $0) } ?? ["no JSON"]
    world.expect(faults.isEmpty, "\(route.name): \(faults.prefix(5)) \(reply)")
  }
}
