import Basics
import JSON

/// What a believed token says.
public struct JWTClaims: Sendable {
  /// Who it speaks for: 1 to 255 characters.
  public let subject: String
  public let email: String?
  public let name: String?
  public let expiresAt: Instant
  /// All claims, for those that only one issuer has.
  public let all: JSONValue
}

/// Believes a token or says why not (RFC 7519 section 7.2, RFC 8725). Pure: keys and time are given to it.
public struct JWTVerifier: Sendable {
  public let issuer: String
  /// Nil accepts any audience: only for an issuer that serves this program alone.
  public let audience: String?
  /// How far two clocks may differ.
  public let leeway: Duration

  public init(issuer: String, audience: String?, leeway: Duration = .seconds(30)) {
    self.issuer = issuer
    self.audience = audience
    self.leeway = leeway
  }

  public func verify(_ compact: String, with keys: JWKSet, now: Instant) throws(JWTError) -> JWTClaims {
    let token = try JWT(compact)
    if let type = token.type, !["jwt", "at+jwt"].contains(type.lowercased()) {
      throw .malformed("a typ other than JWT")
    }
    guard try keys.key(for: token).isValid(token.signature, of: token.signedBytes) else { throw .badSignature }
    return try claims(of: token, now: now)
  }

  private func claims(of token: JWT, now: Instant) throws(JWTError) -> JWTClaims {
    guard let claims = try? JSONDocument(token.payload).root, claims.kind == .object else {
      throw .malformed("the claims are no JSON object")
    }
    guard let expiry = try JWTVerifier.date(claims["exp"], "exp") else { throw .malformed("no exp") }
    guard now < expiry + leeway else { throw .expired }
    for (name, date) in [("nbf", claims["nbf"]), ("iat", claims["iat"])] {
      if let date = try JWTVerifier.date(date, name), now < date - leeway { throw .notYetValid }
    }
    guard claims["iss"]?.string == issuer else { throw .wrongIssuer }
    if let audience {
      guard let given = claims["aud"] else { throw .wrongAudience }
      guard given.string == audience || given.elements.contains(where: { $0.string == audience }) else {
        throw .wrongAudience
      }
    }
    guard let subject = claims["sub"]?.string, (1...255).contains(subject.unicodeScalars.count),
      !subject.utf8.contains(0)
    else { throw .malformed("no usable sub") }
    return JWTClaims(
      subject: subject, email: claims["email"]?.string, name: claims["name"]?.string, expiresAt: expiry, all: claims)
  }

  /// Seconds since 1970, perhaps with a fraction (RFC 7519 section 2, NumericDate). Nil when absent.
  private static func date(_ value: JSONValue?, _ name: String) throws(JWTError) -> Instant? {
    guard let value else { return nil }
    guard let microseconds = value.decimal(scale: 6, rounding: .halfAwayFromZero),
      microseconds >= 0, microseconds <= Instant.distantFuture.microseconds
    else { throw .malformed("the \(name) is no date") }
    return Instant(microseconds: microseconds)
  }
}
