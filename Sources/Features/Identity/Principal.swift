import Basics
import Crypto

/// Who a verified token speaks for.
public struct Principal: Sendable, Equatable {
  public let userId: UUID
  /// As the token claims them; they name a person to people and decide nothing.
  public let email: String?
  public let name: String?

  public init(userId: UUID, email: String? = nil, name: String? = nil) {
    self.userId = userId
    self.email = email
    self.name = name
  }

  /// The user of a token's subject. A subject that is no UUID (`auth0|5f7c…`) gets one of version 8 (RFC 9562 section
  /// 5.8) from its SHA-256, always the same.
  public static func userId(subject: String) -> UUID? {
    guard !subject.isEmpty, subject.utf8.count <= 256 else { return nil }
    if let uuid = UUID(subject) { return uuid }
    guard let hashed = UUID(bytes: SHA256.hash(Array(subject.utf8)).prefix(16)) else { return nil }
    return UUID(
      high: hashed.high & 0xFFFF_FFFF_FFFF_0FFF | 0x8000, low: hashed.low & 0x3FFF_FFFF_FFFF_FFFF | 1 << 63)
  }
}

/// Who did something, for the audit log.
public enum Actor: Sendable, Equatable {
  case user(UUID)
  case apiKey(UUID)
  case system

  var type: String {
    switch self {
    case .user: "user"
    case .apiKey: "api_key"
    case .system: "system"
    }
  }

  var id: String? {
    switch self {
    case .user(let id), .apiKey(let id): id.description
    case .system: nil
    }
  }
}
