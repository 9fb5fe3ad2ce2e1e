import Basics
import Crypto

/// What lets one person in, once: 256 random bits, of which only the SHA-256 is kept.
struct InvitationToken {
  /// `fti_` and base64url.
  let text: String
  let hash: [UInt8]

  static func make() -> InvitationToken {
    let text = "fti_" + Base64.encode(SecureRandom.bytes(32), as: .url)
    return InvitationToken(text: text, hash: SHA256.hash(text.utf8))
  }

  /// The hash of what somebody brings. It is looked up whatever it is.
  static func hash(of text: String) -> [UInt8] { SHA256.hash(text.utf8) }
}
