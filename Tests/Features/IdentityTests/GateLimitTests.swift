import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import Testing

/// A limit that does not fill up while the tests run.
@Suite(.serialized) struct GateLimitTests {
  private func house(_ limit: Int) async throws -> House {
    try await House(limiter: RateLimiter(limit: limit, window: .hours(10)))
  }

  @Test func `each user has their own bucket, and answers say what is left`() async throws {
    let house = try await house(3)
    let (one, other) = (try await house.user(), try await house.user())
    for left in ["2", "1", "0"] {
      let answer = try await house.call(.get, "/api/auth/me", as: one)
      #expect(answer.status == 200)
      #expect(answer.headers["x-ratelimit-limit"] == "3")
      #expect(answer.headers["x-ratelimit-remaining"] == left)
      #expect(Int(answer.headers["x-ratelimit-reset"] ?? "") ?? 0 > 0)
    }
    let refused = try await house.call(.get, "/api/auth/me", as: one)
    #expect(refused.status == 429)
    #expect(refused.errorCode == "RATE_LIMITED")
    #expect(Int(refused.headers["retry-after"] ?? "") ?? 0 > 3600)
    #expect(refused.headers["x-ratelimit-remaining"] == "0")
    #expect(try await house.call(.get, "/api/auth/me", as: other).status == 200)
  }

  @Test func `errors count and say what is left too`() async throws {
    let house = try await house(2)
    let user = try await house.user()
    let answer = try await house.call(.get, "/api/orgs/\(UUID.v4())", as: user)
    #expect(answer.status == 403)
    #expect(answer.headers["x-ratelimit-remaining"] == "1")
  }

  @Test func `guessing ends, and does not lock out who has a good token`() async throws {
    let house = try await house(5)
    let user = try await house.user()
    let wrong = House.User(id: user.id, token: "e30.e30.e30")
    var answers: [Int] = []
    for number in 0..<7 {
      let isKey = number.isMultiple(of: 2)
      let answer = try await house.call(
        .get, isKey ? "/api/orgs/\(UUID.v4())/sites" : "/api/auth/me", as: isKey ? nil : wrong,
        headers: isKey ? [("X-API-Key", "ft_0123456789abcdef_guess\(number)")] : [])
      answers.append(answer.status)
    }
    #expect(answers == [401, 401, 401, 401, 401, 429, 429])
    #expect(try await house.call(.get, "/api/auth/me").status == 429)
    #expect(try await house.call(.get, "/api/auth/me", as: user).status == 200)
  }

  @Test func `a key that reads has a bucket of its own, and one that sends is not counted`() async throws {
    let house = try await house(8)
    let organization = try await house.organization()
    let answer = try await house.call(
      .post, organization.path + "/api-keys", as: organization.owner, #"{"name":"r","scopes":["read","ingest"]}"#)
    let key = [("X-API-Key", try #require(answer.json["key"]?.string))]
    for _ in 0..<8 { #expect(try await house.call(.get, organization.path + "/sites", headers: key).status == 200) }
    #expect(try await house.call(.get, organization.path + "/sites", headers: key).status == 429)
    for _ in 0..<20 { #expect(try await house.call(.get, "/probe/ingest", headers: key).status == 200) }
  }

  @Test func `what anyone may ask is counted by address`() async throws {
    let house = try await house(2)
    for status in [200, 200, 429] {
      #expect(try await house.call(.get, "/api/availability/email?email=a@b.de").status == status)
    }
    #expect(try await house.call(.post, "/unsubscribe?token=x").status == 429)
  }
}
