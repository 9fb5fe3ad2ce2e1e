import COpenSSL

/// FIPS 180-4.
public enum SHA256 {
  /// 32 bytes.
  public static func hash(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    if let digest = bytes.withContiguousStorageIfAvailable(hash(buffer:)) { return digest }
    return Array(bytes).withUnsafeBufferPointer(hash(buffer:))
  }

  private static func hash(buffer: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { digest, filled in
      let done = EVP_Digest(buffer.baseAddress, buffer.count, digest.baseAddress, nil, EVP_sha256(), nil)
      precondition(done == 1, "OpenSSL without SHA-256")
      filled = 32
    }
  }
}

/// SHA-256 of what arrives in pieces.
public final class SHA256Stream {
  private let context: OpaquePointer

  public init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("OpenSSL without SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  public func update(_ bytes: [UInt8]) {
    let done = EVP_DigestUpdate(context, bytes, bytes.count)
    precondition(done == 1)
  }

  /// The digest of everything so far, 32 bytes; then it starts anew.
  public func finish() -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { digest, filled in
      let done = EVP_DigestFinal_ex(context, digest.baseAddress, nil)
      let again = EVP_DigestInit_ex(context, EVP_sha256(), nil)
      precondition(done == 1 && again == 1)
      filled = 32
    }
  }
}

/// RFC 2104.
public enum HMAC {
  /// 32 bytes.
  public static func sha256(key: [UInt8], message: [UInt8]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { code, filled in
      let done = COpenSSL.HMAC(
        EVP_sha256(), key, CInt(key.count), message, message.count, code.baseAddress, nil)
      precondition(done != nil, "OpenSSL without HMAC-SHA-256")
      filled = 32
    }
  }
}

/// Takes as long for a wrong first byte as for a wrong last one. The length is no secret.
public func constantTimeEqual(_ a: some Collection<UInt8>, _ b: some Collection<UInt8>) -> Bool {
  let a = Array(a)
  let b = Array(b)
  return a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
}
