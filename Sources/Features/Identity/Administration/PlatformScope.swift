import Basics
import HTTP
import PostgreSQL

/// Proof that the caller is a super admin of the platform. It gives no membership in any organization.
struct PlatformScope: Sendable {
  let principal: Principal

  fileprivate init(principal: Principal) { self.principal = principal }
}

/// The one place where a ``PlatformScope`` is made.
struct PlatformRoles: Sendable {
  static let superAdmin = "SUPER_ADMIN"

  let database: Database

  /// 403 for everybody else.
  func scope(of principal: Principal) async throws -> PlatformScope {
    let rows = try await database.query(
      "SELECT FROM platform_roles WHERE user_id = $1 AND role = 'SUPER_ADMIN'", [.uuid(principal.userId)])
    guard !rows.isEmpty else { throw HTTPError.forbidden("This needs the platform role SUPER_ADMIN") }
    return PlatformScope(principal: principal)
  }
}

/// Work that waits somewhere to be done, for who looks after the platform.
public struct WorkQueue: Sendable {
  public struct Counts: Sendable {
    public var waiting = 0
    public var active = 0
    public var completed = 0
    public var failed = 0
    public var delayed = 0

    public init() {}
  }

  let name: String
  let counts: @Sendable () async throws -> Counts

  public init(_ name: String, counts: @escaping @Sendable () async throws -> Counts) {
    self.name = name
    self.counts = counts
  }
}
