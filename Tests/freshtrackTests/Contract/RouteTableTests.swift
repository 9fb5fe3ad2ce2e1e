import Basics
import HTTP
import HTTPServer
import Identity
import JSON
import Testing

@testable import freshtrack

/// Calls every route of the program in every way that must be refused. A new route is called without a line here.
@Suite("Every route of the table")
struct RouteTableTests {
  private static func isGuarded(_ route: Route) -> Bool { route.contract.map { !$0.credentials.isEmpty } ?? false }

  /// A parameter of the path that an organization's things are named by.
  private static func things(of route: Route) -> [String] {
    route.parameterNames.filter { $0.hasSuffix("Id") && $0 != "organizationId" }
  }

  @Test("nobody passes without a credential") func anonymous() async throws {
    try await TableWorld.run { world in
      for route in world.routes where Self.isGuarded(route) {
        let reply = try world.call(
          route.method, route.anyPath(world.acme.ids), nil, world.body(route, of: world.acme))
        world.expect(reply.status == 401, "\(route.name) \(reply)")
      }
    }
  }

  @Test("nobody passes into an organization of others") func strangers() async throws {
    try await TableWorld.run { world in
      for route in world.routes where route.contract?.role != nil {
        let reply = try world.call(
          route.method, route.anyPath(world.acme.ids), (.bearer, world.other.owner),
          world.body(route, of: world.acme))
        world.expect(reply.status == 403, "\(route.name) \(reply)")
      }
    }
  }

  @Test("a role below the one that is needed does not pass") func roles() async throws {
    try await TableWorld.run { world in
      for route in world.routes {
        guard let minimum = route.contract?.role.flatMap(Role.init(rawValue:)) else { continue }
        for role in Role.allCases where !role.satisfies(minimum) {
          let reply = try world.call(
            route.method, route.anyPath(world.acme.ids), (.bearer, world.acme.tokens[role] ?? ""),
            world.body(route, of: world.acme))
          world.expect(reply.status == 403, "\(role) \(route.name) \(reply)")
        }
      }
    }
  }

  @Test("an id that is no UUID is named") func malformedIds() async throws {
    try await TableWorld.run { world in
      for route in world.routes {
        guard let credential = world.credential(route, of: world.acme) else { continue }
        for parameter in route.parameterNames where parameter.hasSuffix("Id") {
          let path = route.anyPath(world.acme.ids.merging([parameter: "nonsense"]) { $1 })
          let reply = try world.call(route.method, path, credential, world.body(route, of: world.acme))
          world.expect(reply.status == 400 && reply.badFields == [parameter], "\(route.name) \(reply)")
        }
      }
    }
  }

  @Test("every field of a body that is wrong is named") func malformedBodies() async throws {
    try await TableWorld.run { world in
      for route in world.routes {
        guard let credential = world.credential(route, of: world.acme), let body = route.contract?.body,
          body.mediaType == "application/json"
        else { continue }
        let path = route.anyPath(world.acme.ids)
        let noJSON = try world.call(route.method, path, credential, "{")
        world.expect(noJSON.status == 400, "\(route.name) { \(noJSON)")
        guard case .object = body.schema.kind else { continue }
        for fault in world.acme.samples.faults(of: body.schema) {
          let reply = try world.call(route.method, path, credential, fault.json)
          let isNamed = fault.place.isEmpty || reply.badFields.contains { Self.isSame($0, fault.place) }
          world.expect(
            reply.status == 400 && isNamed, "\(route.name) \(fault.place) in \(fault.json.prefix(400)): \(reply)")
        }
      }
    }
  }

  /// One lies in the other: a list is wrong as a whole, or one of its elements.
  private static func isSame(_ a: String, _ b: String) -> Bool {
    a == b || a.hasPrefix(b + "/") || b.hasPrefix(a + "/")
  }

