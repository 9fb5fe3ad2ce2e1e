import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import PostgreSQL
import Testing

@Suite(.serialized) struct LocalIssuerTests {
  private func rotate(_ house: House, overlap: Duration) async throws -> String {
    try await house.run { try await LocalIssuer(database: $0).rotate(overlap: overlap) }
  }

  private func status(_ house: House, _ user: House.User) async throws -> Int {
    try await house.call(.get, "/api/auth/me", as: user).status
  }

  @Test func `tokens of the old key are believed beside those of the new one`() async throws {
    let house = try await House()
    let before = try await house.user()
    let kid = try await rotate(house, overlap: .hours(1))
    let after = try await house.user()
    #expect(try await status(house, before) == 200)
    // The key of the second token is new to the server: it finds it without a restart.
    #expect(try await status(house, after) == 200)
    #expect(try await status(house, before) == 200)
    let header = try #require(Base64.decode(Array(after.token.utf8).split(separator: 0x2E)[0], as: .url))
    #expect(try JSONDocument(header).root["kid"]?.string == kid)
  }

  @Test func `after the overlap a server that asks again believes the new key only`() async throws {
    let house = try await House()
    let before = try await house.user()
    _ = try await rotate(house, overlap: .zero)
    let after = try await house.user()
    #expect(try await status(house, after) == 200)
    #expect(try await status(house, before) == 401)
  }

  @Test func `rotating twice leaves one key that signs`() async throws {
    let house = try await House()
    _ = try await house.user()
    for _ in 0..<2 { _ = try await rotate(house, overlap: .hours(1)) }
    let rows = try await house.sql("SELECT count(*), count(retired_at) FROM signing_keys")
    #expect(try rows.first?.int(0) == 3)
    #expect(try rows.first?.int(1) == 2)
  }
}
