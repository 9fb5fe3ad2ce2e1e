import Basics
import Crypto
import FeatureSupport
import HTTP
import Identity
import JSON
import Testing

@Suite(.serialized) struct UnsubscribeTests {
  private func token(
    _ house: House, _ user: House.User, _ kind: DigestKind, at now: Instant = WallClock.system.now(),
    secret: String? = House.unsubscribeSecret
  ) async throws -> String {
    try await house.run { database in
      try await UnsubscribeTokens(secret: secret, database: database)
        .token(for: Unsubscription(userId: user.id, kind: kind), now: now)
    }
  }

  private func subscribed(_ house: House) async throws -> House.User {
    let user = try await house.user()
    _ = try await house.call(
      .patch, "/api/preferences/digest", as: user, #"{"digestDaily":true,"digestWeekly":true}"#)
    return user
  }

  private func digests(_ house: House, _ user: House.User) async throws -> [Bool?] {
    let answer = try await house.call(.get, "/api/preferences/digest", as: user)
    return [answer.json["digestDaily"]?.bool, answer.json["digestWeekly"]?.bool]
  }

  @Test func `the link shows a page and changes nothing`() async throws {
    let house = try await House()
    let user = try await subscribed(house)
    let token = try await token(house, user, .all)
    let page = try await house.call(.get, "/unsubscribe?token=\(token)")
    #expect(page.status == 200)
    #expect(page.headers["content-type"]?.hasPrefix("text/html") == true)
    #expect(page.headers["content-security-policy"]?.contains("form-action 'self'") == true)
    #expect(String(decoding: page.body, as: UTF8.self).contains(#"<form method="post""#))
    #expect(try await digests(house, user) == [true, true])
  }

  @Test(arguments: [(DigestKind.daily, [false, true]), (.weekly, [true, false]), (.all, [false, false])])
  func `the button ends what the link is for`(kind: DigestKind, left: [Bool]) async throws {
    let house = try await House()
    let user = try await subscribed(house)
    let token = try await token(house, user, kind)
    for _ in 0..<2 {
      let answer = try await house.call(
        .post, "/unsubscribe?token=\(token)", headers: [("Content-Type", "application/x-www-form-urlencoded")])
      #expect(answer.status == 200)
      #expect(answer.json["success"]?.bool == true)
      #expect(answer.json["type"]?.string == kind.rawValue)
    }
    #expect(try await digests(house, user) == left)
    let page = try await house.call(.post, "/unsubscribe?token=\(token)", headers: [("Accept", "text/html")])
    #expect(page.headers["content-type"]?.hasPrefix("text/html") == true)
  }

  @Test func `what was not signed here, or is over, does nothing`() async throws {
    let house = try await House()
    let user = try await subscribed(house)
    let good = try await token(house, user, .all)
    let parts = good.split(separator: ".").map(String.init)
    let none = Base64.encode(Array(#"{"alg":"none"}"#.utf8), as: .url)
    let signedNone = none + "." + parts[1]
    let code = HMAC.sha256(key: Array(House.unsubscribeSecret.utf8), message: Array(signedNone.utf8))
    let wrong = [
      "", "x", good + "x", String(good.dropLast()), parts[0] + "." + parts[1] + ".",
      signedNone + "." + Base64.encode(code, as: .url), signedNone + ".", user.token,
      try await token(house, user, .all, secret: "another"), try await token(house, user, .all, secret: nil),
      try await token(house, user, .all, at: WallClock.system.now() - .days(31)),
    ]
    for token in wrong {
      #expect(try await house.call(.post, "/unsubscribe?token=\(token)").status == 400)
      #expect(try await house.call(.get, "/unsubscribe?token=\(token)").status == 400)
    }
    #expect(try await digests(house, user) == [true, true])
  }

  @Test func `a link of the earlier system works on with its secret`() async throws {
    let house = try await House()
    let user = try await subscribed(house)
    let end = WallClock.system.now().microseconds / 1_000_000 + 600
    let claims = #"{"userId":"\#(user.id)","type":"daily","iat":1,"exp":\#(end)}"#
    let signed =
      Base64.encode(Array(#"{"typ":"JWT","alg":"HS256"}"#.utf8), as: .url) + "."
      + Base64.encode(Array(claims.utf8), as: .url)
    let code = HMAC.sha256(key: Array(House.unsubscribeSecret.utf8), message: Array(signed.utf8))
    let answer = try await house.call(.post, "/unsubscribe?token=\(signed).\(Base64.encode(code, as: .url))")
    #expect(answer.status == 200)
    #expect(try await digests(house, user) == [false, true])
  }

  @Test func `without a secret in the settings one is made and shared`() async throws {
    let house = try await House()
    let user = try await house.user()
    let now = WallClock.system.now()
    let (one, other) = (
      try await token(house, user, .all, at: now, secret: nil), try await token(house, user, .all, at: now, secret: nil)
    )
    #expect(one == other)
    #expect(try await house.sql("SELECT FROM server_secrets").count == 1)
  }

  @Test func `what a link claims about a token is escaped on the page`() async throws {
    let house = try await House()
    let page = try await house.call(.get, "/unsubscribe?token=%22%3E%3Cscript%3E")
    #expect(!String(decoding: page.body, as: UTF8.self).contains("<script"))
  }
}
