import Alerts
import Basics
import FeatureSupport
import Identity
import JSON
import PostgreSQL
import Testing

private let noon = Instant(seconds: 1_767_268_800)  // 2026-01-01T12:00:00Z

/// An organization with one incident that a warning was opened for.
private struct Scene: Sendable {
  let house: House
  let organization: House.Organization
  let incident: UUID
  let alert: UUID

  init(severity: AlertSeverity = .warning) async throws {
    house = try await House()
    organization = try await house.organization()
    incident = try await Self.incident(house, organization)
    let new = Self.new(organization, incident, severity: severity)
    let opened = try await Self.open([new], house)
    alert = try #require(opened.first?.id)
  }

  static func incident(
    _ house: House, _ organization: House.Organization, at opened: Instant = noon
  ) async throws -> UUID {
    let rows = try await house.sql(
      """
      INSERT INTO incidents (organization_id, unit_id, opened_at, closed_at)
      VALUES ($1, $2, $3, CASE WHEN $3 < $4 THEN $3 END) RETURNING id
      """,
      [.uuid(organization.id), .uuid(organization.unit), .timestamp(opened), .timestamp(noon)])
    return try #require(try rows.first?.uuid(0))
  }

  static func new(
    _ organization: House.Organization, _ incident: UUID?, type: AlertType = .alarmActive,
    severity: AlertSeverity = .warning, at triggered: Instant = noon
  ) -> NewAlert {
    NewAlert(
      organizationId: organization.id, unitId: organization.unit, incidentId: incident, type: type, severity: severity,
      message: "too warm", triggerTemperature: 600, limit: .maximum, triggeredAt: triggered)
  }

  static func open(_ alerts: [NewAlert], _ house: House) async throws -> [AlertStore.Opened] {
    try await house.run { database in
      try await database.transaction { try await AlertStore.open(alerts, at: noon, on: $0) }
    }
  }

  func change(
    _ body: @escaping @Sendable (Connection) async throws -> [AlertStore.Opened]
  ) async throws -> [AlertStore.Opened] {
    try await house.run { try await $0.transaction { try await body($0) } }
  }

  var path: String { organization.path + "/alerts/\(alert)" }

  func get() async throws -> JSONValue { try await house.call(.get, path, as: organization.owner).json }
}

@Suite(.serialized) struct AlertTests {
  @Test func `an alert is shown with its place, in the scale of its unit`() async throws {
    let scene = try await Scene()
    let alert = try await scene.get()
    #expect(alert["unitId"]?.string == scene.organization.unit.description)
    #expect(alert["unitName"]?.string == "Fridge")
    #expect(alert["siteName"]?.string == "Main")
    #expect(alert["alertType"]?.string == "alarm_active")
    #expect(alert["severity"]?.string == "warning")
    #expect(alert["status"]?.string == "active")
    #expect(alert["triggerTemperature"]?.double == 42.8)
    #expect(alert["temperatureUnit"]?.string == "F")
    #expect(alert["thresholdViolated"]?.string == "max")
    #expect(alert["triggeredAt"]?.string == "2026-01-01T12:00:00.000Z")
    #expect(alert["metadata"]?.kind == .object)
    #expect(alert["escalationLevel"]?.int == 0)
    let celsius = try await scene.house.call(.get, scene.path + "?temperatureUnit=C", as: scene.organization.owner)
    #expect(celsius.json["triggerTemperature"]?.double == 6)
  }

  @Test func `lists are filtered by what is asked, newest first`() async throws {
    let scene = try await Scene()
    let (house, organization) = (scene.house, scene.organization)
    _ = try await Scene.open(
      [
        Scene.new(organization, nil, type: .lowBattery, severity: .info, at: noon + .hours(1)),
        Scene.new(organization, nil, type: .doorOpen, severity: .critical, at: noon + .hours(2)),
      ], house)
    func types(_ query: String) async throws -> [String] {
      let answer = try await house.call(.get, organization.path + "/alerts" + query, as: organization.owner)
      return answer.json.elements.compactMap { $0["alertType"]?.string }
    }
    #expect(try await types("") == ["door_open", "low_battery", "alarm_active"])
    #expect(try await types("?severity=critical&severity=info") == ["door_open", "low_battery"])
    #expect(try await types("?severity=critical,warning") == ["door_open", "alarm_active"])
    #expect(try await types("?status=active,acknowledged&limit=1&page=2") == ["low_battery"])
    #expect(try await types("?status=resolved").isEmpty)
    #expect(try await types("?siteId=\(organization.site)&areaId=\(organization.area)").count == 3)
    #expect(try await types("?siteId=\(UUID.v4())").isEmpty)
    #expect(try await types("?unitId=\(UUID.v4())").isEmpty)
    #expect(try await types("?start=2026-01-01T12:30:00Z&end=2026-01-01T13:00:00Z") == ["low_battery"])
    let counted = try await house.call(
      .get, organization.path + "/alerts?count=true&limit=1", as: organization.owner)
    #expect(counted.headers["x-total-count"] == "3")
    let wrong = try await house.call(
      .get, organization.path + "/alerts?status=open&severity=high&unitId=7&limit=1001", as: organization.owner)
    #expect(Set(wrong.badFields) == ["status", "severity", "unitId", "limit"])
  }

