import Basics
import FeatureSupport
import Identity
import JSON
import PostgreSQL
import Testing

@Suite(.serialized) struct AuditTests {
  private func verify(_ house: House, _ organization: House.Organization) async throws -> JSONValue {
    try await house.call(.get, organization.path + "/audit/verify", as: organization.owner).json
  }

  @Test func `what is done is written down with who did it and for which request`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    _ = try await house.call(
      .put, organization.sitePath, as: organization.owner, #"{"name":"Other"}"#, headers: [("X-Request-Id", "r-42")])
    let rows = try await house.sql(
      """
      SELECT event_type, actor_type, actor_id, request_id, ip_address, before->>'name', after->>'name'
      FROM event_logs WHERE organization_id = $1 ORDER BY seq DESC LIMIT 1
      """, [.uuid(organization.id)])
    let row = try #require(rows.first)
    #expect(
      try (0..<7).map { try row.text(.index($0)) } == [
        "site.updated", "user", organization.owner.id.description, "r-42", "127.0.0.1", "Main", "Other",
      ])
  }

  @Test func `the chain of each organization is whole`() async throws {
    let house = try await House()
    let (one, other) = (try await house.organization(), try await house.organization())
    for organization in [one, other] {
      let result = try await verify(house, organization)
      #expect(result["valid"]?.bool == true)
      #expect(result["firstBroken"]?.isNull == true)
    }
    let rows = try await house.sql("SELECT count(*) FROM event_logs GROUP BY organization_id")
    #expect(try rows.map { try $0.int(0) } == [4, 4])
  }

  @Test(arguments: [
    ("UPDATE event_logs SET actor_id = 'someone else' WHERE seq = 2", 2),
    ("UPDATE event_logs SET after = NULL WHERE seq = 3", 3), ("DELETE FROM event_logs WHERE seq = 2", 3),
    ("DELETE FROM event_logs WHERE seq = 4", 4),
    ("UPDATE event_logs SET event_hash = event_log_hash(event_logs), before = '1' WHERE seq = 1", 1),
  ])
  func `a change of the log shows where it is`(change: String, place: Int64) async throws {
    let house = try await House()
    let organization = try await house.organization()
    await #expect(throws: DatabaseError.self) { try await house.sql(SQL(unchecked: change)) }
    try await house.sql("ALTER TABLE event_logs DISABLE TRIGGER append_only")
    try await house.sql(SQL(unchecked: change))
    #expect(try await verify(house, organization)["firstBroken"]?.int == place)
  }

  @Test func `entries that are written at the same time still make one chain`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await withThrowingTaskGroup(of: Void.self) { group in
      for number in 0..<8 {
        group.addTask {
          _ = try await house.call(
            .post, organization.path + "/sites", as: organization.owner, #"{"name":"Site \#(number)"}"#)
        }
      }
      try await group.waitForAll()
    }
    let result = try await verify(house, organization)
    #expect(result["valid"]?.bool == true)
    #expect(try await house.sql("SELECT max(seq) FROM event_logs").first?.int(0) == 12)
  }
}
