import Basics
import Crypto
import HTTP
import PostgreSQL
import Synchronization
import Telemetry

/// Tells who a request's token speaks for. A token that was believed before costs one hash until it expires or the
/// issuer's keys change.
public final class Authenticator: Sendable {
  private let verifier: JWTVerifier
  private let ring: KeyRing
  private let believed = Mutex(TwoGenerationCache<[UInt8], Believed>(capacity: 4096))

  private struct Believed {
    let principal: Principal
    let expiresAt: Instant
    let generation: Int
  }

  /// `download` gets the body of the key set of an external issuer, and throws for any answer but 200.
  public convenience init(
    _ configuration: AuthenticationConfiguration, database: Database, log: Log,
    download: @escaping @Sendable (_ url: String) async throws -> [UInt8]
  ) {
    switch configuration.mode {
    case .local:
      let issuer = LocalIssuer(configuration, database: database)
      self.init(configuration, log: log) { try await issuer.keys() }
    case .external(let url):
      self.init(configuration, log: log) { try JWKSet(try await download(url)) }
    }
  }

  init(_ configuration: AuthenticationConfiguration, log: Log, fetch: @escaping KeyRing.Fetch) {
    verifier = JWTVerifier(
      issuer: configuration.issuer, audience: configuration.audience, leeway: configuration.leeway)
    ring = KeyRing(log: log, fetch: fetch)
  }

  /// Asks the issuer for its keys again: to be called every ten minutes, so that a withdrawn key is forgotten.
  public func refresh(at now: Instant) async { await ring.ask(now: now) }

  // MARK: - Requests

  static func hasToken(_ request: Request) -> Bool { token(of: request) != nil }

  /// `Authorization: Bearer` wins over `x-stack-access-token`; an empty one counts as absent.
  private static func token(of request: Request) -> ArraySlice<UInt8>? {
    if let header = request.rawHeader("Authorization"), header.count > 7,
      ASCII.equalIgnoringCase(header.prefix(7), "Bearer ".utf8)
    {
      return header.dropFirst(7)
    }
    guard let header = request.rawHeader("x-stack-access-token"), !header.isEmpty else { return nil }
    return header
  }

  /// 401 without a token that can be believed, 503 when the issuer's keys cannot be had.
  public func principal(of request: Request) async throws(HTTPError) -> Principal {
    guard let token = Self.token(of: request) else { throw .unauthorized() }
    return try await principal(token: token, now: request.received)
  }

  func principal(token: ArraySlice<UInt8>, now: Instant) async throws(HTTPError) -> Principal {
    let keys = try await ring.keys(now: now)
    let digest = SHA256.hash(token)
    if let known = believed.withLock({ $0.value(for: digest) }), known.generation == keys.generation,
      now < known.expiresAt + verifier.leeway
    {
      return known.principal
    }
    let (claims, generation) = try await claims(of: String(decoding: token, as: UTF8.self), keys, now: now)
    guard let userId = Principal.userId(subject: claims.subject) else { throw .unauthorized("Invalid token") }
    let principal = Principal(userId: userId, email: claims.email, name: claims.name)
    believed.withLock {
      $0.insert(Believed(principal: principal, expiresAt: claims.expiresAt, generation: generation), for: digest)
    }
    return principal
  }

  private func claims(
    of token: String, _ keys: KeyRing.Keys, now: Instant
  ) async throws(HTTPError) -> (JWTClaims, generation: Int) {
    do throws(JWTError) { return (try verifier.verify(token, with: keys.set, now: now), keys.generation) } catch {
      guard case .unknownKey = error, let newer = try await ring.keys(after: keys, now: now) else {
        throw Self.refusal(error)
      }
      do throws(JWTError) { return (try verifier.verify(token, with: newer.set, now: now), newer.generation) } catch {
        throw Self.refusal(error)
      }
    }
  }

  private static func refusal(_ error: JWTError) -> HTTPError {
    switch error {
    case .expired: .unauthorized("Token expired")
    case .wrongAudience, .wrongIssuer: .unauthorized("Invalid token claims")
    case .badSignature: .unauthorized("Invalid token signature")
    case .malformed, .unsupportedAlgorithm, .unknownKey, .notYetValid: .unauthorized("Invalid token")
    }
  }
}
