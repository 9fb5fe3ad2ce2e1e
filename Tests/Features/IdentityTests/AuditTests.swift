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
    ("UPDATE event_logs SET site_id = gen_random_uuid() WHERE seq = 2", 2),
    ("UPDATE event_logs SET user_agent = 'curl' WHERE seq = 3", 3),
    ("UPDATE event_logs SET unit_id = NULL WHERE seq = 4", 4),
    ("DELETE FROM event_logs", 4),
  ])
  func `a change of the log shows where it is`(change: String, place: Int64) async throws {
    let house = try await House()
    let organization = try await house.organization()
    await #expect(throws: DatabaseError.self) { try await house.sql(SQL(unchecked: change)) }
    try await house.sql("ALTER TABLE event_logs DISABLE TRIGGER append_only")
    try await house.sql(SQL(unchecked: change))
    #expect(try await verify(house, organization)["firstBroken"]?.int == place)
  }

  @Test(arguments: [
    // Behind the end, with a hash that is right.
    (5, ["UPDATE pretended SET seq = 5, previous_hash = event_hash, id = gen_random_uuid()"]),
    // In between, the others moved on.
    (
      2,
      [
        "UPDATE event_logs SET seq = seq + 100 WHERE seq >= 2", "UPDATE event_logs SET seq = seq - 99 WHERE seq > 100",
        "UPDATE event_log_heads SET seq = 5",
        """
        UPDATE pretended SET seq = 2, id = gen_random_uuid(),
          previous_hash = (SELECT event_hash FROM event_logs WHERE seq = 1)
        """,
      ]
    ),
  ])
  func `an entry that was inserted shows`(place: Int, steps: [String]) async throws {
    let house = try await House()
    let organization = try await house.organization()
    try await house.sql("ALTER TABLE event_logs DISABLE TRIGGER append_only")
    try await house.sql("CREATE TABLE pretended AS SELECT * FROM event_logs WHERE seq = 4")
    for step in steps { try await house.sql(SQL(unchecked: step)) }
    try await house.sql("UPDATE pretended p SET event_hash = event_log_hash(ROW(p.*)::event_logs)")
    try await house.sql("INSERT INTO event_logs SELECT * FROM pretended")
    let result = try await verify(house, organization)
    #expect(result["valid"]?.bool == false)
    // The inserted entry itself is whole: what does not fit is the one behind it, or that there is one at all.
    #expect((result["firstBroken"]?.int ?? 0) >= Int64(place))
  }

  @Test func `the end of the chain can be kept elsewhere`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let first = try await verify(house, organization)
    #expect(first["entries"]?.int == 4)
    #expect(first["lastHash"]?.string?.utf8.count == 64)
    _ = try await house.call(.put, organization.sitePath, as: organization.owner, #"{"name":"Other"}"#)
    let rows = try await house.sql(
      "SELECT encode(event_hash, 'hex') FROM event_logs WHERE seq = $1", [.int(first["entries"]?.int ?? 0 as Int64)])
    #expect(try rows.first?.text(0) == first["lastHash"]?.string)
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
