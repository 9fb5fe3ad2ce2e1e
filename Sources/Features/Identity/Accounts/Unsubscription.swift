import Basics
import Crypto
import JSON
import PostgreSQL

/// Which digests somebody does not want any more.
public enum DigestKind: String, Sendable, CaseIterable {
  case daily
  case weekly
  case all
}

/// The right to end somebody's digests without signing in: what stands in the links of mails.
public struct Unsubscription: Sendable, Equatable {
  public let userId: UUID
  public let kind: DigestKind

  public init(userId: UUID, kind: DigestKind) {
    self.userId = userId
    self.kind = kind
  }
}

/// Makes and reads the tokens of unsubscribe links: JWTs with HS256 (RFC 7515 appendix A.1) and the claims that the
/// earlier system used, `userId`, `type`, `iat` and `exp`, so that its links work on with its secret.
public struct UnsubscribeTokens: Sendable {
  /// Links in mails of the last month still work.
  public static let lifetime = Duration.days(30)

  private let secret: [UInt8]?
  private let secrets: ServerSecrets

  /// `secret` nil: one that is made in the database on first use.
  public init(secret: String?, database: Database) {
    self.secret = secret.map { Array($0.utf8) }
    secrets = ServerSecrets(database: database)
  }

  private func key() async throws -> [UInt8] {
    if let secret { return secret }
    return try await secrets.value("unsubscribe")
  }

  public func token(for wish: Unsubscription, now: Instant) async throws -> String {
    let claims = JSONWriter.bytes { json in
      json.object { json in
        json.field("userId", wish.userId)
        json.field("type", wish.kind.rawValue)
        json.field("iat", now.microseconds / 1_000_000)
        json.field("exp", (now + Self.lifetime).microseconds / 1_000_000)
      }
    }
    let signed =
      Base64.encode(Array(#"{"alg":"HS256","typ":"JWT"}"#.utf8), as: .url) + "." + Base64.encode(claims, as: .url)
    return signed + "." + Base64.encode(HMAC.sha256(key: try await key(), message: Array(signed.utf8)), as: .url)
  }

  /// Nil for what was not signed here or is over.
  func read(_ token: String, now: Instant) async throws -> Unsubscription? {
    let bytes = Array(token.utf8)
    guard bytes.count <= 2048 else { return nil }
    let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 3, let header = Base64.decode(parts[0], as: .url),
      let claims = Base64.decode(parts[1], as: .url),
      let signature = Base64.decode(parts[2], as: .url)
    else { return nil }
    let computed = HMAC.sha256(key: try await key(), message: Array(bytes[..<parts[1].endIndex]))
    guard constantTimeEqual(computed, signature), let head = try? JSONDocument(header).root,
      head["alg"]?.string == "HS256", let body = try? JSONDocument(claims).root,
      let userId = body["userId"]?.string.flatMap(Principal.userId(subject:)),
      let kind = body["type"]?.string.flatMap(DigestKind.init(rawValue:)), let end = body["exp"]?.int,
      end > 0, end < 253_402_300_800, now < Instant(seconds: end)
    else { return nil }
    return Unsubscription(userId: userId, kind: kind)
  }
}
