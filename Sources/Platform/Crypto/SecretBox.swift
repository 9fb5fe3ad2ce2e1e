import Basics

/// Seals what the program has to give back in clear one day: the credentials of providers. A secret that is only
/// compared is hashed instead.
///
/// A sealed secret is one byte for the form, four that name the key, then what ``AES256GCM`` makes. The first key
/// seals; the others only open what was sealed before they were replaced.
public struct SecretBox: Sendable {
  private struct Key: Sendable {
    let id: [UInt8]
    let cipher: AES256GCM
  }

  private let sealing: Key
  private let keys: [Key]

  private static let form: UInt8 = 1
  private static let headLength = 5

  /// Keys of 32 bytes, the newest first. Nil when there is none, or one of another length.
  public init?(keys: [[UInt8]]) {
    self.keys = keys.compactMap { key in
      AES256GCM(key: key).map { Key(id: Self.id(of: key), cipher: $0) }
    }
    guard let first = self.keys.first, self.keys.count == keys.count else { return nil }
    sealing = first
  }

  /// Nothing of the key can be learned from it.
  private static func id(of key: [UInt8]) -> [UInt8] {
    Array(HMAC.sha256(key: key, message: Array("freshtrack key id".utf8)).prefix(4))
  }

  /// `context` says where the secret belongs, as `sms_configs/<id>/telnyx_api_key`: it is not in the result, and the
  /// result does not open in another place.
  public func seal(_ secret: [UInt8], context: String) -> [UInt8] {
    let head = [Self.form] + sealing.id
    return head + sealing.cipher.seal(secret, context: head + Array(context.utf8))
  }

  /// Nil when it was sealed with a key that is not here, in another context, or was changed since.
  public func open(_ sealed: [UInt8], context: String) -> [UInt8]? {
    guard sealed.count > Self.headLength, sealed[0] == Self.form else { return nil }
    let head = Array(sealed[..<Self.headLength])
    let body = Array(sealed[Self.headLength...])
    // Two keys may have the same id, with a chance of one in four thousand million.
    for key in keys where key.id.elementsEqual(head[1...]) {
      if let secret = key.cipher.open(body, context: head + Array(context.utf8)) { return secret }
    }
    return nil
  }

  /// Sealed with the newest key. What is not should be opened and sealed anew before its key is thrown away.
  public func isCurrent(_ sealed: [UInt8]) -> Bool {
    sealed.count > Self.headLength && sealed[0] == Self.form && sealing.id.elementsEqual(sealed[1..<Self.headLength])
  }
}
