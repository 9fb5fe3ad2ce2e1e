import Basics
import HTTP
import PostgreSQL

/// The one place where an ``OrganizationScope`` is made for a user.
struct Memberships: Sendable {
  let database: Database

  /// The same for an organization that does not exist: who is outside learns nothing.
  static let notAMember = HTTPError.forbidden("You are not a member of this organization")

  /// Also makes the profile of a member who calls for the first time.
  func scope(of principal: Principal, in organizationId: UUID) async throws -> OrganizationScope {
    let rows = try await database.query(
      """
      SELECT r.role, p.id FROM user_roles r
      JOIN organizations o ON o.id = r.organization_id AND o.deleted_at IS NULL
      LEFT JOIN profiles p ON p.organization_id = r.organization_id AND p.user_id = r.user_id
      WHERE r.organization_id = $1 AND r.user_id = $2
      """, [.uuid(organizationId), .uuid(principal.userId)])
    guard let row = rows.first, let role = Role(rawValue: try row.text(0)) else { throw Self.notAMember }
    var profileId = try row.optionalUUID(1)
    if profileId == nil { profileId = try await makeProfile(of: principal, in: organizationId) }
    guard let profileId else { throw Self.notAMember }
    return OrganizationScope(
      organizationId: organizationId, userId: principal.userId, profileId: profileId, role: role)
  }

  private func makeProfile(of principal: Principal, in organizationId: UUID) async throws -> UUID? {
    let rows = try await database.query(
      """
      INSERT INTO profiles (organization_id, user_id, email, full_name) VALUES ($1, $2, $3, $4)
      ON CONFLICT (organization_id, user_id) DO UPDATE SET updated_at = now() RETURNING id
      """,
      [
        .uuid(organizationId), .uuid(principal.userId), .text(principal.email ?? ""), .optional(principal.name),
      ])
    return try rows.first?.uuid(0)
  }
}
