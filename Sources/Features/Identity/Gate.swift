import HTTP
import HTTPServer
import PostgreSQL

/// Makes routes that only those may pass who should. It authenticates, then authorises; the handler validates.
public struct Gate: Sendable {
  public typealias OrganizationHandler = @Sendable (Request, OrganizationScope) async throws -> Response
  public typealias UserHandler = @Sendable (Request, Principal) async throws -> Response

  let authenticator: Authenticator
  let memberships: Memberships
  let keys: APIKeys

  public init(authenticator: Authenticator, keys: APIKeys, database: Database) {
    self.authenticator = authenticator
    self.keys = keys
    memberships = Memberships(database: database)
  }

  // MARK: - Routes below /api/orgs/:organizationId

  public func get(_ pattern: String, _ minimum: Role, _ handler: @escaping OrganizationHandler) -> [Route] {
    [route(.get, pattern, minimum, handler)]
  }

  public func post(_ pattern: String, _ minimum: Role, _ handler: @escaping OrganizationHandler) -> [Route] {
    [route(.post, pattern, minimum, handler)]
  }

  /// A partial update: PUT and PATCH are the same.
  public func put(_ pattern: String, _ minimum: Role, _ handler: @escaping OrganizationHandler) -> [Route] {
    [route(.put, pattern, minimum, handler), route(.patch, pattern, minimum, handler)]
  }

  public func delete(_ pattern: String, _ minimum: Role, _ handler: @escaping OrganizationHandler) -> [Route] {
    [route(.delete, pattern, minimum, handler)]
  }

  // MARK: - Routes of any user

  public func user(_ method: Method, _ pattern: String, _ handler: @escaping UserHandler) -> [Route] {
    let authenticator = authenticator
    return [Route(method, pattern) { try await handler($0, try await authenticator.principal(of: $0)) }]
  }

  // MARK: - Passing

  private func route(
    _ method: Method, _ pattern: String, _ minimum: Role, _ handler: @escaping OrganizationHandler
  ) -> Route {
    Route(method, pattern) { request in
      let scope = try await self.scope(of: request)
      guard scope.role.satisfies(minimum) else {
        throw HTTPError.forbidden("This needs the role \(minimum.rawValue) or higher")
      }
      return try await handler(request, scope)
    }
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
