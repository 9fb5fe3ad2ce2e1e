import Basics
import FeatureSupport
import Identity
import JSON
import Testing

@Suite(.serialized) struct AuthenticationTests {
  @Test func `who has a token is told who they are`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let me = try await house.call(.get, "/api/auth/me", as: organization.owner)
    #expect(me.status == 200)
    #expect(me.json["userId"]?.string == organization.owner.id.description)
    #expect(me.json["email"]?.string == "\(organization.owner.id)@example.com")
    #expect(me.json["primaryOrganizationId"]?.string == organization.id.description)
    #expect(me.json["organizations"]?[0]?["role"]?.string == "owner")
    let nobody = try await house.call(.get, "/api/auth/me", as: try await house.user())
    #expect(nobody.json["primaryOrganizationId"]?.isNull == true)
    #expect(nobody.json["organizations"]?.count == 0)
  }

  @Test func `without a token that can be believed nothing is answered`() async throws {
    let house = try await House()
    let expired = try await house.user(lifetime: .seconds(60), now: WallClock.system.now() - .hours(1))
    for user in [nil, expired, House.User(id: expired.id, token: "e30.e30.e30")] {
      let answer = try await house.call(.get, "/api/auth/me", as: user)
      #expect(answer.status == 401)
      #expect(answer.errorCode == "UNAUTHORIZED")
    }
  }

  @Test func `a bearer token wins over the other header, and an empty one counts as absent`() async throws {
    let house = try await House()
    let (one, other) = (try await house.user(), try await house.user())
    let bearer = try await house.call(
      .get, "/api/auth/me", as: other, headers: [("Authorization", "Bearer \(one.token)")])
    #expect(bearer.json["userId"]?.string == one.id.description)
    let empty = try await house.call(.get, "/api/auth/me", as: other, headers: [("Authorization", "Bearer ")])
    #expect(empty.json["userId"]?.string == other.id.description)
  }

  @Test func `who is outside learns nothing of an organization, not even whether it exists`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let stranger = try await house.user()
    let there = try await house.call(.get, organization.path, as: stranger)
    let absent = try await house.call(.get, "/api/orgs/\(UUID.v4())", as: stranger)
    #expect(there.status == 403)
    #expect(absent.status == 403)
    #expect(there.json["error"]?["message"]?.string == absent.json["error"]?["message"]?.string)
  }

  @Test func `first who, then whether, then what`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let viewer = try await house.member(.viewer, of: organization.id)
    let bad = #"{"name":"","timezone":7}"#
    #expect(try await house.call(.post, organization.path + "/sites", bad).status == 401)
    #expect(try await house.call(.post, organization.path + "/sites", as: viewer, bad).status == 403)
    let answer = try await house.call(.post, organization.path + "/sites", as: organization.owner, bad)
    #expect(answer.status == 400)
    #expect(answer.errorCode == "VALIDATION_FAILED")
    #expect(answer.badFields == ["name", "timezone"])
  }

  @Test func `a membership that ended ends access at once`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let viewer = try await house.member(.viewer, of: organization.id)
    #expect(try await house.call(.get, organization.path, as: viewer).status == 200)
    try await house.sql("DELETE FROM user_roles WHERE user_id = $1", [.uuid(viewer.id)])
    #expect(try await house.call(.get, organization.path, as: viewer).status == 403)
  }
}
