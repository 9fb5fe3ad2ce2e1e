import Basics
import COpenSSL

/// Secrets at rest: AES-256 in Galois/Counter Mode (NIST SP 800-38D), a fresh random 96-bit nonce for each message.
///
/// Random nonces are safe for 2^32 messages under one key; a table of tokens and phone numbers stays far below.
public struct AES256GCM: Sendable {
  private let key: [UInt8]

  private static let nonceLength = 12
  private static let tagLength = 16

  /// Nil unless `key` has 32 bytes.
  public init?(key: [UInt8]) {
    guard key.count == 32 else { return nil }
    self.key = key
  }

  /// Nonce, ciphertext, tag. `context` is not in it, but ``open(_:context:)`` needs the same: a row's id keeps a
  /// sealed value from being moved to another row.
  public func seal(_ plaintext: [UInt8], context: [UInt8] = []) -> [UInt8] {
    let nonce = SecureRandom.bytes(AES256GCM.nonceLength)
    return nonce + seal(plaintext, context: context, nonce: nonce)
  }

  /// Ciphertext and tag.
  func seal(_ plaintext: [UInt8], context: [UInt8], nonce: [UInt8]) -> [UInt8] {
    let cipher = EVP_CIPHER_CTX_new()
    defer { EVP_CIPHER_CTX_free(cipher) }
    var output = [UInt8](repeating: 0, count: plaintext.count)
    var tag = [UInt8](repeating: 0, count: AES256GCM.tagLength)
    var length: CInt = 0
    let done =
      EVP_EncryptInit_ex(cipher, EVP_aes_256_gcm(), nil, key, nonce) == 1
      && (context.isEmpty || EVP_EncryptUpdate(cipher, nil, &length, context, CInt(context.count)) == 1)
      && (plaintext.isEmpty || EVP_EncryptUpdate(cipher, &output, &length, plaintext, CInt(plaintext.count)) == 1)
      && EVP_EncryptFinal_ex(cipher, &tag, &length) == 1
      && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, CInt(tag.count), &tag) == 1
    precondition(done, "OpenSSL without AES-256-GCM")
    return output + tag
  }

  /// Nil when the bytes, the key or the context are not those that were sealed.
  public func open(_ sealed: [UInt8], context: [UInt8] = []) -> [UInt8]? {
    let overhead = AES256GCM.nonceLength + AES256GCM.tagLength
    guard sealed.count >= overhead, sealed.count <= 1 << 30 else { return nil }
    let nonce = Array(sealed.prefix(AES256GCM.nonceLength))
    let ciphertext = Array(sealed[AES256GCM.nonceLength..<sealed.count - AES256GCM.tagLength])
    var tag = Array(sealed.suffix(AES256GCM.tagLength))
    let cipher = EVP_CIPHER_CTX_new()
    defer { EVP_CIPHER_CTX_free(cipher) }
    var output = [UInt8](repeating: 0, count: ciphertext.count)
    var rest = [UInt8](repeating: 0, count: 16)
    var length: CInt = 0
    let opened =
      EVP_DecryptInit_ex(cipher, EVP_aes_256_gcm(), nil, key, nonce) == 1
      && (context.isEmpty || EVP_DecryptUpdate(cipher, nil, &length, context, CInt(context.count)) == 1)
      && (ciphertext.isEmpty || EVP_DecryptUpdate(cipher, &output, &length, ciphertext, CInt(ciphertext.count)) == 1)
      && EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, CInt(tag.count), &tag) == 1
      && EVP_DecryptFinal_ex(cipher, &rest, &length) == 1
    guard opened else {
      ERR_clear_error()
      return nil
    }
    return output
  }
}
