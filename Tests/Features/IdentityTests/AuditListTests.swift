import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Testing

@Suite(.serialized) struct AuditListTests {
  private func list(_ house: House, _ organization: House.Organization, _ query: String = "") async throws -> Answer {
    try await house.call(.get, organization.path + "/audit" + query, as: organization.owner)
  }

  private func events(_ answer: Answer) -> [String] { answer.json.elements.compactMap { $0["eventType"]?.string } }

  @Test func `an entry says what was done to what, by whom, from where`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await house.call(
      .put, organization.unitPath, as: organization.owner, #"{"name":"Freezer"}"#,
      headers: [("X-Request-Id", "r-1"), ("User-Agent", "tests/1")])
    let entry = try #require(try await list(house, organization).json[0])
    let expected: [(String, String)] = [
      ("eventType", "unit.updated"), ("category", "settings"), ("severity", "info"), ("title", "Unit updated: Freezer"),
      ("organizationId", organization.id.description), ("siteId", organization.site.description),
      ("areaId", organization.area.description), ("unitId", organization.unit.description), ("siteName", "Main"),
      ("areaName", "Kitchen"), ("unitName", "Freezer"), ("actorId", organization.owner.id.description),
      ("actorType", "user"), ("actorName", "Somebody"), ("actorEmail", "\(organization.owner.id)@example.com"),
      ("ipAddress", "127.0.0.1"), ("userAgent", "tests/1"), ("requestId", "r-1"), ("entityType", "unit"),
    ]
    for (name, value) in expected { #expect(entry[key: name]?.string == value, "\(name)") }
    #expect(entry["eventData"]?["before"]?["name"]?.string == "Fridge")
    #expect(entry["eventData"]?["after"]?["name"]?.string == "Freezer")
    #expect(entry["recordedAt"]?.string.flatMap { Instant(rfc3339: $0) } != nil)
  }

  @Test func `filters take what they say`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let admin = try await house.member(.admin, of: organization.id)
    _ = try await house.call(.post, organization.path + "/sites", as: admin, #"{"name":"Second"}"#)
    _ = try await house.call(
      .post, organization.path + "/invitations", as: admin, #"{"email":"a@b.de","role":"staff"}"#)
    for (query, expected) in [
      ("?siteId=\(organization.site)", ["unit.created", "area.created", "site.created"]),
      ("?areaId=\(organization.area)", ["unit.created", "area.created"]),
      ("?unitId=\(organization.unit)", ["unit.created"]),
      ("?actorId=\(admin.id)", ["invitation.created", "site.created"]),
      ("?category=user_action", ["invitation.created"]),
      ("?eventType=site.created", ["site.created", "site.created"]), ("?entityType=area", ["area.created"]),
      ("?actorId=\(admin.id)&category=settings", ["site.created"]), ("?start=2999-01-01T00:00:00Z", []),
      ("?end=2001-01-01T00:00:00Z", []), ("?unitId=\(UUID.v4())", []),
    ] {
      let answer = try await list(house, organization, query)
      #expect(events(answer) == expected, "\(query) \(answer)")
    }
    let wrong = try await list(house, organization, "?siteId=x&category=y&limit=0&cursor=-1")
    #expect(wrong.badFields.sorted() == ["category", "cursor", "limit", "siteId"])
  }

  @Test func `pages follow each other by their links, without gap or repetition`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    for number in 0..<7 {
      _ = try await house.call(.post, organization.path + "/sites", as: organization.owner, #"{"name":"S\#(number)"}"#)
    }
    var seen: [Int64] = []
    var target = organization.path + "/audit?limit=4&category=settings"
    for _ in 0..<5 {
      let page = try await house.call(.get, target, as: organization.owner)
      seen += page.json.elements.compactMap { $0["seq"]?.int }
      guard let link = page.headers["link"] else { break }
      #expect(link.hasSuffix(#">; rel="next""#))
      target = String(link.dropFirst().prefix { $0 != ">" })
      // What comes meanwhile does not move the pages.
      _ = try await house.call(.put, organization.sitePath, as: organization.owner, #"{"name":"Again"}"#)
    }
    #expect(seen == Array((1...11).reversed()))
  }

  @Test func `each organization has its own`() async throws {
    let house = try await House()
    let (one, other) = (try await house.organization(), try await house.organization())
    #expect(try await list(house, one, "?siteId=\(other.site)").json.count == 0)
    #expect(try await house.call(.get, other.path + "/audit", as: one.owner).status == 403)
  }
}
