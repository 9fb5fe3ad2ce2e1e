import Basics
import Crypto
import HTTP
import JSON
import Synchronization
import Testing

@testable import Identity

/// An issuer whose keys and availability the test decides.
private final class Issuer: Sendable {
  private let state = Mutex<(key: PrivateKey?, asked: Int)>((nil, 0))

  init(_ key: PrivateKey?) { state.withLock { $0.key = key } }

  var asked: Int { state.withLock { $0.asked } }

  func use(_ key: PrivateKey?) { state.withLock { $0.key = key } }

  var authenticator: Authenticator {
    let configuration = AuthenticationConfiguration.external(issuer: "them", jwksURL: "unused", audience: "us")
    return Authenticator(configuration, log: .none) { [self] in
      let key = state.withLock { state in
        state.asked += 1
        return state.key
      }
      guard let key else { throw Away() }
      return JWKSet(key)
    }
  }

  struct Away: Error {}
}

private let start = Instant(seconds: 1_800_000_000)
private let subject = "0b5b6d0e-37b6-4f0e-9f70-c7f3c36f2a11"

private func token(_ key: PrivateKey, at now: Instant = start, audience: String = "us") throws -> ArraySlice<UInt8> {
  let claims = JSONWriter.bytes { json in
    json.object { json in
      json.field("iss", "them")
      json.field("aud", audience)
      json.field("sub", subject)
      json.field("exp", now.microseconds / 1_000_000 + 600)
    }
  }
  return try Array(JWT.sign(claims: claims, with: key).utf8)[...]
}

@Suite struct KeyRingTests {
  @Test func `without any key nobody is refused, the service is unavailable`() async throws {
    let issuer = Issuer(nil)
    let authenticator = issuer.authenticator
    let token = try token(try PrivateKey.generate())
    let error = await #expect(throws: HTTPError.self) { try await authenticator.principal(token: token, now: start) }
    #expect(error?.status == .serviceUnavailable)
  }

  @Test func `keys that are known serve on while the issuer is away`() async throws {
    let key = try PrivateKey.generate()
    let issuer = Issuer(key)
    let authenticator = issuer.authenticator
    _ = try await authenticator.principal(token: try token(key), now: start)
    issuer.use(nil)
    let later = start + .hours(5)
    await authenticator.refresh(at: later)
    let principal = try await authenticator.principal(token: try token(key, at: later), now: later)
    #expect(principal.userId == UUID(subject))
  }

  @Test func `a new key is found at once, and unknown keys ask at most once in 30 seconds`() async throws {
    let (old, new, stranger) = (try PrivateKey.generate(), try PrivateKey.generate(), try PrivateKey.generate())
    let issuer = Issuer(old)
    let authenticator = issuer.authenticator
    _ = try await authenticator.principal(token: try token(old), now: start)
    issuer.use(new)
    let later = start + .minutes(1)
    _ = try await authenticator.principal(token: try token(new), now: later)
    #expect(issuer.asked == 2)
    for second in 1...5 {
      let error = await #expect(throws: HTTPError.self) {
        try await authenticator.principal(token: try token(stranger), now: later + .seconds(second))
      }
      #expect(error?.status == .unauthorized)
    }
    #expect(issuer.asked == 2)
  }

  @Test func `a token of a withdrawn key is not believed from memory`() async throws {
    let (old, new) = (try PrivateKey.generate(), try PrivateKey.generate())
    let issuer = Issuer(old)
    let authenticator = issuer.authenticator
    let held = try token(old)
    _ = try await authenticator.principal(token: held, now: start)
    issuer.use(new)
    await authenticator.refresh(at: start + .minutes(1))
    await #expect(throws: HTTPError.self) { try await authenticator.principal(token: held, now: start + .minutes(1)) }
  }

  @Test func `a token that was believed is not believed after it expired`() async throws {
    let key = try PrivateKey.generate()
    let authenticator = Issuer(key).authenticator
    let held = try token(key)
    _ = try await authenticator.principal(token: held, now: start)
    let error = await #expect(throws: HTTPError.self) {
      try await authenticator.principal(token: held, now: start + .minutes(11))
    }
    #expect(error?.message == "Token expired")
  }

  @Test func `a token for somebody else is refused for its claims`() async throws {
    let key = try PrivateKey.generate()
    let authenticator = Issuer(key).authenticator
    let error = await #expect(throws: HTTPError.self) {
      try await authenticator.principal(token: try token(key, audience: "others"), now: start)
    }
    #expect(error?.message == "Invalid token claims")
  }

  @Test func `while the issuer is away, keys that are known go on and unknown ones are no fault of their bearer`()
    async throws
  {
    let (known, new) = (try PrivateKey.generate(), try PrivateKey.generate())
    let issuer = Issuer(known)
    let authenticator = issuer.authenticator
    _ = try await authenticator.principal(token: try token(known), now: start)
    issuer.use(nil)
    let later = start + .minutes(2)
    for second in 0..<3 {
      let now = later + .seconds(second)
      let error = await #expect(throws: HTTPError.self) {
        try await authenticator.principal(token: try token(new, at: now), now: now)
      }
      #expect(error?.status == .serviceUnavailable)
      _ = try await authenticator.principal(token: try token(known, at: now), now: now)
    }
    #expect(issuer.asked == 2)
    issuer.use(new)
    let back = later + .seconds(40)
    _ = try await authenticator.principal(token: try token(new, at: back), now: back)
  }
}
