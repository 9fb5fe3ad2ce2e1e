import JSON

/// The keys of an issuer (RFC 7517 section 5).
public struct JWKSet: Sendable {
  private var keys: [(id: String?, key: PublicKey)]

  public static let largest = 256 << 10
  public static let mostKeys = 64

  /// Keeps the keys that can check signatures. Others are left out, as section 5 asks: one key of a new kind must not
  /// lock everybody out. Throws when the text is no key set.
  public init(_ bytes: [UInt8]) throws(KeyError) {
    let root: JSONValue
    do {
      root = try JSONDocument(bytes, limits: JSONLimits(bytes: JWKSet.largest, depth: 16)).root
    } catch {
      throw KeyError(reason: "the key set is not JSON: \(error)")
    }
    guard let list = root["keys"], list.kind == .array else { throw KeyError(reason: "the key set has no keys") }
    guard list.count <= JWKSet.mostKeys else { throw KeyError(reason: "more than \(JWKSet.mostKeys) keys") }
    keys = []
    for jwk in list.elements {
      // A kid that is no string names nothing.
      if let kid = jwk["kid"], kid.kind != .string { continue }
      guard let key = try? PublicKey(jwk: jwk) else { continue }
      keys.append((jwk["kid"]?.string, key))
    }
  }

  public init(_ key: PrivateKey) { keys = [(key.keyID, key.publicKey)] }

  public var count: Int { keys.count }

  public func contains(keyID: String) -> Bool { keys.contains { $0.id == keyID } }

  /// The one key that may have signed `token`. Two keys of one name and kind are none: guessing is not ours.
  public func key(for token: JWT) throws(JWTError) -> PublicKey {
    let named = token.keyID.map { id in keys.filter { $0.id == id } } ?? keys
    guard !named.isEmpty else { throw .unknownKey(token.keyID) }
    let fitting = named.filter { $0.key.algorithm == token.algorithm }
    guard !fitting.isEmpty else { throw .unsupportedAlgorithm(token.algorithm.rawValue) }
    guard fitting.count == 1 else { throw .unknownKey(token.keyID) }
    return fitting[0].key
  }
}
