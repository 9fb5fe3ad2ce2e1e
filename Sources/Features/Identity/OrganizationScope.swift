import Basics

/// Proof that the caller may act in one organization. Only the membership check makes one, and every function that
/// touches the data of a tenant takes one.
public struct OrganizationScope: Sendable {
  public let organizationId: UUID
  /// The caller's user id, or the id of the API key that calls.
  public let userId: UUID
  /// The caller's profile in this organization, which acknowledgements and actions are signed with. Nil for an API key.
  public let profileId: UUID?
  public let role: Role
  public let actor: Actor

  init(organizationId: UUID, userId: UUID, profileId: UUID, role: Role) {
    self.organizationId = organizationId
    self.userId = userId
    self.profileId = profileId
    self.role = role
    actor = .user(userId)
  }

  /// An API key reads what a viewer reads.
  init(organizationId: UUID, apiKeyId: UUID) {
    self.organizationId = organizationId
    userId = apiKeyId
    profileId = nil
    role = .viewer
    actor = .apiKey(apiKeyId)
  }
}
