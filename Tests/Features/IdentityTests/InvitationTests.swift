import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import Testing

@Suite(.serialized) struct InvitationTests {
  private func invite(
    _ house: House, _ organization: House.Organization, as user: House.User, _ role: Role = .staff,
    email: String = "new@example.com"
  ) async throws -> Answer {
    try await house.call(
      .post, organization.path + "/invitations", as: user, #"{"email":"\#(email)","role":"\#(role.rawValue)"}"#)
  }

  private func accept(_ house: House, _ token: String, as user: House.User) async throws -> Answer {
    try await house.call(.post, "/api/invitations/accept", as: user, #"{"token":"\#(token)"}"#)
  }

  @Test func `who holds the token becomes a member, once`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await invite(house, organization, as: organization.owner)
    #expect(made.status == 201)
    #expect(made.json["status"]?.string == "pending")
    let token = try #require(made.json["token"]?.string)
    let guest = try await house.user()
    let accepted = try await accept(house, token, as: guest)
    #expect(accepted.status == 200)
    #expect(accepted.json["organizationId"]?.string == organization.id.description)
    #expect(accepted.json["role"]?.string == "staff")
    #expect(try await house.call(.get, organization.path, as: guest).status == 200)
    #expect(try await accept(house, token, as: try await house.user()).status == 410)
    let list = try await house.call(.get, organization.path + "/invitations", as: organization.owner)
    #expect(list.json[0]?["status"]?.string == "accepted")
    #expect(list.json[0]?["acceptedBy"]?.string == guest.id.description)
  }

  @Test func `the token is nowhere but in the first answer`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let token = try #require(try await invite(house, organization, as: organization.owner).json["token"]?.string)
    #expect(token.utf8.count == 47)
    let list = try await house.call(.get, organization.path + "/invitations", as: organization.owner)
    #expect(!String(decoding: list.body, as: UTF8.self).contains(token))
    let rows = try await house.sql(
      "SELECT (SELECT string_agg(i::text, '') FROM invitations i) || (SELECT string_agg(e::text, '') FROM event_logs e)"
    )
    #expect(try rows.first?.text(0).contains(token) == false)
    #expect(try await house.sql("SELECT FROM event_logs WHERE after::text LIKE '%token_hash%'").isEmpty)
  }

  @Test func `of many who use one token at the same time one comes in`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let token = try #require(try await invite(house, organization, as: organization.owner).json["token"]?.string)
    var guests: [House.User] = []
    for _ in 0..<6 { guests.append(try await house.user()) }
    let answers = try await withThrowingTaskGroup(of: Int.self) { group in
      for guest in guests { group.addTask { try await accept(house, token, as: guest).status } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.sorted() == [200, 410, 410, 410, 410, 410])
  }

  @Test(
    arguments: [
      (Role.owner, Role.owner, 201), (.owner, .admin, 201), (.admin, .admin, 201), (.admin, .inspector, 201),
      (.admin, .owner, 403), (.manager, .viewer, 403), (.staff, .viewer, 403), (.viewer, .viewer, 403),
      (.inspector, .viewer, 403),
    ])
  func `nobody invites to more than they are`(inviter: Role, role: Role, status: Int) async throws {
    let house = try await House()
    let organization = try await house.organization()
    let member = try await house.member(inviter, of: organization.id)
    #expect(try await invite(house, organization, as: member, role).status == status)
  }

  @Test func `an invitation ends with its time, by being revoked, and with the right of its inviter`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let admin = try await house.member(.admin, of: organization.id)
    let guest = try await house.user()
    let expired = try await invite(house, organization, as: admin, email: "a@example.com")
    try await house.sql("UPDATE invitations SET created_at = now() - interval '8 days', expires_at = now()")
    #expect(try await accept(house, expired.json["token"]?.string ?? "", as: guest).status == 410)

    let revoked = try await invite(house, organization, as: admin, email: "b@example.com")
    let path = organization.path + "/invitations/\(revoked.json["id"]?.string ?? "")"
    #expect(try await house.call(.delete, path, as: admin).status == 204)
    #expect(try await house.call(.delete, path, as: admin).status == 404)
    #expect(try await accept(house, revoked.json["token"]?.string ?? "", as: guest).status == 410)

    let orphaned = try await invite(house, organization, as: admin, email: "c@example.com")
    _ = try await house.call(.delete, "\(organization.path)/members/\(admin.id)", as: organization.owner)
    #expect(try await accept(house, orphaned.json["token"]?.string ?? "", as: guest).status == 410)
    #expect(try await accept(house, "fti_" + String(repeating: "A", count: 43), as: guest).status == 404)
    #expect(try await house.call(.get, organization.path, as: guest).status == 403)
  }

  @Test func `one open invitation for an address, whatever its case, and a new one after it has expired`() async throws
  {
    let house = try await House()
    let organization = try await house.organization()
    let owner = organization.owner
    #expect(try await invite(house, organization, as: owner, email: "New@Example.com").status == 201)
    #expect(try await invite(house, organization, as: owner, email: "new@example.com").status == 409)
    try await house.sql("UPDATE invitations SET created_at = now() - interval '8 days', expires_at = now()")
    #expect(try await invite(house, organization, as: owner, email: "new@example.com").status == 201)
    #expect(try await invite(house, organization, as: owner, email: "\(owner.id)@example.com").status == 409)
  }

  @Test func `a member gains nothing by an invitation`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let viewer = try await house.member(.viewer, of: organization.id)
    let token = try #require(
      try await invite(house, organization, as: organization.owner, .admin).json["token"]?.string)
    #expect(try await accept(house, token, as: viewer).status == 409)
    #expect(try await house.call(.get, organization.path + "/api-keys", as: viewer).status == 403)
  }

  @Test func `every wrong field is named`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    for (body, fields) in [
      (#"{}"#, ["email", "role"]), (#"{"email":"nobody","role":"king"}"#, ["email", "role"]),
      (#"{"email":"a@b.c","role":"staff","expiresAt":"2020-01-01T00:00:00Z"}"#, ["expiresAt"]),
      (#"{"email":"a@b.c","role":"staff","expiresAt":"2999-01-01T00:00:00Z"}"#, ["expiresAt"]),
    ] {
      let answer = try await house.call(.post, organization.path + "/invitations", as: organization.owner, body)
      #expect(answer.status == 400)
      #expect(answer.badFields == fields)
    }
  }
}
