import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Testing

@Suite(.serialized) struct UnitTests {
  private func limits(_ house: House, _ unit: UUID) async throws -> [String] {
    try await house.sql(
      """
      SELECT concat_ws(' ', coalesce(temp_min::text, '-'), coalesce(temp_max::text, '-'), hysteresis,
        valid_from = '-infinity', valid_to IS NULL)
      FROM unit_limits WHERE unit_id = $1 ORDER BY valid_from
      """, [.uuid(unit)]
    ).map { try $0.text(0) }
  }

  @Test func `limits that were entered in Fahrenheit come back as they were, and are kept in Celsius`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let unit = try await house.call(.get, organization.unitPath, as: organization.owner).json
    #expect(unit["tempMin"]?.rawBytes.elementsEqual("33".utf8) == true)
    #expect(unit["tempMax"]?.rawBytes.elementsEqual("41".utf8) == true)
    #expect(unit["tempUnit"]?.string == "F")
    #expect(unit["temperatureUnit"]?.string == "F")
    #expect(unit["status"]?.string == "offline")
    #expect(unit["lastReadingAt"]?.isNull == true)
    #expect(try await limits(house, organization.unit) == ["0.56 5.00 0.50 t t"])
  }

  @Test func `an answer can be asked for in the other scale`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let answer = try await house.call(.get, organization.unitPath + "?temperatureUnit=C", as: organization.owner)
    #expect(answer.json["tempMax"]?.double == 5)
    #expect(answer.json["tempUnit"]?.string == "F")
    #expect(answer.json["temperatureUnit"]?.string == "C")
    let wrong = try await house.call(.get, organization.unitPath + "?temperatureUnit=K", as: organization.owner)
    #expect(wrong.badFields == ["temperatureUnit"])
  }

  @Test func `new limits start a new version and old ones stay`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let version = try await house.sql("SELECT version FROM directory_version").first?.int(0) ?? 0
    let answer = try await house.call(
      .put, organization.unitPath, as: organization.owner, #"{"tempMax":39.2,"name":"Cold"}"#)
    #expect(answer.json["tempMax"]?.double == 39.2)
    #expect(answer.json["tempMin"]?.double == 33)
    #expect(try await limits(house, organization.unit) == ["0.56 5.00 0.50 t f", "0.56 4.00 0.50 f t"])
    let joined = try await house.sql(
      """
      SELECT count(*) FROM unit_limits a JOIN unit_limits b ON b.unit_id = a.unit_id AND b.valid_from = a.valid_to
      """)
    #expect(try joined.first?.int(0) == 1)
    let after = try await house.sql("SELECT version FROM directory_version").first?.int(0) ?? 0
    #expect(after > version)
  }

  @Test func `a change of anything else makes no version of the limits`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await house.call(.put, organization.unitPath, as: organization.owner, #"{"name":"Renamed","tempMax":41}"#)
    #expect(try await limits(house, organization.unit).count == 1)
  }

  @Test func `changing the scale converts the limits and does not change what they mean`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let answer = try await house.call(.put, organization.unitPath, as: organization.owner, #"{"tempUnit":"C"}"#)
    #expect(answer.json["tempMax"]?.double == 5)
    #expect(answer.json["tempMin"]?.double == 0.56)
    #expect(try await limits(house, organization.unit).count == 1)
  }

  @Test func `limits must be in order, in the body and with what is stored`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let units = organization.areaPath + "/units"
    let both = try await house.call(
      .post, units, as: organization.owner, #"{"name":"x","unitType":"fridge","tempMin":41,"tempMax":33}"#)
    #expect(both.badFields == ["tempMax"])
    let one = try await house.call(.put, organization.unitPath, as: organization.owner, #"{"tempMax":20}"#)
    #expect(one.status == 400)
    #expect(one.badFields == ["tempMax"])
    let missing = try await house.call(.post, units, as: organization.owner, #"{"tempUnit":"K","sortOrder":-1}"#)
    #expect(Set(missing.badFields) == ["name", "unitType", "tempUnit", "tempMin", "tempMax", "sortOrder"])
    let freezer = try await house.call(
      .post, units, as: organization.owner,
      #"{"name":"x","unitType":"freezer","tempMin":null,"tempMax":-18,"tempUnit":"C"}"#)
    #expect(freezer.status == 201)
    #expect(freezer.json["tempMin"]?.isNull == true)
    let none = try await house.call(
      .post, units, as: organization.owner, #"{"name":"x","unitType":"freezer","tempMin":null,"tempMax":null}"#)
    #expect(none.badFields == ["tempMax"])
  }

  @Test func `managers edit units, staff do not`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let manager = try await house.member(.manager, of: organization.id)
    let staff = try await house.member(.staff, of: organization.id)
    #expect(try await house.call(.put, organization.unitPath, as: manager, #"{"name":"a"}"#).status == 200)
    #expect(try await house.call(.put, organization.unitPath, as: staff, #"{"name":"b"}"#).status == 403)
    #expect(try await house.call(.get, organization.unitPath, as: staff).json["name"]?.string == "a")
  }

  @Test func `all units of an organization are listed with where they stand`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let flat = try await house.call(.get, organization.path + "/units", as: organization.owner)
    #expect(flat.json[0]?["siteName"]?.string == "Main")
    #expect(flat.json[0]?["areaName"]?.string == "Kitchen")
    let elsewhere = try await house.call(
      .get, organization.path + "/units?siteId=\(UUID.v4())", as: organization.owner)
    #expect(elsewhere.json.count == 0)
    let nested = try await house.call(.get, organization.areaPath + "/units", as: organization.owner)
    #expect(nested.json.count == 1)
  }

  @Test func `a unit is deleted and restored, but not below a deleted area`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let owner = organization.owner
    #expect(try await house.call(.delete, organization.unitPath, as: owner).status == 204)
    #expect(try await house.call(.get, organization.path + "/units", as: owner).json.count == 0)
    #expect(try await house.call(.delete, organization.areaPath, as: owner).status == 204)
    #expect(try await house.call(.post, organization.unitPath + "/restore", as: owner).status == 404)
    #expect(try await house.call(.post, organization.areaPath + "/restore", as: owner).status == 200)
    #expect(try await house.call(.post, organization.unitPath + "/restore", as: owner).status == 200)
    #expect(try await house.call(.get, organization.unitPath, as: owner).status == 200)
  }
}
