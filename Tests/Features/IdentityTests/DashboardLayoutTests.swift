import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import Testing

@Suite(.serialized) struct DashboardLayoutTests {
  private func create(
    _ house: House, _ organization: House.Organization, as user: House.User, slot: Int, _ unit: UUID? = nil
  ) async throws -> Answer {
    try await house.call(
      .post, organization.path + "/dashboard-layouts", as: user,
      #"""
      {"entityType":"unit","entityId":"\#(unit ?? organization.unit)","slotNumber":\#(slot),"name":"L\#(slot)",
      "layoutJson":{"widgets":[1,2.50]}}
      """#)
  }

  @Test func `three slots for each person and thing`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let owner = organization.owner
    for slot in 1...3 { #expect(try await create(house, organization, as: owner, slot: slot).status == 201) }
    #expect(try await create(house, organization, as: owner, slot: 3).status == 409)
    #expect(try await create(house, organization, as: owner, slot: 4).badFields == ["slotNumber"])
    let manager = try await house.member(.manager, of: organization.id)
    #expect(try await create(house, organization, as: manager, slot: 1).status == 201)
    let list = try await house.call(
      .get, organization.path + "/dashboard-layouts?entityType=unit&entityId=\(organization.unit)", as: owner)
    #expect(list.json.elements.map { $0["slotNumber"]?.int } == [1, 2, 3])
    #expect(list.json[0]?["layoutJson"]?["widgets"]?[1]?.double == 2.5)
  }

  @Test func `nobody sees or changes those of others`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let manager = try await house.member(.manager, of: organization.id)
    let id = try #require(try await create(house, organization, as: manager, slot: 1).json["id"]?.string)
    let path = organization.path + "/dashboard-layouts/\(id)"
    #expect(try await house.call(.get, path, as: organization.owner).status == 404)
    #expect(try await house.call(.put, path, as: organization.owner, #"{"name":"x"}"#).status == 404)
    #expect(try await house.call(.post, path + "/default", as: organization.owner).status == 404)
    #expect(try await house.call(.delete, path, as: organization.owner).status == 404)
    #expect(
      try await house.call(.get, organization.path + "/dashboard-layouts", as: organization.owner).json.count == 0)
    #expect(try await house.call(.get, path, as: manager).status == 200)
  }

  @Test func `one layout of a thing opens first`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let owner = organization.owner
    var ids: [String] = []
    for slot in 1...2 {
      ids.append(try #require(try await create(house, organization, as: owner, slot: slot).json["id"]?.string))
    }
    for (place, id) in ids.enumerated() {
      let answer = try await house.call(.post, organization.path + "/dashboard-layouts/\(id)/default", as: owner)
      #expect(answer.json["isUserDefault"]?.bool == true)
      let list = try await house.call(.get, organization.path + "/dashboard-layouts", as: owner)
      #expect(list.json.elements.map { $0["isUserDefault"]?.bool } == [place == 0, place == 1])
    }
  }

  @Test func `a change keeps what it does not name and counts up the version`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let id = try #require(
      try await create(house, organization, as: organization.owner, slot: 1).json["id"]?.string)
    let path = organization.path + "/dashboard-layouts/\(id)"
    let renamed = try await house.call(.patch, path, as: organization.owner, #"{"name":"N","widgetPrefsJson":{"a":1}}"#)
    #expect(renamed.json["name"]?.string == "N")
    #expect(renamed.json["layoutVersion"]?.int == 2)
    #expect(renamed.json["layoutJson"]?["widgets"]?.count == 2)
    #expect(renamed.json["widgetPrefsJson"]?["a"]?.int == 1)
    #expect(try await house.call(.delete, path, as: organization.owner).status == 204)
    #expect(try await house.call(.get, path, as: organization.owner).status == 404)
  }

  @Test func `a layout is of a thing of its own organization, and not too large`() async throws {
    let house = try await House()
    let (organization, other) = (try await house.organization(), try await house.organization())
    let foreign = try await create(house, organization, as: organization.owner, slot: 1, other.unit)
    #expect(foreign.badFields == ["entityId"])
    let large = String(repeating: "x", count: 66_000)
    let answer = try await house.call(
      .post, organization.path + "/dashboard-layouts", as: organization.owner,
      #"{"entityType":"site","entityId":"\#(organization.site)","slotNumber":1,"name":"L","layoutJson":{"a":"\#(large)"}}"#
    )
    #expect(answer.badFields == ["layoutJson"])
  }
}
