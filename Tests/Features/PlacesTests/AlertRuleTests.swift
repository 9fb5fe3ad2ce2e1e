import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Testing

@Suite(.serialized) struct AlertRuleTests {
  private func put(_ house: House, _ organization: House.Organization, _ body: String) async throws -> Answer {
    try await house.call(.put, organization.path + "/alert-rules", as: organization.owner, body)
  }

  private func effective(
    _ house: House, _ organization: House.Organization, _ field: String, in scale: String = "C"
  ) async throws -> String {
    let answer = try await house.call(
      .get, organization.path + "/units/\(organization.unit)/effective-rules?temperatureUnit=\(scale)",
      as: organization.owner)
    let rule = answer.json["rules"]?[key: field]
    return
      "\(rule?["value"]?.double ?? -1) \(rule?["source"]?.string ?? "-") \(rule?["ruleId"]?.string == nil ? "-" : "r")"
  }

  private func limits(_ house: House, _ unit: UUID) async throws -> [String] {
    try await house.sql(
      """
      SELECT concat_ws(' ', coalesce(temp_min::text, '-'), coalesce(temp_max::text, '-'), hysteresis,
        confirm_seconds_door_closed, confirm_seconds_door_open, expected_interval_seconds, door_mask_minutes_per_day,
        late_checkins, lost_checkins, valid_to IS NULL)
      FROM unit_limits WHERE unit_id = $1 ORDER BY valid_from
      """, [.uuid(unit)]
    ).map { try $0.text(0) }
  }

  @Test func `a field comes from the nearest place that says it`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let field = "excursionConfirmMinutesDoorClosed"
    #expect(try await effective(house, organization, field) == "10.0 default -")
    let first = try await put(house, organization, #"{"\#(field)":12}"#)
    #expect(first.status == 201, "\(first)")
    #expect(first.json["scope"]?.string == "organization")
    #expect(try await effective(house, organization, field) == "12.0 organization r")
    #expect(try await put(house, organization, #"{"siteId":"\#(organization.site)","\#(field)":8}"#).status == 201)
    #expect(try await effective(house, organization, field) == "8.0 site r")
    _ = try await house.call(
      .put, organization.unitPath, as: organization.owner, #"{"confirmSecondsDoorClosed":90}"#)
    #expect(try await effective(house, organization, field) == "1.5 unit -")
    #expect(try await put(house, organization, #"{"unitId":"\#(organization.unit)","\#(field)":0}"#).status == 201)
    #expect(try await effective(house, organization, field) == "0.0 unit r")
    #expect(try await effective(house, organization, "doorOpenWarningMinutes") == "3.0 default -")
    #expect(
      try await limits(house, organization.unit) == [
        "0.56 5.00 0.50 600 1200 1200 60 1 5 f", "0.56 5.00 0.50 720 1200 1200 60 1 5 f",
        "0.56 5.00 0.50 480 1200 1200 60 1 5 f", "0.56 5.00 0.50 90 1200 1200 60 1 5 f",
        "0.56 5.00 0.50 0 1200 1200 60 1 5 t",
      ])
  }

