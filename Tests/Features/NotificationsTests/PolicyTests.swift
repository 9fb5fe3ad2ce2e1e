import FeatureSupport
import JSON
import Testing

@testable import Notifications

@Suite(.serialized) struct PolicyTests {
  private func create(
    _ house: House, _ organization: House.Organization, _ body: String, as user: House.User? = nil
  ) async throws -> Answer {
    try await house.call(
      .post, organization.path + "/notification-policies", as: user ?? organization.owner, body)
  }

  private func effective(
    _ house: House, _ organization: House.Organization, _ type: String = "alarm_active"
  ) async throws -> JSONValue {
    let answer = try await house.call(
      .get, organization.path + "/units/\(organization.unit)/effective-notification-policies?alertType=\(type)",
      as: organization.owner)
    return try #require(answer.json[0], "\(answer)")
  }

  @Test func `a policy that says nothing is the default`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let before = try await effective(house, organization)
    #expect(before["source"]?.string == "default")
    #expect(before["policyId"]?.isNull == true)
    let made = try await create(house, organization, #"{"alertType":"alarm_active"}"#)
    #expect(made.status == 201, "\(made)")
    let after = try await effective(house, organization)
    #expect(after["source"]?.string == "organization")
    #expect(after["policyId"]?.string == made.json["id"]?.string)
    for name in [
      "initialChannels", "requiresAck", "ackDeadlineMinutes", "escalationSteps", "sendResolvedNotifications",
      "remindersEnabled", "reminderIntervalMinutes", "quietHoursEnabled", "quietHoursStartLocal", "severityThreshold",
      "allowWarningNotifications", "notifyRoles", "notifySiteManagers", "notifyAssignedUsers",
    ] {
      let text = before[key: name].map { String(decoding: $0.rawBytes, as: UTF8.self) }
      #expect(after[key: name].map { String(decoding: $0.rawBytes, as: UTF8.self) } == text, "\(name)")
      #expect(text != nil)
    }
    #expect(after["initialChannels"]?[0]?.string == "IN_APP_CENTER")
  }

  @Test func `the nearest policy holds whole, and the next wider one when it is gone`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    func make(_ place: String, _ threshold: String) async throws -> String {
      let made = try await create(
        house, organization, #"{"alertType":"low_battery",\#(place)"severityThreshold":"\#(threshold)"}"#)
      return try #require(made.json["id"]?.string, "\(made)")
    }
    _ = try await make("", "INFO")
    let site = try await make(#""siteId":"\#(organization.site)","#, "WARNING")
    let unit = try await make(#""unitId":"\#(organization.unit)","#, "CRITICAL")
    for (source, threshold, id) in [
      ("unit", "CRITICAL", unit), ("site", "WARNING", site), ("organization", "INFO", ""),
    ] {
      let policy = try await effective(house, organization, "low_battery")
      #expect(policy["source"]?.string == source)
      #expect(policy["severityThreshold"]?.string == threshold)
      guard !id.isEmpty else { continue }
      let gone = try await house.call(
        .delete, organization.path + "/notification-policies/\(id)", as: organization.owner)
      #expect(gone.status == 204)
    }
    #expect(try await effective(house, organization, "door_open")["source"]?.string == "default")
  }

  @Test func `every type of alert has an answer, and an unknown unit has none`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let all = try await house.call(
      .get, organization.path + "/units/\(organization.unit)/effective-notification-policies", as: organization.owner)
    #expect(all.json.count == 16)
    let other = try await house.organization()
    let foreign = try await house.call(
      .get, organization.path + "/units/\(other.unit)/effective-notification-policies", as: organization.owner)
    #expect(foreign.status == 404)
  }

  @Test func `a policy is changed in part, and its steps come back as they went in`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await create(
      house, organization,
      """
      {"alertType":"temp_excursion","initialChannels":["EMAIL","SMS"],"requiresAck":true,"ackDeadlineMinutes":15,
      "escalationSteps":[{"delayMinutes":10,"channels":["EMAIL"]},
      {"delayMinutes":20,"channels":["SMS","EMAIL"],"contactPriority":2,"repeat":true}],
      "quietHoursEnabled":true,"quietHoursStartLocal":"22:00","quietHoursEndLocal":"06:30","notifyRoles":["manager"]}
      """)
    #expect(made.status == 201, "\(made)")
    let path = organization.path + "/notification-policies/\(try #require(made.json["id"]?.string))"
    let changed = try await house.call(.patch, path, as: organization.owner, #"{"requiresAck":false}"#)
    #expect(changed.json["requiresAck"]?.bool == false)
    #expect(changed.json["ackDeadlineMinutes"]?.int == 15)
    #expect(changed.json["quietHoursStartLocal"]?.string == "22:00")
    #expect(changed.json["quietHoursEndLocal"]?.string == "06:30")
    #expect(changed.json["initialChannels"]?.count == 2)
    #expect(changed.json["notifyRoles"]?[0]?.string == "manager")
    let step = changed.json["escalationSteps"]?[1]
    #expect(step?["delayMinutes"]?.int == 20)
    #expect(step?["channels"]?.count == 2)
    #expect(step?["contactPriority"]?.int == 2)
    #expect(step?["repeat"]?.bool == true)
    #expect(changed.json["escalationSteps"]?[0]?["repeat"]?.bool == false)
    let read = try await house.call(.get, path, as: organization.owner)
    #expect(read.json["requiresAck"]?.bool == false)
    #expect(
      try await house.call(.patch, path, as: organization.owner, #"{"quietHoursEndLocal":null}"#).badFields
        == ["quietHoursStartLocal"])
  }

  @Test func `every bad field is named`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let refused = try await create(
      house, organization,
      """
      {"alertType":"fire","initialChannels":["PIGEON"],"ackDeadlineMinutes":0,"severityThreshold":"warning",
      "escalationSteps":[{"delayMinutes":-1,"channels":[]}],"quietHoursStartLocal":"24:00","notifyRoles":["boss"]}
      """)
    #expect(refused.status == 400)
    #expect(
      Set(refused.badFields) == [
        "alertType", "initialChannels/0", "ackDeadlineMinutes", "severityThreshold", "escalationSteps/0/delayMinutes",
        "escalationSteps/0/channels", "quietHoursStartLocal", "notifyRoles/0",
      ])
    let incomplete = try await create(house, organization, #"{"alertType":"door_open","remindersEnabled":true}"#)
    #expect(incomplete.badFields == ["reminderIntervalMinutes"])
  }

