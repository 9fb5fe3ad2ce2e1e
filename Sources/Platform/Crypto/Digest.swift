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
