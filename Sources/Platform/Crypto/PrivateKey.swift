import Basics
import COpenSSL
import JSON

/// A P-256 key that signs with ES256: that of the local issuer.
public struct PrivateKey: Sendable {
  private let handle: KeyHandle
  /// The public point, 32 bytes each.
  private let x: [UInt8]
  private let y: [UInt8]

  private init(_ handle: KeyHandle) throws(KeyError) {
    guard let x = PrivateKey.coordinate(handle, OSSL_PKEY_PARAM_EC_PUB_X),
      let y = PrivateKey.coordinate(handle, OSSL_PKEY_PARAM_EC_PUB_Y)
    else { throw KeyError(reason: "no P-256 key") }
    self.handle = handle
    self.x = x
    self.y = y
  }

  public static func generate() throws(KeyError) -> PrivateKey {
    defer { ERR_clear_error() }
    let context = EVP_PKEY_CTX_new_from_name(nil, "EC", nil)
    defer { EVP_PKEY_CTX_free(context) }
    var key: OpaquePointer?
    guard EVP_PKEY_keygen_init(context) == 1, EVP_PKEY_CTX_set_group_name(context, "prime256v1") == 1,
      EVP_PKEY_generate(context, &key) == 1, let key
    else { throw KeyError(reason: "OpenSSL made no key") }
    return try PrivateKey(KeyHandle(key))
  }

  // MARK: - PKCS #8 (RFC 5958), DER

  public init(pkcs8 der: [UInt8]) throws(KeyError) {
    defer { ERR_clear_error() }
    let key = der.withUnsafeBufferPointer { bytes -> OpaquePointer? in
      var at = bytes.baseAddress
      guard let info = d2i_PKCS8_PRIV_KEY_INFO(nil, &at, bytes.count) else { return nil }
      defer { PKCS8_PRIV_KEY_INFO_free(info) }
      guard let start = bytes.baseAddress, let at, at - start == bytes.count else { return nil }
      return EVP_PKCS82PKEY(info)
    }
    guard let handle = key.map(KeyHandle.init) else { throw KeyError(reason: "no private key in PKCS #8") }
    guard EVP_PKEY_is_a(handle.pointer, "EC") == 1, PrivateKey.curve(handle) == "prime256v1" else {
      throw KeyError(reason: "a key of another kind than P-256")
    }
    let context = EVP_PKEY_CTX_new_from_pkey(nil, handle.pointer, nil)
    defer { EVP_PKEY_CTX_free(context) }
    guard EVP_PKEY_check(context) == 1 else { throw KeyError(reason: "a private key that is not that of its point") }
    try self.init(handle)
  }

  /// Secret.
  public var pkcs8: [UInt8] {
    guard let info = EVP_PKEY2PKCS8(handle.pointer) else { preconditionFailure("OpenSSL cannot write a P-256 key") }
    defer { PKCS8_PRIV_KEY_INFO_free(info) }
    let length = i2d_PKCS8_PRIV_KEY_INFO(info, nil)
    precondition(length > 0)
    return [UInt8](unsafeUninitializedCapacity: Int(length)) { buffer, filled in
      var at = buffer.baseAddress
      filled = Int(i2d_PKCS8_PRIV_KEY_INFO(info, &at))
    }
  }

  // MARK: - Signing

  /// 64 bytes, r and s, over the SHA-256 of `message`.
  public func sign(_ message: [UInt8]) throws(KeyError) -> [UInt8] {
    defer { ERR_clear_error() }
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    var length = 128
    var der = [UInt8](repeating: 0, count: length)
    guard EVP_DigestSignInit(context, nil, EVP_sha256(), nil, handle.pointer) == 1,
      EVP_DigestSign(context, &der, &length, message, message.count) == 1,
      let raw = ECDSASignature.raw(fromDER: Array(der.prefix(length)))
    else { throw KeyError(reason: "OpenSSL did not sign") }
    return raw
  }

  // MARK: - The public half

  public var publicKey: PublicKey { PublicKey(algorithm: .es256, handle: handle) }

  /// The thumbprint (RFC 7638): the same for the same key, wherever it is computed.
  public var keyID: String {
    let text = #"{"crv":"P-256","kty":"EC","x":"\#(Base64.encode(x, as: .url))","y":"\#(Base64.encode(y, as: .url))"}"#
    return Base64.encode(SHA256.hash(text.utf8), as: .url)
  }

  /// Writes the public half as a JSON Web Key.
  public func writeJWK(to writer: inout JSONWriter) {
    writer.object { key in
      key.field("kty", "EC")
      key.field("crv", "P-256")
      key.field("x", Base64.encode(x, as: .url))
      key.field("y", Base64.encode(y, as: .url))
      key.field("use", "sig")
      key.field("alg", SignatureAlgorithm.es256.rawValue)
      key.field("kid", keyID)
    }
  }

  /// The key set that holds this key alone, as its verifiers fetch it.
  public var jwks: [UInt8] {
    JSONWriter.bytes { writer in
      writer.object { $0.array("keys") { writeJWK(to: &$0) } }
    }
  }

  private static func curve(_ handle: KeyHandle) -> String? {
    var name = [CChar](repeating: 0, count: 80)
    var length = 0
    guard EVP_PKEY_get_group_name(handle.pointer, &name, name.count, &length) == 1 else { return nil }
    return String(decoding: name.prefix(length).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private static func coordinate(_ handle: KeyHandle, _ name: String) -> [UInt8]? {
    var number: OpaquePointer?
    guard EVP_PKEY_get_bn_param(handle.pointer, name, &number) == 1, let number else { return nil }
    defer { BN_free(number) }
    var bytes = [UInt8](repeating: 0, count: 32)
    return BN_bn2binpad(number, &bytes, 32) == 32 ? bytes : nil
  }
}
