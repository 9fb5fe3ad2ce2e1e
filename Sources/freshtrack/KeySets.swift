import HTTP
import HTTPClient

/// Fetches the public keys of a token issuer.
enum KeySets {
  @Sendable static func download(_ url: String) async throws -> [UInt8] {
    throw HTTPError.unavailable()
  }
}
