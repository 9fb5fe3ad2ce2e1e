import Crypto
import HTTPClient

/// The key set that an issuer publishes.
func fetchKeySet(_ url: String) async throws -> JWKSet {
  let response = try await HTTPClient().send(
    HTTPClientRequest(.get, url, timeLimit: .seconds(5), bodyLimit: JWKSet.largest))
  guard response.status == 200 else { throw KeySetUnavailable(status: response.status) }
  return try JWKSet(response.body)
}

struct KeySetUnavailable: Error {
  let status: Int
}
