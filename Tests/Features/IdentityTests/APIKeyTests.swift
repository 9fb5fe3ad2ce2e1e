import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import PostgreSQL
import Testing

@Suite(.serialized) struct APIKeyTests {
  private func make(_ house: House, _ organization: House.Organization, _ body: String) async throws -> Answer {
    try await house.call(.post, organization.path + "/api-keys", as: organization.owner, body)
  }

  @Test func `a key is shown once and works until it is revoked`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let made = try await make(house, organization, #"{"name":"TTN"}"#)
    #expect(made.status == 201)
    let key = try #require(made.json["key"]?.string)
    let id = try #require(made.json["id"]?.string)
    let list = try await house.call(.get, organization.path + "/api-keys", as: organization.owner)
    #expect(list.json[0]?["name"]?.string == "TTN")
    #expect(list.json[0]?["key"] == nil)
    #expect(!String(decoding: list.body, as: UTF8.self).contains(key.suffix(20)))
    for header in ["X-API-Key", "X-Webhook-Secret"] {
      let answer = try await house.call(.get, "/probe/ingest", headers: [(header, key)])
      #expect(answer.json["organizationId"]?.string == organization.id.description)
    }
    let gone = try await house.call(.delete, organization.path + "/api-keys/\(id)", as: organization.owner)
    #expect(gone.status == 204)
    // The key was used a moment ago: what is in memory must not let it in any more.
    #expect(try await house.call(.get, "/probe/ingest", headers: [("X-API-Key", key)]).status == 401)
    let again = try await house.call(.delete, organization.path + "/api-keys/\(id)", as: organization.owner)
    #expect(again.status == 404)
  }

  @Test func `what is not a valid key is refused`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let key = try #require(try await make(house, organization, #"{"name":"a"}"#).json["key"]?.string)
    for wrong in [key + "x", String(key.dropLast()), "ft_0000000000000000_" + key.suffix(43), "ws_whatever_it_is"] {
      let answer = try await house.call(.get, "/probe/ingest", headers: [("X-API-Key", wrong)])
      #expect(answer.status == 401)
    }
    #expect(try await house.call(.get, "/probe/ingest").status == 401)
  }

  @Test func `a key does only what its scopes allow`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let reading = try #require(
      try await make(house, organization, #"{"name":"r","scopes":["read"]}"#).json["key"]?.string)
    let header = [("X-API-Key", reading)]
    #expect(try await house.call(.get, "/probe/ingest", headers: header).status == 403)
    #expect(try await house.call(.get, organization.path + "/sites", headers: header).json.count == 1)
    #expect(try await house.call(.post, organization.path + "/sites", #"{"name":"x"}"#, headers: header).status == 401)
    let other = try await house.organization()
    #expect(try await house.call(.get, other.path + "/sites", headers: header).status == 403)
  }

  @Test func `a key ends when it expires`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let past = try await make(house, organization, #"{"name":"a","expiresAt":"2020-01-01T00:00:00Z"}"#)
    #expect(past.badFields == ["expiresAt"])
    let made = try await make(house, organization, #"{"name":"a","expiresAt":"2999-01-01T00:00:00Z"}"#)
    let key = try #require(made.json["key"]?.string)
    try await house.sql("UPDATE api_keys SET expires_at = now() - interval '1 second'")
    #expect(try await house.call(.get, "/probe/ingest", headers: [("X-API-Key", key)]).status == 401)
  }

  @Test func `a key of the earlier system works once it is imported`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    let secret = "ws_5f0c7c5d9c1b4bb0a2c9"
    try await house.sql(
      """
      INSERT INTO api_keys (organization_id, key_id, secret_hash, name, scopes)
      SELECT $1, 'ws_' || left(encode(hash, 'hex'), 16), hash, 'imported', '{ingest}'
      FROM sha256(convert_to($2::text, 'UTF8')) AS hash
      """, [.uuid(organization.id), .text(secret)])
    let answer = try await house.call(.get, "/probe/ingest", headers: [("X-Webhook-Secret", secret)])
    #expect(answer.json["organizationId"]?.string == organization.id.description)
  }

  @Test func `a key may be bound to a site of its own organization`() async throws {
    let house = try await House()
    let (organization, other) = (try await house.organization(), try await house.organization())
    #expect(try await make(house, organization, #"{"name":"a","siteId":"\#(organization.site)"}"#).status == 201)
    #expect(try await make(house, organization, #"{"name":"a","siteId":"\#(other.site)"}"#).badFields == ["siteId"])
  }
}
