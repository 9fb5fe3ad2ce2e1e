import FeatureSupport
import Identity
import JSON
import Testing

@testable import Notifications

@Suite(.serialized) struct ContactTests {
  private func create(
    _ house: House, _ organization: House.Organization, _ body: String, as user: House.User? = nil
  ) async throws -> Answer {
    try await house.call(.post, organization.path + "/escalation-contacts", as: user ?? organization.owner, body)
  }

  private func names(_ house: House, _ organization: House.Organization) async throws -> [String] {
    try await house.call(.get, organization.path + "/escalation-contacts", as: organization.owner).json.elements
      .compactMap { $0["name"]?.string }
  }

  @Test func `contacts are listed in the order they are called`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    for (name, priority) in [("Chef", 2), ("Owner", 3), ("Anna", 2), ("Night", 1)] {
      let made = try await create(
        house, organization,
        #"{"name":"\#(name)","phone":"+12025550143","notificationChannels":["sms"],"priority":\#(priority)}"#)
      #expect(made.status == 201, "\(made)")
    }
    #expect(try await names(house, organization) == ["Night", "Anna", "Chef", "Owner"])
  }

  @Test func `a channel needs its address, also when a contact is changed in part`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    #expect(try await create(house, organization, #"{"name":"A"}"#).badFields == ["email"])
    #expect(
      try await create(house, organization, #"{"name":"A","email":"a@b.de","notificationChannels":["email","sms"]}"#)
        .badFields == ["phone"])
    let made = try await create(house, organization, #"{"name":"A","email":"a@b.de"}"#)
    #expect(made.json["notificationChannels"]?[0]?.string == "email")
    #expect(made.json["priority"]?.int == 1)
    let path = organization.path + "/escalation-contacts/\(try #require(made.json["id"]?.string))"
    #expect(try await house.call(.put, path, as: organization.owner, #"{"email":null}"#).badFields == ["email"])
    let changed = try await house.call(.put, path, as: organization.owner, #"{"isActive":false}"#)
    #expect(changed.json["isActive"]?.bool == false)
    #expect(changed.json["email"]?.string == "a@b.de")
  }

  @Test func `every bad field is named`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let refused = try await create(
      house, organization,
      #"{"name":"","email":"a@b","phone":"0123","priority":0,"notificationChannels":["push"],"userId":"me"}"#)
    #expect(
      Set(refused.badFields) == ["name", "email", "phone", "priority", "notificationChannels/0", "userId"])
  }

  @Test func `a linked user is a member, and the link goes with the membership`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let stranger = try await house.user()
    let refused = try await create(
      house, organization, #"{"name":"A","email":"a@b.de","userId":"\#(stranger.id)"}"#)
    #expect(refused.badFields == ["userId"])
    let member = try await house.member(.staff, of: organization.id)
    let made = try await create(house, organization, #"{"name":"A","email":"a@b.de","userId":"\#(member.id)"}"#)
    #expect(made.json["userId"]?.string == member.id.description)
    try await house.sql("DELETE FROM user_roles WHERE user_id = $1", [.uuid(member.id)])
    let path = organization.path + "/escalation-contacts/\(try #require(made.json["id"]?.string))"
    #expect(try await house.call(.get, path, as: organization.owner).json["userId"]?.isNull == true)
  }

  @Test func `a removed contact is not called, and comes back`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await create(house, organization, #"{"name":"A","email":"a@b.de"}"#)
    let path = organization.path + "/escalation-contacts/\(try #require(made.json["id"]?.string))"
    #expect(try await house.call(.delete, path, as: organization.owner).status == 204)
    #expect(try await house.call(.get, path, as: organization.owner).status == 404)
    #expect(try await house.call(.delete, path, as: organization.owner).status == 404)
    #expect(try await names(house, organization) == [])
    #expect(try await house.call(.post, path + "/restore", as: organization.owner).status == 200)
    #expect(try await names(house, organization) == ["A"])
  }

  @Test func `managers change contacts, staff does not, strangers see none`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let (staff, manager) = (
      try await house.member(.staff, of: organization.id), try await house.member(.manager, of: organization.id)
    )
    let body = #"{"name":"A","email":"a@b.de"}"#
    #expect(try await create(house, organization, body, as: staff).status == 403)
    let made = try await create(house, organization, body, as: manager)
    #expect(made.status == 201)
    let other = try await house.organization()
    let path = other.path + "/escalation-contacts/\(try #require(made.json["id"]?.string))"
    #expect(try await house.call(.get, path, as: other.owner).status == 404)
    #expect(try await house.call(.put, path, as: other.owner, #"{"name":"B"}"#).status == 404)
    #expect(try await house.call(.delete, path, as: other.owner).status == 404)
  }
}
