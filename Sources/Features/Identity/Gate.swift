import Forms
import HTTP
import HTTPServer
import PostgreSQL

/// Makes routes that only those may pass who should, and describes them. It authenticates, counts the request against
/// the rate of who calls, authorises, reads and checks what was sent, and then calls the handler.
///
/// A parameter of a path whose name ends in `Id` is a UUID.
public struct Gate: Sendable {
  let authenticator: Authenticator
  let memberships: Memberships
  let platform: PlatformRoles
  let keys: APIKeys
  let limiter: RateLimiter

  public init(authenticator: Authenticator, keys: APIKeys, limiter: RateLimiter, database: Database) {
    self.authenticator = authenticator
    self.keys = keys
    self.limiter = limiter
    platform = PlatformRoles(database: database)
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
    return route(method, pattern, contract, input.limit) { request, caller in
      let scope = try await self.scope(of: caller, request)
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
    return route(method, pattern, contract, input.limit) { request, caller in
      guard case .user(let principal) = caller else { throw HTTPError.unauthorized() }
      for id in ids { _ = try request.uuid(id) }
      return try await handler(request, principal, try input.read(request))
    }
  }

  /// A route of super admins.
  func platformRoute<Value>(
    _ method: Method, _ pattern: String, _ summary: String, _ input: Input<Value>, _ answers: Answers, _ room: String,
    _ handler: @escaping @Sendable (Request, PlatformScope, Value) async throws -> Response
  ) -> Route {
    let contract = Contract(
      summary, by: [.bearer, .stackAccessToken], role: PlatformRoles.superAdmin, asks: input.query, takes: input.body,
      gives: answers, room: room)
    let ids = Self.ids(of: pattern)
    return route(method, pattern, contract, input.limit) { request, caller in
      guard case .user(let principal) = caller else { throw HTTPError.unauthorized() }
      let scope = try await self.platform.scope(of: principal)
      for id in ids { _ = try request.uuid(id) }
      return try await handler(request, scope, try input.read(request))
    }
  }

  private func route(
    _ method: Method, _ pattern: String, _ contract: Contract, _ bodyLimit: Int,
    _ handler: @escaping @Sendable (Request, Caller) async throws -> Response
  ) -> Route {
    let isJSON = contract.body.map { $0.mediaType == "application/json" } ?? true
    let takesKeys = contract.credentials.contains(.apiKey)
    var route = Route(method, pattern, bodyLimit: bodyLimit, content: isJSON ? .json : .any) { request in
      let caller = try await self.caller(of: request, takesKeys: takesKeys)
      let left = try self.limiter.admit(caller.counted, now: request.received).headers
      do {
        var response = try await handler(request, caller)
        response.headers += left
        return response
      } catch var error as HTTPError {
        error.headers += left
        throw error
      }
    }
    route.contract = contract
    return route
  }

  private static func ids(of pattern: String) -> [String] {
    pattern.split(separator: "/").filter { $0.first == ":" && $0.hasSuffix("Id") }.map { String($0.dropFirst()) }
  }

  // MARK: - Callers

  /// Who calls, as far as the request proves it by itself.
  private enum Caller {
    case user(Principal)
    case apiKey(IngestScope)

    var counted: RateLimiter.Caller {
      switch self {
      case .user(let principal): .user(principal.userId)
      case .apiKey(let key): .apiKey(key.apiKeyId)
      }
    }
  }

  /// Who proves nothing is counted by address: guessing ends with 429.
  private func caller(of request: Request, takesKeys: Bool) async throws -> Caller {
    do {
      if takesKeys, !Authenticator.hasToken(request), APIKeys.hasKey(request) {
        return .apiKey(try await keys.authenticate(request, scope: .read))
      }
      return .user(try await authenticator.principal(of: request))
    } catch let error as HTTPError where error.status == .unauthorized {
      try limiter.admit(.address(request.peer), now: request.received)
      throw error
    }
  }

  /// What the caller may do in the organization of the path. An API key with the scope `read` may look.
  private func scope(of caller: Caller, _ request: Request) async throws -> OrganizationScope {
    let organizationId = try request.uuid("organizationId")
    switch caller {
    case .user(let principal): return try await memberships.scope(of: principal, in: organizationId)
    case .apiKey(let key):
      guard key.organizationId == organizationId else { throw Memberships.notAMember }
      return OrganizationScope(organizationId: key.organizationId, apiKeyId: key.apiKeyId)
    }
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
