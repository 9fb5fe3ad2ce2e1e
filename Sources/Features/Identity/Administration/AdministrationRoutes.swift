import Basics
import Forms
import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// For the super admins of the platform.
public struct AdministrationRoutes: Sendable {
  let store: AdministrationStore
  let purges: OrganizationPurge
  let keys: APIKeys
  let queues: [WorkQueue]

  /// `queues`: what waits to be done, in this process and in the database.
  public init(database: Database, keys: APIKeys, queues: [WorkQueue]) {
    store = AdministrationStore(database: database)
    purges = OrganizationPurge(database: database)
    self.keys = keys
    self.queues = queues
  }

  public func routes(_ gate: Gate) -> [Route] {
    let organizations = "/api/admin/organizations"
    let one = organizations + "/:organizationId"
    return Array(
      [
        gate.platform(.get, "/api/admin/status", "What there is", gives: .one(.platformStatus), status),
        gate.platform(.get, "/api/admin/queues/health", "What waits", gives: .one(.queueHealth), queueHealth),
        gate.platform(
          .get, organizations, "Organizations by name", asks: OrganizationSearch.init, gives: .list(.adminOrganization),
          listOrganizations),
        gate.platform(
          .get, one, "An organization with its members", gives: .one(.adminOrganizationUsers), organization),
        gate.platform(.delete, one, "Delete an organization; it can be restored", gives: .nothing, delete),
        gate.platform(.post, one + "/restore", "Restore an organization", gives: .one(.adminOrganization), restore),
        gate.platform(
          .post, one + "/purge", "Delete a deleted organization for good",
          takes: .fields { $0.string("confirmName", 1...256) }, gives: .one(.purged), purge),
        gate.platform(.get, "/api/admin/users", "Users", asks: UserSearch.init, gives: .list(.adminUser), users),
        gate.platform(
          .get, "/api/admin/audit", "What super admins did", asks: PlatformLogQuery.init, gives: .list(.platformLog),
          log
        ),
      ].joined())
  }

  @Sendable func status(_ request: Request, _ scope: PlatformScope) async throws -> Response {
    guard let statistics = try await store.statistics(scope).json.firstObject else { throw HTTPError.internal }
    return .json { json in
      json.object { json in
        json.object("queues") { json in
          json.field("enabled", true)
          json.field("count", queues.count)
        }
        json.key("statistics")
        json.raw(statistics)
        json.field("timestamp", request.received)
      }
    }
  }

  /// A queue that cannot be asked says so; the others answer.
  @Sendable func queueHealth(_ request: Request, _ scope: PlatformScope) async throws -> Response {
    var found: [(name: String, counts: WorkQueue.Counts?)] = []
    for queue in queues { found.append((queue.name, try? await queue.counts())) }
    return .json { json in
      json.object { json in
        json.field("redisEnabled", false)
        json.array("queues") { json in
          for queue in found { Self.write(queue.name, queue.counts, to: &json) }
        }
        json.field("timestamp", request.received)
      }
    }
  }

  private static func write(_ name: String, _ counts: WorkQueue.Counts?, to json: inout JSONWriter) {
    json.object { json in
      json.field("name", name)
      guard let counts else { return json.field("error", "it cannot be asked now") }
      json.object("counts") { json in
        json.field("waiting", counts.waiting)
        json.field("active", counts.active)
        json.field("completed", counts.completed)
        json.field("failed", counts.failed)
        json.field("delayed", counts.delayed)
      }
    }
  }

  // MARK: - Organizations

  @Sendable func listOrganizations(
    _ request: Request, _ scope: PlatformScope, _ wanted: OrganizationSearch
  ) async throws -> Response {
    .rows(try await store.organizations(wanted, scope).json)
  }

  @Sendable func organization(_ request: Request, _ scope: PlatformScope) async throws -> Response {
    try .row(await store.organization(try request.uuid("organizationId"), scope), or: "Organization")
  }

  @Sendable func delete(_ request: Request, _ scope: PlatformScope) async throws -> Response {
    guard try await store.delete(try request.uuid("organizationId"), scope, request) else {
      throw HTTPError.notFound("Organization")
    }
    keys.forgetAll()
    return .noContent
  }

  @Sendable func restore(_ request: Request, _ scope: PlatformScope) async throws -> Response {
    do {
      let rows = try await store.restore(try request.uuid("organizationId"), scope, request)
      keys.forgetAll()
      return try .row(rows, or: "Deleted organization")
    } catch let error as DatabaseError where error.violated == "organizations_slug" {
      throw HTTPError.conflict("Another organization has its slug now")
    }
  }

  @Sendable func purge(_ request: Request, _ scope: PlatformScope, _ name: String) async throws -> Response {
    let id = try request.uuid("organizationId")
    try await purges.begin(id, confirming: name, scope, request)
    let progress = try await purges.run(id, within: .seconds(20))
    return .json { json in
      json.object { json in
        json.field("success", true)
        json.field("deletedRows", progress.rows)
        json.field("done", progress.isOver)
      }
    }
  }

  // MARK: - People

  @Sendable func users(_ request: Request, _ scope: PlatformScope, _ wanted: UserSearch) async throws -> Response {
    .rows(try await store.users(wanted, scope).json)
  }

  @Sendable func log(_ request: Request, _ scope: PlatformScope, _ wanted: PlatformLogQuery) async throws -> Response {
    let rows = try await store.log(wanted, scope)
    let response = Response.rows(rows.json)
    guard rows.count == wanted.limit, let last = rows.last else { return response }
    return response.with(.link, request.next(after: try last.int("seq")))
  }
}
