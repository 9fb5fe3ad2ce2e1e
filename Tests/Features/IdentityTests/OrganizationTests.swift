import Basics
import FeatureSupport
import JSON
import Testing

@Suite(.serialized) struct OrganizationTests {
  @Test func `who makes an organization owns it`() async throws {
    let house = try await House()
    let user = try await house.user()
    let made = try await house.call(
      .post, "/api/orgs", as: user, #"{"name":"Joe's Diner","timezone":"Europe/Berlin","complianceMode":"haccp"}"#)
    #expect(made.status == 201)
    #expect(made.json["slug"]?.string == "joe-s-diner")
    #expect(made.json["timezone"]?.string == "Europe/Berlin")
    #expect(made.json["complianceMode"]?.string == "haccp")
    #expect(made.json["sensorLimit"]?.int == 10)
    let list = try await house.call(.get, "/api/orgs", as: user)
    #expect(list.json.count == 1)
    #expect(list.json[0]?["role"]?.string == "owner")
    let id = try #require(made.json["id"]?.string)
    let members = try await house.call(.get, "/api/orgs/\(id)/members", as: user)
    #expect(members.json[0]?["email"]?.string == "\(user.id)@example.com")
  }

  @Test func `a slug that is taken comes back with free ones`() async throws {
    let house = try await House()
    let user = try await house.user()
    for slug in ["joe", "joe-3"] {
      #expect(try await house.call(.post, "/api/orgs", as: user, #"{"name":"x","slug":"\#(slug)"}"#).status == 201)
    }
    let answer = try await house.call(.post, "/api/orgs", as: user, #"{"name":"Joe"}"#)
    #expect(answer.status == 409)
    let details = answer.json["error"]?["details"]
    #expect(details?.elements.compactMap { $0["message"]?.string } == ["joe-2", "joe-4", "joe-5"])
  }

  @Test func `an unknown time zone is the fault of its field`() async throws {
    let house = try await House()
    let user = try await house.user()
    for zone in ["Mars/Olympus", "EST", "UTC+5"] {
      let answer = try await house.call(.post, "/api/orgs", as: user, #"{"name":"x","timezone":"\#(zone)"}"#)
      #expect(answer.status == 400)
      #expect(answer.badFields == ["timezone"])
    }
  }

  @Test func `an update keeps what it does not name, and takes an admin`() async throws {
    let house = try await House()
    let organization = try await house.organization("Old")
    let manager = try await house.member(.manager, of: organization.id)
    #expect(try await house.call(.put, organization.path, as: manager, #"{"name":"New"}"#).status == 403)
    let admin = try await house.member(.admin, of: organization.id)
    let answer = try await house.call(.patch, organization.path, as: admin, #"{"logoUrl":"https://x/y"}"#)
    #expect(answer.status == 200)
    #expect(answer.json["name"]?.string == "Old")
    #expect(answer.json["logoUrl"]?.string == "https://x/y")
    let cleared = try await house.call(.put, organization.path, as: organization.owner, #"{"logoUrl":null}"#)
    #expect(cleared.json["logoUrl"]?.isNull == true)
    let nameless = try await house.call(.put, organization.path, as: organization.owner, #"{"name":null}"#)
    #expect(nameless.badFields == ["name"])
  }
}