  @Test func `the unit's own limits count before those of its site`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await put(
      house, organization, #"{"siteId":"\#(organization.site)","tempUnit":"C","tempMin":1,"tempMax":8}"#)
    #expect(try await effective(house, organization, "tempMax", in: "F") == "41.0 unit -")
    let cleared = try await house.call(.put, organization.unitPath, as: organization.owner, #"{"tempMax":null}"#)
    #expect(cleared.json["tempMax"]?.double == 46.4)
    #expect(try await effective(house, organization, "tempMax") == "8.0 site r")
    #expect(try await effective(house, organization, "tempMin", in: "F") == "33.0 unit -")
  }

  @Test func `a unit is never left without a limit, nor with limits that contradict each other`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let none = try await house.call(
      .put, organization.unitPath, as: organization.owner, #"{"tempMin":null,"tempMax":null}"#)
    #expect(none.badFields == ["tempMax"])
    let rule = try await put(house, organization, #"{"tempUnit":"F","tempMax":40}"#)
    #expect(
      try await house.call(
        .put, organization.unitPath, as: organization.owner, #"{"tempMin":null,"tempMax":null}"#
      ).status == 200)
    let path = organization.path + "/alert-rules/\(rule.json["id"]?.string ?? "")"
    #expect(try await house.call(.delete, path, as: organization.owner).status == 400)
    #expect(try await house.call(.delete, path + "/fields/temp_max", as: organization.owner).status == 400)
    #expect(try await house.call(.get, path, as: organization.owner).json["tempMax"]?.double == 40)
    let crossed = try await put(
      house, organization, #"{"unitId":"\#(organization.unit)","tempUnit":"F","tempMin":45}"#)
    #expect(crossed.badFields == ["tempMax"])
  }

  @Test func `a temperature needs its scale, and a change of the scale does not change what it means`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    #expect(try await put(house, organization, #"{"tempHysteresis":1}"#).badFields == ["tempUnit"])
    let made = try await put(house, organization, #"{"tempUnit":"F","tempHysteresis":1.8,"name":"House"}"#)
    #expect(made.json["tempHysteresis"]?.rawBytes.elementsEqual("1.8".utf8) == true)
    #expect(try await effective(house, organization, "tempHysteresis") == "1.0 organization r")
    let path = organization.path + "/alert-rules/\(made.json["id"]?.string ?? "")"
    let changed = try await house.call(.patch, path, as: organization.owner, #"{"tempUnit":"C"}"#)
    #expect(changed.json["tempHysteresis"]?.double == 1)
    #expect(changed.json["name"]?.string == "House")
    #expect(try await limits(house, organization.unit).count == 2)
  }

  @Test func `a rule that is switched off, cleared or deleted counts no more`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await put(house, organization, #"{"expectedReadingIntervalSeconds":300,"maxExcursionMinutes":30}"#)
    let path = organization.path + "/alert-rules/\(made.json["id"]?.string ?? "")"
    let field = "expectedReadingIntervalSeconds"
    #expect(try await effective(house, organization, field) == "300.0 organization r")
    _ = try await house.call(.put, path, as: organization.owner, #"{"isEnabled":false}"#)
    #expect(try await effective(house, organization, field) == "1200.0 default -")
    _ = try await house.call(.put, path, as: organization.owner, #"{"isEnabled":true}"#)
    let cleared = try await house.call(.delete, path + "/fields/\(field)", as: organization.owner)
    #expect(cleared.json[key: field]?.isNull == true)
    #expect(cleared.json["maxExcursionMinutes"]?.int == 30)
    #expect(try await effective(house, organization, field) == "1200.0 default -")
    #expect(try await house.call(.delete, path + "/fields/size", as: organization.owner).status == 404)
    #expect(try await house.call(.delete, path, as: organization.owner).status == 204)
    #expect(try await house.call(.get, path, as: organization.owner).status == 404)
    #expect(try await effective(house, organization, "maxExcursionMinutes") == "60.0 default -")
  }

  @Test func `what was done to a rule is told, newest first`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await put(house, organization, #"{"siteId":"\#(organization.site)","manualGraceMinutes":5}"#)
    let id = made.json["id"]?.string ?? ""
    let path = organization.path + "/alert-rules/\(id)"
    _ = try await house.call(.put, path, as: organization.owner, #"{"manualGraceMinutes":7}"#)
    _ = try await house.call(.delete, path, as: organization.owner)
    for target in [path + "/history", organization.path + "/alert-rules/history?siteId=\(organization.site)"] {
      let history = try await house.call(.get, target, as: organization.owner).json
      #expect(history.elements.compactMap { $0["changeType"]?.string } == ["deleted", "updated", "created"])
      #expect(history[1]?["oldValues"]?["manualGraceMinutes"]?.int == 5)
      #expect(history[1]?["newValues"]?["manualGraceMinutes"]?.int == 7)
      #expect(history[1]?["newValues"]?.count == 1)
      #expect(history[2]?["oldValues"]?.isNull == true)
      #expect(history[0]?["changedBy"]?.string == organization.owner.id.description)
    }
    let other = try await house.call(
      .get, organization.path + "/alert-rules/history?unitId=\(organization.unit)", as: organization.owner)
    #expect(other.json.count == 0)
  }

  @Test func `each place has one rule, and it is of the organization`() async throws {
    let house = try await House()
    let (mine, theirs) = (try await house.organization(), try await house.organization())
    let post = mine.path + "/alert-rules"
    #expect(try await house.call(.post, post, as: mine.owner, #"{"maxExcursionMinutes":1}"#).status == 201)
    #expect(try await house.call(.post, post, as: mine.owner, #"{"maxExcursionMinutes":2}"#).status == 200)
    #expect(try await put(house, mine, #"{"maxExcursionMinutes":3}"#).status == 200)
    #expect(try await put(house, mine, #"{"siteId":"\#(theirs.site)"}"#).badFields == ["siteId"])
    #expect(try await put(house, mine, #"{"unitId":"\#(theirs.unit)"}"#).badFields == ["unitId"])
    #expect(
      try await put(house, mine, #"{"siteId":"\#(mine.site)","unitId":"\#(mine.unit)"}"#).badFields == ["siteId"])
    let list = try await house.call(.get, post, as: mine.owner)
    #expect(list.json.elements.compactMap { $0["maxExcursionMinutes"]?.int } == [3])
    let foreign = theirs.path + "/alert-rules/\(list.json[0]?["id"]?.string ?? "")"
    #expect(try await house.call(.put, foreign, as: theirs.owner, "{}").status == 404)
    #expect(try await house.call(.delete, foreign, as: theirs.owner).status == 404)
    let manager = try await house.member(.manager, of: mine.id)
    #expect(try await house.call(.put, post, as: manager, "{}").status == 403)
  }

  @Test func `a change is seen by whoever takes readings in`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let version = try await house.sql("SELECT version FROM directory_version").first?.int(0) ?? 0
    _ = try await put(house, organization, #"{"doorOpenMaxMaskMinutesPerDay":20,"offlineCriticalMissedCheckins":9}"#)
    let after = try await house.sql("SELECT version FROM directory_version").first?.int(0) ?? 0
    #expect(after > version)
    #expect(try await limits(house, organization.unit).last == "0.56 5.00 0.50 600 1200 1200 20 1 9 t")
    let due = try await house.sql(
      "SELECT next_due_at <= now() FROM unit_states WHERE unit_id = $1", [.uuid(organization.unit)])
    #expect(try due.first?.bool(0) == true)
    _ = try await put(house, organization, #"{"manualGraceMinutes":20}"#)
    #expect(try await limits(house, organization.unit).count == 2)
  }

  @Test func `a deleted unit is judged by the rules of now when it comes back`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await house.call(.delete, organization.unitPath, as: organization.owner)
    _ = try await put(house, organization, #"{"excursionConfirmMinutesDoorClosed":1}"#)
    #expect(try await limits(house, organization.unit).count == 1)
    let listed = try await house.call(.get, organization.path + "/units?deleted=true", as: organization.owner)
    #expect(listed.json[0]?["id"]?.string == organization.unit.description)
    #expect(listed.json[0]?["deletedAt"]?.string != nil)
    let restored = try await house.call(.post, organization.unitPath + "/restore", as: organization.owner)
    #expect(restored.json["confirmSecondsDoorClosed"]?.int == 60)
    #expect(try await limits(house, organization.unit).count == 2)
  }
}
