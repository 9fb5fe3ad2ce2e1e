import HTTPClient

/// Fetches the public keys of a token issuer.
enum KeySets {
  struct Refused: Error, CustomStringConvertible {
    let status: Int

    var description: String { "the issuer answered \(status)" }
  }

  @Sendable static func download(_ url: String) async throws -> [UInt8] {
    let answer = try await HTTPClient(usesProxyEnvironment: true).send(
      HTTPClientRequest(.get, url, timeout: .seconds(5), connectTimeout: .seconds(3), redirects: 3))
    guard answer.isSuccess else { throw Refused(status: answer.status) }
    return answer.body
  }
}
