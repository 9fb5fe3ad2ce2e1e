import Basics
import COpenSSL
import JSON

/// The signatures this program makes or accepts (RFC 7518 section 3.1, RFC 8037 section 3.1). `none` and the symmetric
/// ones are left out on purpose: with them, a public key would be enough to make a token.
public enum SignatureAlgorithm: String, Sendable, CaseIterable {
  /// ECDSA with P-256 and SHA-256.
  case es256 = "ES256"
  /// RSASSA-PKCS1-v1_5 with SHA-256.
  case rs256 = "RS256"
  /// Ed25519.
  case edDSA = "EdDSA"
}

/// A key that cannot be used, and why.
public struct KeyError: Error, Hashable, CustomStringConvertible {
  public let reason: String

  public init(reason: String) { self.reason = reason }

  public var description: String { reason }
}

/// An `EVP_PKEY`. Nothing changes it after it is made, which is when OpenSSL 3 lets any number of threads use it.
final class KeyHandle: @unchecked Sendable {
  let pointer: OpaquePointer

  init(_ pointer: OpaquePointer) { self.pointer = pointer }

  deinit { EVP_PKEY_free(pointer) }
}

/// A key that checks signatures of one algorithm.
public struct PublicKey: Sendable {
  public let algorithm: SignatureAlgorithm
  let handle: KeyHandle

  init(algorithm: SignatureAlgorithm, handle: KeyHandle) {
    self.algorithm = algorithm
    self.handle = handle
  }

  /// The 32 bytes of an Ed25519 key (RFC 8032 section 5.1.5).
  public init(ed25519 bytes: [UInt8]) throws(KeyError) {
    self.init(algorithm: .edDSA, handle: try PublicKey.ed25519(bytes))
  }

  /// `signature` as JOSE writes it: for ES256 the 64 bytes r and s (RFC 7518 section 3.4).
  public func isValid(_ signature: [UInt8], of message: some Collection<UInt8>) -> Bool {
    var signature = signature
    switch algorithm {
    case .es256:
      guard let encoded = ECDSASignature.der(fromRaw: signature) else { return false }
      signature = encoded
    case .edDSA: guard signature.count == 64 else { return false }
    case .rs256: guard signature.count == Int(EVP_PKEY_get_size(handle.pointer)) else { return false }
    }
    let message = Array(message)
    let context = EVP_MD_CTX_new()
    defer {
      EVP_MD_CTX_free(context)
      ERR_clear_error()
    }
    let digest = algorithm == .edDSA ? nil : EVP_sha256()
    return EVP_DigestVerifyInit(context, nil, digest, nil, handle.pointer) == 1
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}

// MARK: - JSON Web Keys

extension PublicKey {
  /// A JSON Web Key (RFC 7517; members by RFC 7518 section 6 and RFC 8037 section 2).
  public init(jwk: JSONValue) throws(KeyError) {
    guard let type = jwk["kty"]?.string else { throw KeyError(reason: "no kty") }
    if jwk["d"] != nil { throw KeyError(reason: "a private key where a public one belongs") }
    if let use = jwk["use"], use.string != "sig" { throw KeyError(reason: "not for signatures") }
    if let operations = jwk["key_ops"], !operations.elements.contains(where: { $0.string == "verify" }) {
      throw KeyError(reason: "not for checking signatures")
    }
    switch type {
    case "EC":
      guard jwk["crv"]?.string == "P-256" else { throw KeyError(reason: "a curve other than P-256") }
      self.init(algorithm: .es256, handle: try PublicKey.p256(x: jwk.octets("x"), y: jwk.octets("y")))
    case "RSA":
      self.init(algorithm: .rs256, handle: try PublicKey.rsa(modulus: jwk.octets("n"), exponent: jwk.octets("e")))
    case "OKP":
      guard jwk["crv"]?.string == "Ed25519" else { throw KeyError(reason: "a curve other than Ed25519") }
      self.init(algorithm: .edDSA, handle: try PublicKey.ed25519(jwk.octets("x")))
    default: throw KeyError(reason: "a kty other than EC, RSA and OKP")
    }
    if let named = jwk["alg"], named.string != algorithm.rawValue {
      throw KeyError(reason: "an alg that does not go with its kty")
    }
  }

  private static func p256(x: [UInt8], y: [UInt8]) throws(KeyError) -> KeyHandle {
    guard x.count == 32, y.count == 32 else { throw KeyError(reason: "coordinates of other than 32 bytes") }
    let handle = read(DER.sequence(DER.p256, DER.bits([0x04] + x + y)))
    guard let handle, isSound(handle) else { throw KeyError(reason: "not a point of the curve") }
    return handle
  }

  private static func rsa(modulus: [UInt8], exponent: [UInt8]) throws(KeyError) -> KeyHandle {
    let n = modulus.drop { $0 == 0 }
    let e = exponent.drop { $0 == 0 }
    let bits = n.count * 8 - (n.first?.leadingZeroBitCount ?? 0)
    guard (2048...8192).contains(bits) else { throw KeyError(reason: "a modulus of other than 2048 to 8192 bits") }
    // With an exponent of 1, every signature is its own message.
    guard n.last.map({ $0 & 1 == 1 }) == true, e.last.map({ $0 & 1 == 1 }) == true, e.count <= 8, Array(e) != [1] else {
      throw KeyError(reason: "no RSA key")
    }
    let key = DER.sequence(DER.integer(n), DER.integer(e))
    let handle = read(DER.sequence(DER.rsa, DER.bits(key)))
    guard let handle else { throw KeyError(reason: "no RSA key") }
    return handle
  }

  private static func ed25519(_ point: [UInt8]) throws(KeyError) -> KeyHandle {
    guard point.count == 32 else { throw KeyError(reason: "a point of other than 32 bytes") }
    guard let key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, point, 32) else {
      ERR_clear_error()
      throw KeyError(reason: "no Ed25519 key")
    }
    return KeyHandle(key)
  }

  /// A key from its SubjectPublicKeyInfo (RFC 5280 section 4.1).
  private static func read(_ der: [UInt8]) -> KeyHandle? {
    defer { ERR_clear_error() }
    return der.withUnsafeBufferPointer { bytes in
      var at = bytes.baseAddress
      return d2i_PUBKEY(nil, &at, bytes.count).map(KeyHandle.init)
    }
  }

  private static func isSound(_ key: KeyHandle) -> Bool {
    defer { ERR_clear_error() }
    let context = EVP_PKEY_CTX_new_from_pkey(nil, key.pointer, nil)
    defer { EVP_PKEY_CTX_free(context) }
    return EVP_PKEY_public_check(context) == 1
  }
}

extension JSONValue {
  /// A member in base64url, as keys carry their numbers.
  fileprivate func octets(_ name: StaticString) throws(KeyError) -> [UInt8] {
    guard let bytes = self[name]?.string.flatMap({ Base64.decode($0, as: .url) }), !bytes.isEmpty else {
      throw KeyError(reason: "no \(name) in base64url")
    }
    return bytes
  }
}
