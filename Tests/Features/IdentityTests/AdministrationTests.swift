import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import PostgreSQL
import Testing

@Suite(.serialized) struct AdministrationTests {
  private func superAdmin(_ house: House) async throws -> House.User {
    let user = try await house.user()
    let now = WallClock.system.now()
    let changed = try await house.run { try await Operator(database: $0).setSuperAdmin(user.id, to: true, now: now) }
    #expect(changed)
    return user
  }

  @Test func `only super admins, and their role gives no membership`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let admin = try await superAdmin(house)
    for (method, path) in [
      (HTTP.Method.get, "/status"), (.get, "/queues/health"), (.get, "/organizations"), (.get, "/users"),
      (.get, "/audit"),
      (.get, "/organizations/\(organization.id)"), (.delete, "/organizations/\(organization.id)"),
      (.post, "/organizations/\(organization.id)/restore"), (.post, "/organizations/\(organization.id)/purge"),
    ] {
      #expect(try await house.call(method, "/api/admin" + path).status == 401)
      #expect(try await house.call(method, "/api/admin" + path, as: organization.owner).status == 403, "\(path)")
    }
    #expect(try await house.call(.get, organization.path, as: admin).status == 403)
    #expect(try await house.call(.get, "/api/users/me", as: admin).json["isSuperAdmin"]?.bool == true)
    let now = WallClock.system.now()
    let (again, taken) = try await house.run { database in
      let office = Operator(database: database)
      return (
        try await office.setSuperAdmin(admin.id, to: true, now: now),
        try await office.setSuperAdmin(admin.id, to: false, now: now)
      )
    }
    #expect(!again)
    #expect(taken)
    #expect(try await house.call(.get, "/api/admin/status", as: admin).status == 403)
  }

  @Test func `the state of the platform in numbers`() async throws {
    let house = try await House()
    _ = try await house.organization()
    let admin = try await superAdmin(house)
    let status = try await house.call(.get, "/api/admin/status", as: admin)
    #expect(status.json["queues"]?["enabled"]?.bool == true)
    #expect(status.json["statistics"]?["organizations"]?.int == 1)
    #expect(status.json["statistics"]?["units"]?.int == 1)
    let queues = try await house.call(.get, "/api/admin/queues/health", as: admin)
    #expect(queues.json["redisEnabled"]?.bool == false)
    #expect(queues.json["queues"]?.count == 0)
  }

  @Test func `organizations and users are found`() async throws {
    let house = try await House()
    let one = try await house.organization("Northern Fish")
    _ = try await house.organization("Southern Ice")
    let admin = try await superAdmin(house)
    let all = try await house.call(.get, "/api/admin/organizations", as: admin)
    #expect(all.json.elements.map { $0["name"]?.string } == ["Northern Fish", "Southern Ice"])
    #expect(all.json[0]?["userCount"]?.int == 1)
    #expect(all.json[0]?["siteCount"]?.int == 1)
    let found = try await house.call(.get, "/api/admin/organizations?query=FISH", as: admin)
    #expect(found.json.count == 1)
    let detail = try await house.call(.get, "/api/admin/organizations/\(one.id)", as: admin)
    #expect(detail.json["users"]?[0]?["role"]?.string == "owner")
    let users = try await house.call(.get, "/api/admin/users?query=\(one.owner.id)", as: admin)
    #expect(users.json[0]?["organizationName"]?.string == "Northern Fish")
    #expect(users.json[0]?["email"]?.string == "\(one.owner.id)@example.com")
    #expect(try await house.call(.get, "/api/admin/users?query=%25", as: admin).badFields == ["query"])
    #expect(try await house.call(.get, "/api/admin/users?query=%25%25", as: admin).json.count == 0)
  }

  @Test func `a deleted organization locks everybody out at once and comes back whole`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let admin = try await superAdmin(house)
    let made = try await house.call(.post, organization.path + "/api-keys", as: organization.owner, #"{"name":"k"}"#)
    let key = [("X-API-Key", try #require(made.json["key"]?.string))]
    #expect(try await house.call(.get, "/probe/ingest", headers: key).status == 200)
    let path = "/api/admin/organizations/\(organization.id)"
    #expect(try await house.call(.delete, path, as: admin).status == 204)
    #expect(try await house.call(.get, organization.path, as: organization.owner).status == 403)
    #expect(try await house.call(.get, "/probe/ingest", headers: key).status == 401)
    #expect(try await house.call(.get, "/api/admin/organizations", as: admin).json.count == 0)
    #expect(try await house.call(.get, "/api/admin/organizations?deleted=true", as: admin).json.count == 1)
    #expect(try await house.call(.delete, path, as: admin).status == 404)
    #expect(try await house.call(.post, path + "/restore", as: admin).status == 200)
    #expect(try await house.call(.get, "/probe/ingest", headers: key).status == 200)
    let audit = try await house.call(.get, organization.path + "/audit", as: organization.owner)
    #expect(
      audit.json.elements.prefix(2).map { $0["eventType"]?.string } == [
        "organization.restored", "organization.deleted",
      ])
    #expect(audit.json[0]?["actorId"]?.string == admin.id.description)
  }

  @Test func `an organization is deleted for good only after it was deleted, and by its name`() async throws {
    let house = try await House()
    let (organization, other) = (try await house.organization("Gone"), try await house.organization("Stays"))
    let admin = try await superAdmin(house)
    _ = try await house.call(
      .post, organization.path + "/invitations", as: organization.owner, #"{"email":"a@b.de","role":"staff"}"#)
    _ = try await house.call(.post, organization.path + "/api-keys", as: organization.owner, #"{"name":"k"}"#)
    try await house.sql(
      """
      INSERT INTO sensor_readings (organization_id, unit_id, recorded_at, temperature, source)
      VALUES ($1, $2, now(), 4, 'manual')
      """, [.uuid(organization.id), .uuid(organization.unit)])
    let path = "/api/admin/organizations/\(organization.id)"
    let confirmed = #"{"confirmName":"Gone"}"#
    #expect(try await house.call(.post, path + "/purge", as: admin, confirmed).status == 409)
    #expect(try await house.call(.delete, path, as: admin).status == 204)
    let wrong = try await house.call(.post, path + "/purge", as: admin, #"{"confirmName":"gone"}"#)
    #expect(wrong.badFields == ["confirmName"])
    let purged = try await house.call(.post, path + "/purge", as: admin, confirmed)
    #expect(purged.status == 200)
    #expect(purged.json["deletedRows"]?.int ?? 0 > 10)
    #expect(try await house.call(.post, path + "/purge", as: admin, confirmed).status == 404)
    for table: SQL in ["sites", "units", "sensor_readings", "event_logs", "api_keys", "invitations", "user_roles"] {
      let rows = try await house.sql(
        "SELECT FROM " + table + " WHERE organization_id = $1", [.uuid(organization.id)])
      #expect(rows.isEmpty, "\(table)")
    }
    let whole = try await house.call(.get, other.path + "/audit/verify", as: other.owner)
    #expect(whole.json["valid"]?.bool == true)
    #expect(whole.json["entries"]?.int == 4)
  }

  @Test func `the platform's log is a chain that nobody may change`() async throws {
    let house = try await House()
    let organization = try await house.organization("Gone")
    let admin = try await superAdmin(house)
    let path = "/api/admin/organizations/\(organization.id)"
    _ = try await house.call(.delete, path, as: admin)
    _ = try await house.call(.post, path + "/purge", as: admin, #"{"confirmName":"Gone"}"#)
    let log = try await house.call(.get, "/api/admin/audit", as: admin)
    #expect(
      log.json.elements.map { $0["action"]?.string } == [
        "organization.purged", "organization.deleted", "platform_role.granted",
      ])
    #expect(log.json[0]?["details"]?["name"]?.string == "Gone")
    #expect(log.json[0]?["details"]?["entries"]?.int == 5)
    #expect(log.json[0]?["targetOrgId"]?.string == organization.id.description)
    #expect(log.json[0]?["actorId"]?.string == admin.id.description)
    let rows = try await house.sql(
      """
      SELECT bool_and(l.event_hash = platform_log_hash(l.*::platform_logs)
        AND l.previous_hash = coalesce(p.event_hash, decode(repeat('00', 32), 'hex')))
      FROM platform_logs l LEFT JOIN platform_logs p ON p.seq = l.seq - 1
      """)
    #expect(try rows.first?.bool(0) == true)
    await #expect(throws: DatabaseError.self) { try await house.sql("UPDATE platform_logs SET actor_id = 'x'") }
    await #expect(throws: DatabaseError.self) { try await house.sql("DELETE FROM platform_logs") }
    await #expect(throws: DatabaseError.self) { try await house.sql("DELETE FROM event_logs") }
  }
}
