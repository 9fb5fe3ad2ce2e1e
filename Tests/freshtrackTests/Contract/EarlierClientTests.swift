import Basics
import HTTP
import HTTPServer
import Identity
import JSON
import Testing

@testable import freshtrack

/// The REST client of the first self-hosted release, whose calls this server answers as it expects.
@Suite("The client of the first release")
struct EarlierClientTests {
  /// It sends its token in `x-stack-access-token`, and reads only some fields of each answer.
  private struct Client {
    let world: TableWorld
    let token: String

    /// Expects `status`, and `fields` in the answer or in the first element of its list.
    @discardableResult
    func call(
      _ method: Method, _ path: String, _ body: String? = nil, _ status: Int = 200, reads fields: [String] = []
    ) throws -> JSONValue? {
      let reply = try world.call(method, "/" + path, (.stackAccessToken, token), body)
      world.expect(reply.status == status, "\(method.name) \(path): \(reply)")
      if status == 204 { world.expect(reply.body.isEmpty, "\(method.name) \(path): \(reply)") }
      let object = reply.json?.kind == .array ? reply.json?[0] : reply.json
      for field in fields {
        world.expect(object?[key: field] != nil, "\(method.name) \(path): no \(field) in \(reply)")
      }
      return reply.json
    }
  }

  @Test("identity and organization") func identity() async throws {
    try await TableWorld.run { world in
      let client = Client(world: world, token: world.acme.owner)
      let organization = world.acme.ids["organizationId"] ?? ""
      let me = try client.call(
        .get, "api/auth/me", reads: ["primaryOrganizationId", "organizations", "userId", "email", "displayName"])
      world.expect(me?["primaryOrganizationId"]?.string == organization, "another organization comes first")
      world.expect(
        me?["organizations"]?[0]?["organizationId"]?.string == organization, "organizations[].organizationId")
      world.expect(me?["organizations"]?[0]?["role"]?.string == "owner", "organizations[].role")
      let root = "api/orgs/\(organization)"
      try client.call(.get, root, reads: ["name", "logoUrl"])
      try client.call(
        .put, root,
        #"{"name":"Diner","timezone":"Europe/Berlin","complianceMode":"haccp","logoUrl":"https://a.example/l.png"}"#,
        reads: ["id", "name", "slug", "timezone", "complianceMode", "logoUrl"])
      try client.call(.get, root + "/members", reads: ["userId", "email", "fullName", "role", "joinedAt"])
    }
  }

