import Basics
import Crypto

/// Ed25519 over `timestamp|body`, in the headers `telnyx-signature-ed25519` and `telnyx-timestamp`.
public struct TelnyxKeys: Sendable {
  private let keys: [PublicKey]

  /// How old a message may be, and how far ahead its clock.
  static let tolerance = Duration.seconds(300)

  /// The public keys of the accounts that send, in base64 as Telnyx shows them. Nil when one of them is none.
  public init?(base64 texts: [String]) {
    var keys: [PublicKey] = []
    for text in texts {
      guard let bytes = Base64.decode(text), let key = try? PublicKey(ed25519: bytes) else { return nil }
      keys.append(key)
    }
    guard !keys.isEmpty else { return nil }
    self.keys = keys
  }

  enum Verdict { case valid, wrong, stale }

  func verdict(
    on body: ArraySlice<UInt8>, signature: ArraySlice<UInt8>, timestamp: ArraySlice<UInt8>, now: Instant
  ) -> Verdict {
    guard let signature = Base64.decode(signature), let seconds = ASCII.unsigned(timestamp), seconds < 1 << 40 else {
      return .wrong
    }
    let message = Array(timestamp) + [UInt8(ascii: "|")] + body
    guard keys.contains(where: { $0.isValid(signature, of: message) }) else { return .wrong }
    let age = now - Instant(seconds: Int64(seconds))
    return (.zero - Self.tolerance...Self.tolerance).contains(age) ? .valid : .stale
  }
}
