import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import PostgreSQL
import Testing

@Suite(.serialized) struct APIKeyRotationTests {
  private struct Key {
    let id: String
    let text: String

    init(_ answer: Answer) throws {
      id = try #require(answer.json["id"]?.string)
      text = try #require(answer.json["key"]?.string)
    }
  }

  private func make(_ house: House, _ organization: House.Organization) async throws -> Key {
    try Key(
      try await house.call(
        .post, organization.path + "/api-keys", as: organization.owner,
        #"{"name":"TTN","siteId":"\#(organization.site)"}"#))
  }

  private func rotate(
    _ house: House, _ organization: House.Organization, _ id: String, _ body: String = "{}"
  ) async throws -> Answer {
    try await house.call(.post, organization.path + "/api-keys/\(id)/rotate", as: organization.owner, body)
  }

  private func status(_ house: House, _ key: Key) async throws -> Int {
    try await house.call(.get, "/probe/ingest", headers: [("X-API-Key", key.text)]).status
  }

  @Test func `a rotated key and its successor both work until the overlap is over`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let old = try await make(house, organization)
    #expect(try await status(house, old) == 200)
    let answer = try await rotate(house, organization, old.id, #"{"overlapSeconds":3600}"#)
    #expect(answer.status == 201)
    let new = try Key(answer)
    #expect(answer.json["name"]?.string == "TTN")
    #expect(answer.json["siteId"]?.string == organization.site.description)
    #expect(answer.json["scopes"]?[0]?.string == "ingest")
    for key in [old, new] { #expect(try await status(house, key) == 200) }
    let list = try await house.call(.get, organization.path + "/api-keys", as: organization.owner)
    #expect(list.json[0]?["familyId"]?.string == list.json[1]?["familyId"]?.string)
    #expect(list.json[0]?["expiresAt"]?.isNull == false)
    #expect(list.json[1]?["expiresAt"]?.isNull == true)
    let entry = try await house.sql(
      """
      SELECT event_type, before->>'key_id' <> after->>'key_id', after ? 'secret_hash' OR before ? 'secret_hash'
      FROM event_logs ORDER BY seq DESC LIMIT 1
      """)
    #expect(try entry.first?.text(0) == "api_key.rotated")
    #expect(try entry.first?.bool(1) == true)
    #expect(try entry.first?.bool(2) == false)
  }

  @Test func `without an overlap the old key ends at once, though it was in use`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let old = try await make(house, organization)
    #expect(try await status(house, old) == 200)
    let new = try Key(try await rotate(house, organization, old.id, #"{"overlapSeconds":0}"#))
    #expect(try await status(house, old) == 401)
    #expect(try await status(house, new) == 200)
  }

  @Test func `there are never more than two live keys of a family`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let old = try await make(house, organization)
    let new = try Key(try await rotate(house, organization, old.id))
    for id in [old.id, new.id] {
      let answer = try await rotate(house, organization, id)
      #expect(answer.status == 409)
      #expect(answer.errorCode == "TWO_KEYS_LIVE")
    }
    #expect(
      try await house.call(.delete, organization.path + "/api-keys/\(old.id)", as: organization.owner).status == 204)
    #expect(try await rotate(house, organization, old.id).status == 409)
    #expect(try await rotate(house, organization, new.id).status == 201)
  }

  @Test func `of rotations at the same time one wins`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let old = try await make(house, organization)
    let answers = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<6 { group.addTask { try await rotate(house, organization, old.id).status } }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(answers.sorted() == [201, 409, 409, 409, 409, 409])
  }

  @Test func `a key of another organization is not there`() async throws {
    let house = try await House()
    let (organization, other) = (try await house.organization(), try await house.organization())
    let key = try await make(house, other)
    #expect(try await rotate(house, organization, key.id).status == 404)
    #expect(
      try await house.call(.delete, organization.path + "/api-keys/\(key.id)", as: organization.owner).status == 404)
    #expect(try await status(house, key) == 200)
  }

  @Test func `the use of a key is written down at most once a minute`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let key = try await make(house, organization)
    func used() async throws -> Instant? {
      try await house.sql("SELECT last_used_at FROM api_keys").first?.optionalInstant(0)
    }
    #expect(try await used() == nil)
    _ = try await status(house, key)
    let first = try #require(try await used())
    // A set of keys with nothing in memory asks the database each time.
    for _ in 0..<3 { #expect(try await isAccepted(house, APIKeys(database: house.database), key)) }
    #expect(try await used() == first)
    try await house.sql("UPDATE api_keys SET last_used_at = now() - interval '61 seconds'")
    #expect(try await isAccepted(house, APIKeys(database: house.database), key))
    #expect(try await used() ?? .distantPast >= first)
  }

  private func isAccepted(_ house: House, _ keys: APIKeys, _ key: Key) async throws -> Bool {
    let text = key.text
    return try await house.run { _ in
      guard let request = Request(.get, "/", headers: ["X-API-Key": text], received: WallClock.system.now()) else {
        return false
      }
      do { _ = try await keys.authenticate(request, scope: .ingest) } catch { return false }
      return true
    }
  }

  @Test func `a key that another server revoked ends within a second`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let key = try await make(house, organization)
    let now = WallClock.system.now()
    let text = key.text
    let accepted = try await house.run { database in
      let keys = APIKeys(database: database)
      var answers: [Bool] = []
      for moment in [now, now + .milliseconds(900), now + .milliseconds(1001)] {
        if moment > now {
          try await database.execute("UPDATE api_keys SET revoked_at = now() WHERE revoked_at IS NULL")
        }
        guard let request = Request(.get, "/", headers: ["X-API-Key": text], received: moment) else { continue }
        do {
          _ = try await keys.authenticate(request, scope: .ingest)
          answers.append(true)
        } catch { answers.append(false) }
      }
      return answers
    }
    #expect(accepted == [true, true, false])
  }
}