  @Test("every parameter of a query that is wrong is named") func malformedQueries() async throws {
    try await TableWorld.run { world in
      for route in world.routes {
        guard let credential = world.credential(route, of: world.acme) else { continue }
        // With a valid key a webhook takes everything.
        guard !route.pattern.hasPrefix("/api/webhooks/") else { continue }
        for parameter in route.contract?.query ?? [] {
          let schema: Shape =
            if case .array(let element, _) = parameter.schema.kind { element } else { parameter.schema }
          let values = world.acme.samples.simple(schema).filter { $0.first == "\"" || schema.isNumber }
          for value in values where value != "\"\"" {
            let text = value.filter { $0 != "\"" }.replacing("\\u0000", with: "%00")
            let path = "\(route.anyPath(world.acme.ids))?\(parameter.name)=\(text)"
            let reply = try world.call(route.method, path, credential, world.body(route, of: world.acme))
            let isNamed = reply.badFields.contains { Self.isSame($0, parameter.name) } || text == "%00"
            world.expect(reply.status == 400 && isNamed, "\(route.name)?\(parameter.name)=\(text.prefix(80)): \(reply)")
          }
        }
      }
    }
  }

  /// A list below something that is not there is empty.
  private static let emptyLists: Set = [
    "GET /api/orgs/:organizationId/sites/:siteId/areas", "GET /api/orgs/:organizationId/alert-rules/:ruleId/history",
  ]

  @Test("what is not there is not found, and what others have looks the same") func foreignIds() async throws {
    try await TableWorld.run { world in
      for route in world.routes where !Self.emptyLists.contains(route.name) {
        guard let credential = world.credential(route, of: world.acme) else { continue }
        for parameter in Self.things(of: route) {
          func ask(_ id: String?) throws -> Reply {
            let ids = world.acme.ids.merging(id.map { [parameter: $0] } ?? [:]) { $1 }
            return try world.call(
              route.method, route.anyPath(ids), credential, world.body(route, of: world.acme))
          }
          let unknown = try ask(UUID.v4().description)
          world.expect(unknown.status == 404, "\(route.name) \(parameter) \(unknown)")
          world.expect(
            world.other.ids[parameter] != nil || Self.unmade.contains(parameter), "no \(parameter) to ask for")
          let foreign = try ask(world.other.ids[parameter])
          world.expect(foreign.error == unknown.error, "\(route.name) \(parameter) \(foreign)")
        }
      }
    }
  }

  /// Things that no example makes.
  private static let unmade: Set<String> = []

  @Test("ids of others in a body or a query are refused") func foreignReferences() async throws {
    try await TableWorld.run { world in
      for route in world.routes where route.contract?.role != nil {
        guard let credential = world.credential(route, of: world.acme), let contract = route.contract,
          let path = route.path(world.acme.ids)
        else { continue }
        if case .object(_, let properties)? = contract.body?.schema.kind {
          for property in properties {
            guard let id = Self.reference(property, world.other.ids) else { continue }
            func ask(_ id: String?) throws -> Reply {
              try world.call(
                route.method, path, credential, world.body(route, of: world.acme, with: (property.name, id)))
            }
            let foreign = try ask(id)
            world.expect((400..<500).contains(foreign.status), "\(route.name) \(property.name): \(foreign)")
            let own = try ask(Self.reference(property, world.acme.ids))
            let isTaken =
              own.isSuccess || own.status == 409 && foreign.status != 409
              || Self.unreached.contains("\(route.name) \(property.name)")
            world.expect(isTaken, "\(route.name) \(property.name) of our own: \(own)")
          }
        }
        for property in contract.query {
          guard route.method == .get, let id = world.other.ids[property.name], property.schema.kind == .uuid else {
            continue
          }
          let reply = try world.call(.get, "\(path)?\(property.name)=\(id)", credential)
          world.expect(
            reply.json?.count == 0 || (400..<500).contains(reply.status), "\(route.name) \(property.name) \(reply)")
        }
      }
    }
  }

  /// References that an example is refused with for another reason, so that the refusal of a foreign one shows nothing.
  private static let unreached: Set<String> = [
    // The slot is taken by the first.
    "POST /api/orgs/:organizationId/dashboard-layouts entityId",
    // It needs an address too.
    "POST /api/orgs/:organizationId/escalation-contacts userId",
  ]

  /// An id of `ids`, or a list of one, when the property holds such.
  private static func reference(_ property: Shape.Property, _ ids: [String: String]) -> String? {
    switch property.schema.kind {
    case .uuid: ids[property.name].map { "\"\($0)\"" }
    case .array(let element, _) where element.kind == .uuid: ids[String(property.name.dropLast())].map { "[\"\($0)\"]" }
    default: nil
    }
  }
}

extension Shape {
  fileprivate var isNumber: Bool {
    switch kind {
    case .integer, .number, .bool: true
    default: false
    }
  }
}
