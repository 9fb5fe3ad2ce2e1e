import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import Testing

@Suite(.serialized) struct MemberTests {
  private func setRole(
    _ house: House, _ organization: House.Organization, _ user: House.User, _ role: Role, as actor: House.User
  ) async throws -> Answer {
    try await house.call(
      .patch, "\(organization.path)/members/\(user.id)", as: actor, #"{"role":"\#(role.rawValue)"}"#)
  }

  private func remove(
    _ house: House, _ organization: House.Organization, _ user: House.User, as actor: House.User
  ) async throws -> Answer {
    try await house.call(.delete, "\(organization.path)/members/\(user.id)", as: actor)
  }

  @Test func `members are listed with what they are`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let viewer = try await house.member(.viewer, of: organization.id)
    _ = try await house.call(.get, organization.path, as: viewer)
    let list = try await house.call(.get, organization.path + "/members", as: viewer)
    #expect(list.json.elements.map { $0["role"]?.string } == ["owner", "viewer"])
    #expect(list.json[1]?["email"]?.string == "\(viewer.id)@example.com")
  }

  @Test func `an owner changes everybody, and the change counts at once`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let member = try await house.member(.viewer, of: organization.id)
    let changed = try await setRole(house, organization, member, .owner, as: organization.owner)
    #expect(changed.status == 200)
    #expect(changed.json["role"]?.string == "owner")
    #expect(try await house.call(.put, organization.path, as: member, #"{"name":"Mine"}"#).status == 200)
    #expect(try await setRole(house, organization, organization.owner, .viewer, as: member).status == 200)
    #expect(
      try await house.call(.put, organization.path, as: organization.owner, #"{"name":"Mine"}"#).status == 403)
  }

  /// Who changes, whose role, to what: allowed or not.
  @Test(
    arguments: [
      (Role.admin, Role.viewer, Role.manager, 200), (.admin, .manager, .admin, 200), (.admin, .viewer, .owner, 403),
      (.admin, .admin, .viewer, 403), (.admin, .owner, .viewer, 403), (.owner, .admin, .staff, 200),
      (.owner, .viewer, .owner, 200), (.owner, .owner, .admin, 200), (.manager, .viewer, .staff, 403),
      (.staff, .viewer, .viewer, 403), (.viewer, .viewer, .viewer, 403), (.inspector, .viewer, .viewer, 403),
      (.admin, .staff, .inspector, 200),
    ])
  func `only who stands above may change a role, and no higher than their own`(
    actor: Role, from: Role, to: Role, status: Int
  ) async throws {
    let house = try await House()
    let organization = try await house.organization()
    let somebody = try await house.member(actor, of: organization.id)
    let member = try await house.member(from, of: organization.id)
    #expect(try await setRole(house, organization, member, to, as: somebody).status == status)
  }

  @Test func `nobody lifts themself, but may step down`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let admin = try await house.member(.admin, of: organization.id)
    #expect(try await setRole(house, organization, admin, .owner, as: admin).status == 403)
    #expect(try await setRole(house, organization, admin, .viewer, as: admin).status == 200)
    #expect(try await setRole(house, organization, admin, .admin, as: admin).status == 403)
  }

  @Test func `the last owner stays, whoever asks`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let owner = organization.owner
    let lowered = try await setRole(house, organization, owner, .admin, as: owner)
    #expect(lowered.status == 409)
    #expect(lowered.errorCode == "LAST_OWNER")
    #expect(try await remove(house, organization, owner, as: owner).status == 409)
    let second = try await house.member(.owner, of: organization.id)
    #expect(try await remove(house, organization, owner, as: second).status == 204)
    #expect(try await remove(house, organization, second, as: second).status == 409)
  }

  @Test func `of two owners who leave at the same time one stays`() async throws {
    for _ in 0..<5 {
      let house = try await House()
      let organization = try await house.organization()
      let second = try await house.member(.owner, of: organization.id)
      let answers = try await withThrowingTaskGroup(of: Int.self) { group in
        for owner in [organization.owner, second] {
          group.addTask { try await remove(house, organization, owner, as: owner).status }
        }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(answers.sorted() == [204, 409])
      let rows = try await house.sql("SELECT count(*) FROM user_roles WHERE role = 'owner'")
      #expect(try rows.first?.int(0) == 1)
    }
  }

  @Test func `of two owners who remove each other at the same time one stays`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let second = try await house.member(.owner, of: organization.id)
    let pairs = [(organization.owner, second), (second, organization.owner)]
    let answers = try await withThrowingTaskGroup(of: Int.self) { group in
      for (actor, target) in pairs {
        group.addTask { try await remove(house, organization, target, as: actor).status }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.sorted() == [204, 403])
  }

  @Test func `everybody may leave, and is out at once`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    for role in [Role.inspector, .viewer, .staff, .manager, .admin] {
      let member = try await house.member(role, of: organization.id)
      #expect(try await remove(house, organization, member, as: member).status == 204)
      #expect(try await house.call(.get, organization.path, as: member).status == 403)
    }
  }

  @Test func `admins remove who stands below them only`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let admin = try await house.member(.admin, of: organization.id)
    for (role, status) in [(Role.manager, 204), (.inspector, 204), (.admin, 403), (.owner, 403)] {
      let member = try await house.member(role, of: organization.id)
      #expect(try await remove(house, organization, member, as: admin).status == status)
    }
    let manager = try await house.member(.manager, of: organization.id)
    let viewer = try await house.member(.viewer, of: organization.id)
    #expect(try await remove(house, organization, viewer, as: manager).status == 403)
  }

  @Test func `members of other organizations are not there`() async throws {
    let house = try await House()
    let (one, other) = (try await house.organization(), try await house.organization())
    let member = try await house.member(.viewer, of: other.id)
    #expect(try await setRole(house, one, member, .staff, as: one.owner).status == 404)
    #expect(try await remove(house, one, member, as: one.owner).status == 404)
    #expect(try await setRole(house, other, member, .staff, as: one.owner).status == 403)
  }
}