  @Test("sites, areas and units are read, made, changed and deleted") func places() async throws {
    try await TableWorld.run { world in
      let client = Client(world: world, token: world.acme.owner)
      let sites = "api/orgs/\(world.acme.ids["organizationId"] ?? "")/sites"
      try client.call(.get, sites, reads: ["id", "name"])
      let site = try client.call(
        .post, sites, #"{"name":"Harbor","address":"1 Quay","city":"Portland","timezone":"UTC"}"#, 201, reads: ["id"])
      let one = "\(sites)/\(site?["id"]?.string ?? "")"
      try client.call(.get, one, reads: ["id", "organizationId", "name", "address", "timezone", "isActive"])
      let moved = try client.call(
        .put, one, #"{"latitude":"43.6591","longitude":"-70.2568","timezone":"America/New_York"}"#)
      world.expect(moved?["latitude"]?.double == 43.6591 && moved?["name"]?.string == "Harbor", "the site is not moved")

      try client.call(.get, one + "/areas")
      let area = try client.call(
        .post, one + "/areas", #"{"name":"Kitchen","description":"Hot","sortOrder":3}"#, 201, reads: ["id", "siteId"])
      let kitchen = "\(one)/areas/\(area?["id"]?.string ?? "")"
      try client.call(.get, one + "/areas", reads: ["id", "name"])
      try client.call(.get, kitchen, reads: ["id", "siteId", "name", "description", "sortOrder", "isActive"])
      let renamed = try client.call(.put, kitchen, #"{"name":"Cold kitchen"}"#)
      world.expect(renamed?["sortOrder"]?.int == 3, "a field that was not sent has changed")

      let unit = try client.call(
        .post, kitchen + "/units",
        #"{"name":"Fridge","unitType":"fridge","tempMin":33,"tempMax":41,"tempUnit":"F","sortOrder":1}"#, 201,
        reads: ["id", "areaId"])
      let fridge = "\(kitchen)/units/\(unit?["id"]?.string ?? "")"
      try client.call(.get, kitchen + "/units", reads: ["id", "name", "unitType", "status"])
      try client.call(
        .get, fridge, reads: ["id", "tempMin", "tempMax", "tempUnit", "lastReadingAt", "lastTemperature"])
      try client.call(.put, fridge, #"{"tempMax":42}"#, reads: ["tempMax"])
      try client.call(.delete, fridge, nil, 204)
      try client.call(.delete, kitchen, nil, 204)
      try client.call(.delete, one, nil, 204)
      try client.call(.get, one, nil, 404, reads: ["error"])
    }
  }

  @Test("readings by page and as the latest, alerts by repeated status") func readingsAndAlerts() async throws {
    try await TableWorld.run { world in
      let client = Client(world: world, token: world.acme.owner)
      let ids = world.acme.ids
      let root = "api/orgs/\(ids["organizationId"] ?? "")"
      let unit = "\(root)/sites/\(ids["siteId"] ?? "")/areas/\(ids["areaId"] ?? "")/units/\(ids["unitId"] ?? "")"
      let end = WallClock.system.now()
      let range = "start=\((end - .hours(24)).rfc3339)&end=\(end.rfc3339)"
      let first = try client.call(
        .get, "\(unit)/readings?page=1&limit=5&\(range)", reads: ["id", "unitId", "temperature", "recordedAt"])
      let third = try client.call(.get, "\(unit)/readings?page=3&limit=5&\(range)")
      world.expect(
        first?.count == 5 && third?.count == 2,
        "the pages of 12 readings are \(first?.count ?? 0), \(third?.count ?? 0)")
      try client.call(.get, "\(unit)/readings?limit=1", reads: ["id", "temperature"])

      let open = "page=1&limit=20&status=active&status=acknowledged"
      let place = "unitId=\(ids["unitId"] ?? "")&siteId=\(ids["siteId"] ?? "")"
      let alerts = try client.call(
        .get, "\(root)/alerts?\(open)&\(place)",
        reads: ["id", "unitId", "alertType", "severity", "status", "triggeredAt"])
      world.expect(alerts?.count ?? 0 > 0, "no alert")
      world.expect(try client.call(.get, "\(root)/alerts?\(open)&siteId=\(UUID.v4())")?.count == 0, "siteId is ignored")
      let alert = "\(root)/alerts/\(ids["alertId"] ?? "")"
      try client.call(.get, alert, reads: ["id", "status", "message"])
      try client.call(.post, alert + "/acknowledge", "{}")
      let again = try client.call(.post, alert + "/acknowledge", #"{"notes":"On my way"}"#, 409)
      world.expect(again?["error"]?["message"]?.string?.isEmpty == false, "an error without a message")
      try client.call(
        .post, alert + "/resolve", #"{"resolution":"Closed the door","correctiveAction":"Moved the food"}"#)
    }
  }

  /// What Stripe answers is in the tests of Billing.
  @Test("payments, on an installation without Stripe") func payments() async throws {
    try await TableWorld.run { world in
      let client = Client(world: world, token: world.acme.owner)
      let payments = "api/orgs/\(world.acme.ids["organizationId"] ?? "")/payments"
      try client.call(
        .get, payments + "/subscription",
        reads: [
          "id", "plan", "status", "sensorLimit", "currentSensorCount", "trialEndsAt", "currentPeriodEnd",
          "stripeCustomerId", "stripeSubscriptionId",
        ])
      for (path, body) in [("/checkout", #"{"plan":"pro"}"#), ("/portal", "{}")] {
        let refused = try client.call(.post, payments + path, body, 503)
        world.expect(refused?["error"]?["code"]?.string == "NOT_CONFIGURED", "\(path) says something else")
        world.expect(refused?["error"]?["message"]?.string?.isEmpty == false, "\(path): an error without a message")
      }
    }
  }
}
