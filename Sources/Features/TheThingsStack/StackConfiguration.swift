import Basics
import Crypto
import HTTP
import HTTPClient

/// What the operator decided about The Things Stack.
public struct StackConfiguration: Sendable {
  public var http: HTTPClient
  /// Nil: API keys cannot be stored, and nothing here works.
  public var secrets: SecretBox?
  /// One installation of The Things Stack for everybody, such as `https://lns.example.com`. Nil: each connection names its cluster.
  public var url: String?
  /// Under which this program can be reached from outside, such as `https://cold.example.com`.
  public var publicURL: String?
  public var clock: WallClock

  public init(
    http: HTTPClient, secrets: SecretBox?, url: String? = nil, publicURL: String? = nil, clock: WallClock = .system
  ) {
    self.http = http
    self.secrets = secrets
    self.url = url.map(Self.trimmed)
    self.publicURL = publicURL.map(Self.trimmed)
    self.clock = clock
  }

  private static func trimmed(_ url: String) -> String {
    var url = url[...]
    while url.hasSuffix("/") { url = url.dropLast() }
    return String(url)
  }

  /// Nil without an API key that can be opened.
  func client(of connection: TTNConnection) -> StackClient? {
    guard let sealed = connection.sealedKey,
      let key = secrets?.open(sealed, context: TTNConnection.keyContext(connection.id))
    else { return nil }
    let base = url ?? "https://\(connection.cluster.host)"
    let host = base.split(separator: "/", maxSplits: 2).last.map { $0.prefix { $0 != "/" } } ?? ""
    return StackClient(
      http: http, base: base, host: String(host), application: connection.applicationId,
      key: String(decoding: key, as: UTF8.self))
  }
}

/// An organization's application at The Things Stack, as it is stored.
struct TTNConnection: Sendable {
  let id: UUID
  let organizationId: UUID
  let cluster: Cluster
  let applicationId: String
  let sealedKey: [UInt8]?
  let webhookId: String?
  let storageHours: Int
  let ingestKeyId: UUID?
  let isActive: Bool

  /// Where the sealed key belongs.
  static func keyContext(_ id: UUID) -> String { "ttn_connections/\(id)/api_key" }
}

extension HTTPError {
  /// The organization has not said how to reach its application.
  static let ttnNotConfigured = badRequest("TTN connection not configured", code: "INVALID_INPUT")

  /// What The Things Stack refused is the fault of the request; that it does not answer is nobody's.
  static func stack(_ error: StackError, _ what: String) -> HTTPError {
    switch error {
    case .rateLimited(let wait):
      .unavailable("\(what): \(error.message)", retryAfter: Int(wait.components.seconds))
    case _ where error.isTransient: .unavailable("\(what): \(error.message)", retryAfter: 30)
    default: .badRequest("\(what): \(error.message)", code: "INVALID_INPUT")
    }
  }
}