  @Test func `an alert is acknowledged once, by a person who is named`() async throws {
    let scene = try await Scene()
    let staff = try await scene.house.member(.staff, of: scene.organization.id)
    let taken = try await scene.house.call(.post, scene.path + "/acknowledge", as: staff, #"{"notes":"on it"}"#)
    #expect(taken.status == 200)
    #expect(taken.json["status"]?.string == "acknowledged")
    let profile = try await scene.house.sql("SELECT id FROM profiles WHERE user_id = $1", [.uuid(staff.id)])
    #expect(taken.json["acknowledgedBy"]?.string == (try profile.first?.uuid(0).description))
    let again = try await scene.house.call(.post, scene.path + "/acknowledge", as: staff, "{}")
    #expect(again.status == 409)
    #expect(again.errorCode == "CONFLICT")
    let notes = try await scene.house.call(.get, scene.path + "/notes", as: staff)
    #expect(notes.json[0]?["text"]?.string == "on it")
    #expect(notes.json.count == 1)
  }

  @Test func `an alert is resolved once, and what was said before stays`() async throws {
    let scene = try await Scene()
    let owner = scene.organization.owner
    _ = try await scene.house.call(.post, scene.path + "/acknowledge", as: owner, #"{"notes":"on it"}"#)
    let body = #"{"resolution":"door was open","correctiveAction":"closed it","productDisposition":"kept"}"#
    let resolved = try await scene.house.call(.post, scene.path + "/resolve", as: owner, body)
    #expect(resolved.status == 200)
    #expect(resolved.json["status"]?.string == "resolved")
    #expect(resolved.json["resolution"]?.string == "door was open")
    #expect(resolved.json["resolutionType"]?.string == "manual")
    #expect(resolved.json["acknowledgedAt"]?.isNull == false)
    #expect(try await scene.house.call(.post, scene.path + "/resolve", as: owner, body).status == 409)
    #expect(try await scene.house.call(.post, scene.path + "/acknowledge", as: owner, "{}").status == 409)
    let notes = try await scene.house.call(.get, scene.path + "/notes", as: owner)
    #expect(notes.json.elements.compactMap { $0["kind"]?.string } == ["acknowledgement", "resolution"])
    let actions = try await scene.house.sql(
      "SELECT description, action_taken, product_disposition, resolved_alert FROM corrective_actions")
    let action = try #require(actions.first)
    #expect(actions.count == 1)
    #expect(try action.text(0) == "door was open")
    #expect(try action.text(1) == "closed it")
    #expect(try action.bool(3))
  }

  @Test func `under HACCP a critical temperature alert does not end without a corrective action`() async throws {
    let scene = try await Scene(severity: .critical)
    let owner = scene.organization.owner
    _ = try await scene.house.call(.put, scene.organization.path, as: owner, #"{"complianceMode":"haccp"}"#)
    let without = try await scene.house.call(.post, scene.path + "/resolve", as: owner, #"{"resolution":"done"}"#)
    #expect(without.status == 400)
    #expect(without.badFields == ["correctiveAction"])
    #expect(try await scene.get()["status"]?.string == "active")
    let with = try await scene.house.call(
      .post, scene.path + "/resolve", as: owner, #"{"resolution":"done","correctiveAction":"moved the food"}"#)
    #expect(with.status == 200)
  }

  @Test func `viewers look on, and strangers find nothing`() async throws {
    let scene = try await Scene()
    let viewer = try await scene.house.member(.viewer, of: scene.organization.id)
    #expect(try await scene.house.call(.get, scene.path, as: viewer).status == 200)
    #expect(try await scene.house.call(.post, scene.path + "/acknowledge", as: viewer, "{}").status == 403)
    #expect(try await scene.house.call(.post, scene.path + "/resolve", as: viewer, "{}").status == 403)
    let other = try await scene.house.organization()
    let path = "\(other.path)/alerts/\(scene.alert)"
    #expect(try await scene.house.call(.get, path, as: other.owner).status == 404)
    #expect(try await scene.house.call(.post, path + "/acknowledge", as: other.owner, "{}").status == 404)
    let resolve = try await scene.house.call(.post, path + "/resolve", as: other.owner, #"{"resolution":"x"}"#)
    #expect(resolve.status == 404)
    #expect(try await scene.house.call(.get, other.path + "/alerts", as: other.owner).json.count == 0)
    #expect(try await scene.get()["status"]?.string == "active")
  }

  @Test func `the alerts of a unit outlive it`() async throws {
    let scene = try await Scene()
    let owner = scene.organization.owner
    _ = try await scene.house.call(.delete, scene.organization.unitPath, as: owner)
    #expect(try await scene.house.call(.get, scene.organization.path + "/alerts", as: owner).json.count == 1)
  }
}

@Suite(.serialized) struct AlertStoreTests {
  @Test func `what is open is not opened again`() async throws {
    let scene = try await Scene()
    let other = try await Scene.incident(scene.house, scene.organization, at: noon - .hours(1))
    let again = try await Scene.open(
      [
        Scene.new(scene.organization, scene.incident), Scene.new(scene.organization, other),
        Scene.new(scene.organization, nil, type: .doorOpen),
      ], scene.house)
    #expect(again.count == 1)
    #expect(again.first?.incidentId == nil)
  }

  @Test func `severity rises once`() async throws {
    let scene = try await Scene()
    let incident = scene.incident
    for expected in [1, 0] {
      let raised = try await scene.change {
        try await AlertStore.raise(incidents: [incident], to: .critical, at: noon + .minutes(10), on: $0)
      }
      #expect(raised.count == expected)
    }
    let alert = try await scene.get()
    #expect(alert["severity"]?.string == "critical")
    #expect(alert["escalationLevel"]?.int == 1)
    #expect(alert["status"]?.string == "active")
    #expect(alert["escalatedAt"]?.string == "2026-01-01T12:10:00.000Z")
  }

  @Test func `the end of a condition ends its alert, its return opens it again`() async throws {
    let scene = try await Scene()
    let (incident, alert) = (scene.incident, scene.alert)
    _ = try await scene.house.call(.post, scene.path + "/acknowledge", as: scene.organization.owner, "{}")
    let ended = try await scene.change {
      try await AlertStore.resolve(incidents: [incident], resolution: "recovered", at: noon + .hours(1), on: $0)
    }
    #expect(ended.map(\.id) == [alert])
    #expect(ended.map(\.incidentId) == [incident])
    let resolved = try await scene.get()
    #expect(resolved["status"]?.string == "resolved")
    #expect(resolved["resolutionType"]?.string == "auto")
    #expect(resolved["resolvedBy"]?.isNull == true)
    let reopened = try await scene.change {
      try await AlertStore.reopen(incidents: [incident], at: noon + .hours(2), on: $0)
    }
    #expect(reopened.count == 1)
    #expect(try await scene.get()["status"]?.string == "active")
    #expect(try await scene.get()["acknowledgedAt"]?.isNull == true)
  }

  @Test func `every step is an event and an entry in a whole chain`() async throws {
    let scene = try await Scene()
    let incident = scene.incident
    _ = try await scene.change {
      try await AlertStore.raise(incidents: [incident], to: .critical, at: noon, on: $0)
      return try await AlertStore.resolve(incidents: [incident], resolution: "recovered", at: noon, on: $0)
    }
    let steps = ["alert.triggered", "alert.escalated", "alert.resolved"]
    let events = try await scene.house.sql("SELECT type FROM events ORDER BY id")
    #expect(try events.map { try $0.text(0) } == steps)
    let log = try await scene.house.sql(
      "SELECT event_type FROM event_logs WHERE entity_type = 'alert' AND actor_type = 'system' ORDER BY seq")
    #expect(try log.map { try $0.text(0) } == steps)
    let broken = try await scene.house.sql(
      "SELECT first_broken_event_log($1) IS NULL", [.uuid(scene.organization.id)])
    #expect(try broken.first?.bool(0) == true)
  }

  @Test func `nothing to do is no statement that fails`() async throws {
    let scene = try await Scene()
    #expect(try await Scene.open([], scene.house).isEmpty)
    let changed = try await scene.change {
      try await AlertStore.resolve(incidents: [], resolution: "x", at: noon, on: $0)
    }
    #expect(changed.isEmpty)
  }

  @Test func `the links lead through all alerts once, while others are raised`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    func raise(_ count: Int, _ at: String) async throws {
      try await house.sql(
        """
        INSERT INTO alerts (organization_id, unit_id, alert_type, severity, status, triggered_at, resolved_at, message)
        SELECT $1, $2, 'door_open', 'warning', 'resolved', $4::text::timestamptz + (n / 3) * interval '1 minute', now(), $4
        FROM generate_series(1, $3) n
        """, [.uuid(organization.id), .uuid(organization.unit), .int4(Int32(count)), .text(at)])
    }
    try await raise(14, "2026-01-01T00:00:00Z")
    var seen: [String] = []
    var times: [String] = []
    var target: String? = organization.path + "/alerts?limit=4&severity=warning&count=true"
    while let path = target {
      let answer = try await house.call(.get, path, as: organization.owner)
      #expect(answer.status == 200, "\(answer)")
      for alert in answer.json.elements where alert["message"]?.string == "2026-01-01T00:00:00Z" {
        seen.append(alert["id"]?.string ?? "")
        times.append(alert["triggeredAt"]?.string ?? "")
      }
      target = answer.headers["link"].map { String($0.dropFirst().prefix { $0 != ">" }) }
      try await raise(1, "2026-01-02T00:00:00Z")
      try await raise(2, "2026-01-01T00:01:00Z")
    }
    #expect(seen.count == 14)
    #expect(Set(seen).count == 14)
    #expect(times == times.sorted(by: >))
    let wrong = try await house.call(.get, organization.path + "/alerts?cursor=x", as: organization.owner)
    #expect(wrong.badFields == ["cursor"])
  }
}