  @Test func `there is one policy for a type of alert at a place`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    #expect(try await create(house, organization, #"{"alertType":"door_open"}"#).status == 201)
    #expect(try await create(house, organization, #"{"alertType":"door_open"}"#).status == 409)
    #expect(try await create(house, organization, #"{"alertType":"low_battery"}"#).status == 201)
    let other = try await house.organization()
    #expect(try await create(house, other, #"{"alertType":"door_open"}"#).status == 201)
  }

  @Test func `places of another organization are unknown`() async throws {
    let house = try await House()
    let (organization, other) = (try await house.organization(), try await house.organization())
    let site = try await create(house, organization, #"{"alertType":"door_open","siteId":"\#(other.site)"}"#)
    #expect(site.badFields == ["siteId"])
    let unit = try await create(house, organization, #"{"alertType":"door_open","unitId":"\#(other.unit)"}"#)
    #expect(unit.badFields == ["unitId"])
    let made = try await create(house, other, #"{"alertType":"door_open"}"#)
    let id = try #require(made.json["id"]?.string)
    let path = organization.path + "/notification-policies/\(id)"
    #expect(try await house.call(.get, path, as: organization.owner).status == 404)
    #expect(try await house.call(.put, path, as: organization.owner, #"{"requiresAck":true}"#).status == 404)
    #expect(try await house.call(.delete, path, as: organization.owner).status == 404)
    #expect(try await house.call(.get, other.path + "/notification-policies", as: organization.owner).status == 403)
    let listed = try await house.call(.get, organization.path + "/notification-policies", as: organization.owner)
    #expect(listed.json.count == 0)
  }

  @Test func `managers look at policies, and admins change them`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let manager = try await house.member(.manager, of: organization.id)
    let admin = try await house.member(.admin, of: organization.id)
    #expect(try await create(house, organization, #"{"alertType":"door_open"}"#, as: manager).status == 403)
    #expect(try await create(house, organization, #"{"alertType":"door_open"}"#, as: admin).status == 201)
    #expect(
      try await house.call(.get, organization.path + "/notification-policies?alertType=door_open", as: manager).json
        .count
        == 1)
    let audit = try await house.call(.get, organization.path + "/audit/verify", as: admin)
    #expect(audit.json["valid"]?.bool == true)
    let events = try await house.sql(
      "SELECT 1 FROM event_logs WHERE organization_id = $1 AND event_type = 'notification_policy.created'",
      [.uuid(organization.id)])
    #expect(events.count == 1)
  }

  @Test(arguments: [
    ("22:00", "22:00"), ("06:30:00", "06:30"), ("24:00", nil), ("12:60", nil), ("7:00", nil), ("+1:00", nil),
    ("12:00:01", nil), ("", nil), ("12", nil),
  ]) func `times of day are read strictly`(text: String, time: String?) {
    #expect(PolicyDraft.timeOfDay(text) == time)
  }
}
