import Basics
import Crypto

/// The header `Stripe-Signature`: `t=1492774577,v1=5257...,v1=...` ("Verify webhook signatures manually", Stripe
/// documentation). While a secret is rolled, there is one `v1` for each.
struct StripeSignature {
  private let time: Int
  private let signatures: [[UInt8]]

  /// A replay of an old message is refused after this, and one from a clock that is ahead too.
  static let tolerance = Duration.seconds(300)

  /// Nil when it cannot be read.
  init?(_ header: ArraySlice<UInt8>) {
    guard header.count <= 2048 else { return nil }
    var time: Int?
    var signatures: [[UInt8]] = []
    for item in header.split(separator: UInt8(ascii: ",")) {
      let item = item.drop { $0 == 0x20 }
      if item.starts(with: "t=".utf8) {
        guard time == nil, let seconds = ASCII.unsigned(item.dropFirst(2)), seconds < 1 << 40 else { return nil }
        time = seconds
      } else if item.starts(with: "v1=".utf8), let signature = Hex.decode(item.dropFirst(3)) {
        signatures.append(signature)
      }
    }
    guard let time, !signatures.isEmpty else { return nil }
    self.time = time
    self.signatures = signatures
  }

  enum Verdict { case valid, wrong, stale }

  func verdict(on body: ArraySlice<UInt8>, secret: String, now: Instant) -> Verdict {
    let expected = HMAC.sha256(key: Array(secret.utf8), message: Array("\(time).".utf8) + body)
    guard signatures.contains(where: { constantTimeEqual($0, expected) }) else { return .wrong }
    let age = now - Instant(seconds: Int64(time))
    return (.zero - Self.tolerance...Self.tolerance).contains(age) ? .valid : .stale
  }
}
