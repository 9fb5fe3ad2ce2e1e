import Basics
import FeatureSupport
import HTTP
import Identity
import JSON
import Testing

/// What each role may do, as a table. A request that is let through may still be wrong: only 403 means "not you".
@Suite(.serialized) struct RoleMatrixTests {
  private struct Action {
    let name: String
    let method: HTTP.Method
    /// Below the organization.
    let path: String
    let roles: Set<Role>

    init(_ name: String, _ method: HTTP.Method, _ path: String, _ roles: Set<Role>) {
      self.name = name
      self.method = method
      self.path = path
      self.roles = roles
    }
  }

  private static let everybody = Set(Role.allCases)
  private static let fromStaff: Set<Role> = [.staff, .manager, .admin, .owner]
  private static let fromManager: Set<Role> = [.manager, .admin, .owner]
  private static let fromAdmin: Set<Role> = [.admin, .owner]

  private static func actions(_ organization: House.Organization) -> [Action] {
    let id = UUID.v4().description
    let unit = "/sites/\(organization.site)/areas/\(organization.area)/units/\(organization.unit)"
    return [
      Action("see the organization", .get, "", everybody), Action("see sites", .get, "/sites", everybody),
      Action("see units", .get, "/units", everybody), Action("see devices", .get, "/devices", everybody),
      Action("see readings", .get, unit + "/readings", everybody), Action("see alerts", .get, "/alerts", everybody),
      Action("see members", .get, "/members", everybody),
      Action("see own layouts", .get, "/dashboard-layouts", everybody),
      Action("change the organization", .put, "", fromAdmin),
      Action("change roles", .put, "/members/\(id)", fromAdmin), Action("invite", .post, "/invitations", fromAdmin),
      Action("see invitations", .get, "/invitations", fromAdmin),
      Action("revoke an invitation", .delete, "/invitations/\(id)", fromAdmin),
      Action("see the audit log", .get, "/audit", fromAdmin),
      Action("verify the audit log", .get, "/audit/verify", fromAdmin),
      Action("see API keys", .get, "/api-keys", fromAdmin), Action("make an API key", .post, "/api-keys", fromAdmin),
      Action("rotate an API key", .post, "/api-keys/\(id)/rotate", fromAdmin),
      Action("revoke an API key", .delete, "/api-keys/\(id)", fromAdmin),
      Action("create a site", .post, "/sites", fromAdmin), Action("delete a site", .delete, "/sites/\(id)", fromAdmin),
      Action("create an area", .post, "/sites/\(organization.site)/areas", fromAdmin),
      Action("create a device", .post, "/devices", fromAdmin),
      Action("delete a device", .delete, "/devices/\(id)", fromAdmin), Action("edit a unit", .put, unit, fromManager),
      Action("arrange a dashboard", .post, "/dashboard-layouts", fromManager),
      Action("acknowledge an alert", .post, "/alerts/\(id)/acknowledge", fromStaff),
      Action("resolve an alert", .post, "/alerts/\(id)/resolve", fromStaff),
    ]
  }

  @Test func `each role may do what the matrix says and nothing else`() async throws {
    let house = try await House()
    let organization = try await house.organization()
    for role in Role.allCases {
      let member = try await house.member(role, of: organization.id)
      for action in Self.actions(organization) {
        let body = [.get, .delete].contains(action.method) ? nil : #"{"name":7}"#
        let answer = try await house.call(action.method, organization.path + action.path, as: member, body)
        let isAllowed = answer.status != 403
        #expect(isAllowed == action.roles.contains(role), "\(role.rawValue) \(action.name): \(answer)")
        #expect(answer.status != 401 && answer.status < 500, "\(role.rawValue) \(action.name): \(answer)")
      }
    }
  }

  @Test func `who is in another organization may nothing here`() async throws {
    let house = try await House()
    let (organization, other) = (try await house.organization(), try await house.organization())
    for action in Self.actions(organization) {
      let body = [.get, .delete].contains(action.method) ? nil : #"{"name":7}"#
      let answer = try await house.call(action.method, organization.path + action.path, as: other.owner, body)
      #expect(answer.status == 403, "\(action.name)")
    }
  }
}
