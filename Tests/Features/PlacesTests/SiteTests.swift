import Basics
import FeatureSupport
import JSON
import Testing

@Suite(.serialized) struct SiteTests {
  @Test func `a site has all its fields, and a place as numbers or numeric strings`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await house.call(
      .post, organization.path + "/sites", as: organization.owner,
      """
      {"name":"Second","address":"1 Main St","postalCode":"10001","timezone":"Europe/Berlin","latitude":"52.52",
      "longitude":13.405,"correctiveActionRequired":true,"manualLogCadenceSeconds":14400,"unknown":1}
      """)
    #expect(made.status == 201)
    #expect(made.json["latitude"]?.double == 52.52)
    #expect(made.json["longitude"]?.double == 13.405)
    #expect(made.json["correctiveActionRequired"]?.bool == true)
    #expect(made.json["city"]?.isNull == true)
    #expect(made.json["isActive"]?.bool == true)
    let list = try await house.call(.get, organization.path + "/sites", as: organization.owner)
    #expect(list.json.elements.compactMap { $0["name"]?.string } == ["Main", "Second"])
  }

  @Test func `an update keeps what it does not name`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let answer = try await house.call(.put, organization.sitePath, as: organization.owner, #"{"city":"Rome"}"#)
    #expect(answer.json["timezone"]?.string == "America/New_York")
    #expect(answer.json["name"]?.string == "Main")
    #expect(answer.json["city"]?.string == "Rome")
    let cleared = try await house.call(.patch, organization.sitePath, as: organization.owner, #"{"city":null}"#)
    #expect(cleared.json["city"]?.isNull == true)
  }

  @Test func `every bad field is named`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let answer = try await house.call(
      .post, organization.path + "/sites", as: organization.owner,
      #"{"name":"","latitude":91,"longitude":"east","complianceMode":"none","manualLogCadenceSeconds":0.5}"#)
    #expect(answer.status == 400)
    #expect(
      Set(answer.badFields) == ["name", "latitude", "longitude", "complianceMode", "manualLogCadenceSeconds"])
  }

  @Test func `what is deleted hides what is below it until it is restored`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let owner = organization.owner
    #expect(try await house.call(.delete, organization.sitePath, as: owner).status == 204)
    #expect(try await house.call(.delete, organization.sitePath, as: owner).status == 404)
    for path in [organization.sitePath, organization.areaPath, organization.unitPath] {
      #expect(try await house.call(.get, path, as: owner).status == 404)
    }
    #expect(try await house.call(.get, organization.path + "/units", as: owner).json.count == 0)
    #expect(try await house.call(.get, organization.sitePath + "/areas", as: owner).json.count == 0)
    #expect(try await house.call(.post, organization.sitePath + "/restore", as: owner).status == 200)
    #expect(try await house.call(.get, organization.unitPath, as: owner).status == 200)
    #expect(try await house.call(.post, organization.sitePath + "/restore", as: owner).status == 404)
  }

  @Test func `another organization's places are not found, whatever the path says`() async throws {
    let house = try await House()
    let (mine, theirs) = (try await house.organization(), try await house.organization())
    let foreign = [
      "\(mine.path)/sites/\(theirs.site)", "\(mine.path)/sites/\(theirs.site)/areas/\(theirs.area)",
      "\(mine.sitePath)/areas/\(theirs.area)", "\(mine.areaPath)/units/\(theirs.unit)",
      "\(mine.path)/sites/\(theirs.site)/areas/\(theirs.area)/units/\(theirs.unit)",
      "\(mine.path)/units/\(theirs.unit)", "\(mine.path)/sites/\(theirs.site)/areas/\(mine.area)",
    ]
    for path in foreign {
      #expect(try await house.call(.get, path, as: mine.owner).status == 404)
      #expect(try await house.call(.put, path, as: mine.owner, #"{"name":"mine"}"#).status == 404)
      #expect(try await house.call(.delete, path, as: mine.owner).status == 404)
    }
    #expect(try await house.call(.get, "\(mine.path)/sites/\(theirs.site)/areas", as: mine.owner).json.count == 0)
    let units = try await house.call(
      .get, "\(mine.path)/sites/\(theirs.site)/areas/\(theirs.area)/units", as: mine.owner)
    #expect(units.status == 404)
    let area = try await house.call(
      .post, "\(mine.path)/sites/\(theirs.site)/areas", as: mine.owner, #"{"name":"x"}"#)
    #expect(area.status == 404)
    #expect(try await house.call(.get, theirs.unitPath, as: theirs.owner).json["name"]?.string == "Fridge")
  }

  @Test func `a malformed id is named`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let answer = try await house.call(.get, organization.path + "/sites/nonsense", as: organization.owner)
    #expect(answer.status == 400)
    #expect(answer.badFields == ["siteId"])
  }
}
