import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import PostgreSQL
import Testing

/// Walks the routes that change something, and looks at what each left in the audit log.
@Suite(.serialized) struct AuditedWritesTests {
  private final class Walk {
    let house: House
    let organization: House.Organization
    private var requests = 0

    init() async throws {
      house = try await House()
      organization = try await house.organization()
    }

    /// One write, which must leave exactly these entries: by whom, for which request, from where, what was and is.
    @discardableResult
    func step(
      _ method: HTTP.Method, _ path: String, _ body: String? = nil, as user: House.User? = nil, leaves events: [String]
    ) async throws -> Answer {
      requests += 1
      let user = user ?? organization.owner
      let before = try await count()
      let answer = try await house.call(
        method, path.hasPrefix("/api/") ? path : organization.path + path, as: user, body,
        headers: [("X-Request-Id", "walk-\(requests)"), ("User-Agent", "walker")])
      #expect((200..<300).contains(answer.status), "\(method.name) \(path): \(answer)")
      let rows = try await house.sql(
        """
        SELECT event_type, actor_type, actor_id, ip_address, user_agent, before IS NOT NULL, after IS NOT NULL
        FROM event_logs WHERE organization_id = $1 AND request_id = $2 ORDER BY seq
        """, [.uuid(organization.id), .text("walk-\(requests)")])
      #expect(try rows.map { try $0.text(0) } == events, "\(method.name) \(path)")
      #expect(try await count() == before + events.count, "\(method.name) \(path)")
      for row in rows {
        let who = try (1...4).map { try row.text(.index($0)) }
        #expect(who == ["user", user.id.description, "127.0.0.1", "walker"])
        let (was, becomes) = (try row.bool(5), try row.bool(6))
        #expect(was || becomes)
        if try row.text(0).hasSuffix(".updated") { #expect(was && becomes) }
      }
      return answer
    }

    func made(_ path: String, _ body: String, leaves events: [String]) async throws -> String {
      try #require(try await step(.post, path, body, leaves: events).json["id"]?.string)
    }

    private func count() async throws -> Int {
      Int(
        try await house.sql("SELECT count(*) FROM event_logs WHERE organization_id = $1", [.uuid(organization.id)])
          .first?.int(0) ?? 0)
    }

    func verified() async throws -> Bool {
      try await house.call(.get, organization.path + "/audit/verify", as: organization.owner).json["valid"]?.bool
        == true
    }
  }

