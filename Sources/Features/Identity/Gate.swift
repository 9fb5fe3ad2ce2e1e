import HTTP
import HTTPServer
import PostgreSQL

/// Makes routes that only those may pass who should, and describes them. It authenticates, authorises, reads and checks
/// what was sent, and then calls the handler.
///
/// A parameter of a path whose name ends in `Id` is a UUID.
public struct Gate: Sendable {
  let authenticator: Authenticator
  let memberships: Memberships
  let keys: APIKeys

  public init(authenticator: Authenticator, keys: APIKeys, database: Database) {
    self.authenticator = authenticator
    self.keys = keys
    memberships = Memberships(database: database)
  }

  // MARK: - Passing

  /// A route below `/api/orgs/:organizationId`.
  func route<Value>(
    _ method: Method, _ pattern: String, _ minimum: Role, _ summary: String, _ input: Input<Value>,
    _ answers: Answers, _ room: String,
    _ handler: @escaping @Sendable (Request, OrganizationScope, Value) async throws -> Response
  ) -> Route {
    let credentials: [Credential] =
      method == .get ? [.bearer, .stackAccessToken, .apiKey] : [.bearer, .stackAccessToken]
    let contract = Contract(
      summary, by: credentials, role: minimum.rawValue, asks: input.query, takes: input.body, gives: answers,
      room: room)
    let ids = Self.ids(of: pattern)
    return route(method, pattern, contract, input.limit) { request in
      let scope = try await self.scope(of: request)
      guard scope.role.satisfies(minimum) else {
        throw HTTPError.forbidden("This needs the role \(minimum.rawValue) or higher")
      }
      for id in ids { _ = try request.uuid(id) }
      return try await handler(request, scope, try input.read(request))
    }
  }

  /// A route of any user.
  func route<Value>(
    _ method: Method, _ pattern: String, _ summary: String, _ input: Input<Value>, _ answers: Answers, _ room: String,
    _ handler: @escaping @Sendable (Request, Principal, Value) async throws -> Response
  ) -> Route {
    let contract = Contract(
      summary, by: [.bearer, .stackAccessToken], asks: input.query, takes: input.body, gives: answers, room: room)
    let ids = Self.ids(of: pattern)
    let authenticator = authenticator
    return route(method, pattern, contract, input.limit) { request in
      let principal = try await authenticator.principal(of: request)
      for id in ids { _ = try request.uuid(id) }
      return try await handler(request, principal, try input.read(request))
    }
  }

  private func route(
    _ method: Method, _ pattern: String, _ contract: Contract, _ bodyLimit: Int,
    _ handler: @escaping @Sendable (Request) async throws -> Response
  ) -> Route {
    let isJSON = contract.body.map { $0.mediaType == "application/json" } ?? true
    var route = Route(method, pattern, bodyLimit: bodyLimit, content: isJSON ? .json : .any, handler)
    route.contract = contract
    return route
  }

  private static func ids(of pattern: String) -> [String] {
    pattern.split(separator: "/").filter { $0.first == ":" && $0.hasSuffix("Id") }.map { String($0.dropFirst()) }
  }

  /// What the caller may do in the organization of the path. An API key with the scope `read` may look.
  func scope(of request: Request) async throws -> OrganizationScope {
    if request.method == .get, !Authenticator.hasToken(request), APIKeys.hasKey(request) {
      let key = try await keys.authenticate(request, scope: .read)
      guard key.organizationId == (try request.uuid("organizationId")) else { throw Memberships.notAMember }
      return OrganizationScope(organizationId: key.organizationId, apiKeyId: key.apiKeyId)
    }
    let principal = try await authenticator.principal(of: request)
    return try await memberships.scope(of: principal, in: try request.uuid("organizationId"))
  }
}

extension Credential {
  public static let bearer = Credential(
    "bearer", header: "Authorization", isBearer: true, note: "The access token of a user.")
  public static let stackAccessToken = Credential(
    "stackAccessToken", header: "x-stack-access-token", note: "The access token of a user.")
  public static let apiKey = Credential("apiKey", header: "X-API-Key", note: "An API key of the organization.")
  public static let webhookSecret = Credential(
    "webhookSecret", header: "X-Webhook-Secret", note: "An API key of the organization, in the header of older senders."
  )
}
