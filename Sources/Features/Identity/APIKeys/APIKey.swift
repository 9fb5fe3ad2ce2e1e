import Basics
import Crypto

/// `ft_<key id>_<secret>`: 64 bits to find it by, 256 random bits to prove it. A key of the earlier system, `ws_...`,
/// has no halves: it is found by its own hash.
struct APIKey {
  let keyId: String
  let secretHash: [UInt8]

  /// The text that its owner sees once.
  static func make() -> (key: APIKey, text: String) {
    let keyId = Hex.encode(SecureRandom.bytes(8))
    let secret = Base64.encode(SecureRandom.bytes(32), as: .url)
    return (APIKey(keyId: keyId, secretHash: SHA256.hash(secret.utf8)), "ft_\(keyId)_\(secret)")
  }

  private init(keyId: String, secretHash: [UInt8]) {
    self.keyId = keyId
    self.secretHash = secretHash
  }

  /// Nil for what cannot be a key. The secret itself is not looked into.
  init?(_ text: ArraySlice<UInt8>) {
    guard (8...512).contains(text.count) else { return nil }
    guard text.starts(with: "ft_".utf8) else {
      self.init(legacy: text)
      return
    }
    let rest = text.dropFirst(3)
    guard let mark = rest.firstIndex(of: UInt8(ascii: "_")), (1...64).contains(mark - rest.startIndex) else {
      return nil
    }
    self.init(
      keyId: String(decoding: rest[..<mark], as: UTF8.self), secretHash: SHA256.hash(rest[(mark + 1)...]))
  }

  /// What is stored for a key of the earlier system.
  init(legacy text: some Collection<UInt8>) {
    let hash = SHA256.hash(text)
    self.init(keyId: "ws_" + Hex.encode(hash.prefix(8)), secretHash: hash)
  }
}