  @Test func `places and devices`() async throws {
    let walk = try await Walk()
    try await walk.step(.put, "", #"{"name":"Renamed"}"#, leaves: ["organization.updated"])
    let site = try await walk.made("/sites", #"{"name":"S"}"#, leaves: ["site.created"])
    try await walk.step(.put, "/sites/\(site)", #"{"name":"T"}"#, leaves: ["site.updated"])
    let area = try await walk.made("/sites/\(site)/areas", #"{"name":"A"}"#, leaves: ["area.created"])
    try await walk.step(.patch, "/sites/\(site)/areas/\(area)", #"{"name":"B"}"#, leaves: ["area.updated"])
    let units = "/sites/\(site)/areas/\(area)/units"
    let unit = try await walk.made(
      units, #"{"name":"U","unitType":"fridge","tempMin":33,"tempMax":41}"#, leaves: ["unit.created"])
    try await walk.step(.put, "\(units)/\(unit)", #"{"tempMax":40}"#, leaves: ["unit.updated"])
    try await walk.step(.delete, "\(units)/\(unit)", leaves: ["unit.deleted"])
    try await walk.step(.post, "\(units)/\(unit)/restore", leaves: ["unit.restored"])
    let device = try await walk.made(
      "/devices", #"{"name":"D","devEui":"A84041000181C061","unitId":"\#(unit)"}"#,
      leaves: ["device.created", "device.assigned"])
    try await walk.step(.put, "/devices/\(device)", #"{"name":"E"}"#, leaves: ["device.updated"])
    try await walk.step(.delete, "/devices/\(device)", leaves: ["device.deleted"])
    try await walk.step(.post, "/devices/\(device)/restore", leaves: ["device.restored"])
    try await walk.step(.delete, "/sites/\(site)/areas/\(area)", leaves: ["area.deleted"])
    try await walk.step(.post, "/sites/\(site)/areas/\(area)/restore", leaves: ["area.restored"])
    try await walk.step(.delete, "/sites/\(site)", leaves: ["site.deleted"])
    try await walk.step(.post, "/sites/\(site)/restore", leaves: ["site.restored"])
    #expect(try await walk.verified())
  }

  @Test func `people and keys`() async throws {
    let walk = try await Walk()
    let house = walk.house
    let key = try await walk.made("/api-keys", #"{"name":"K"}"#, leaves: ["api_key.created"])
    let second = try await walk.made("/api-keys/\(key)/rotate", "{}", leaves: ["api_key.rotated"])
    try await walk.step(.delete, "/api-keys/\(key)", leaves: ["api_key.revoked"])
    try await walk.step(.delete, "/api-keys/\(second)", leaves: ["api_key.revoked"])
    let member = try await house.member(.viewer, of: walk.organization.id)
    try await walk.step(.put, "/members/\(member.id)", #"{"role":"staff"}"#, leaves: ["member.role_changed"])
    try await walk.step(.delete, "/members/\(member.id)", leaves: ["member.removed"])
    let leaver = try await house.member(.viewer, of: walk.organization.id)
    try await walk.step(.delete, "/members/\(leaver.id)", as: leaver, leaves: ["member.left"])
    let invitation = try await walk.made(
      "/invitations", #"{"email":"a@b.de","role":"staff"}"#, leaves: ["invitation.created"])
    try await walk.step(.delete, "/invitations/\(invitation)", leaves: ["invitation.revoked"])
    let open = try await walk.step(
      .post, "/invitations", #"{"email":"a@b.de","role":"staff"}"#, leaves: ["invitation.created"])
    let guest = try await house.user()
    try await walk.step(
      .post, "/api/invitations/accept", #"{"token":"\#(open.json["token"]?.string ?? "")"}"#, as: guest,
      leaves: ["invitation.accepted", "member.added"])
    try await walk.step(.patch, "/api/users/me", #"{"fullName":"Jo"}"#, as: guest, leaves: ["profile.updated"])
    #expect(try await walk.verified())
    #expect(
      try await house.sql("SELECT FROM event_logs WHERE after::text ~ 'hash' OR before::text ~ 'hash'").isEmpty)
  }

  @Test func `layouts and alerts`() async throws {
    let walk = try await Walk()
    let layout = try await walk.made(
      "/dashboard-layouts",
      #"{"entityType":"unit","entityId":"\#(walk.organization.unit)","slotNumber":1,"name":"L","layoutJson":{"a":1}}"#,
      leaves: ["dashboard_layout.created"])
    try await walk.step(
      .put, "/dashboard-layouts/\(layout)", #"{"name":"M"}"#, leaves: ["dashboard_layout.updated"])
    try await walk.step(
      .post, "/dashboard-layouts/\(layout)/default", leaves: ["dashboard_layout.made_default"])
    try await walk.step(.delete, "/dashboard-layouts/\(layout)", leaves: ["dashboard_layout.deleted"])
    let alert = try await walk.house.sql(
      """
      INSERT INTO alerts (organization_id, unit_id, alert_type, severity, triggered_at)
      VALUES ($1, $2, 'alarm_active', 'critical', now()) RETURNING id
      """, [.uuid(walk.organization.id), .uuid(walk.organization.unit)])
    let id = try #require(try alert.first?.uuid(0))
    try await walk.step(.post, "/alerts/\(id)/acknowledge", #"{"notes":"on it"}"#, leaves: ["alert.acknowledged"])
    try await walk.step(
      .post, "/alerts/\(id)/resolve", #"{"resolution":"door shut","correctiveAction":"moved the food"}"#,
      leaves: ["alert.resolved", "corrective_action.created"])
    let said = try await walk.house.sql("SELECT string_agg(after::text, '') FROM event_logs")
    for words in ["on it", "door shut", "moved the food"] { #expect(try said.first?.text(0).contains(words) == true) }
    #expect(try await walk.verified())
  }
}
