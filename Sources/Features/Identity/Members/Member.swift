import Basics
import HTTP

/// Who may do what to whom. Only an owner makes an owner, nobody gives more than they have, and admins are no matter
/// of other admins.
extension Role {
  /// May make somebody a member with that role.
  func mayGrant(_ role: Role) -> Bool { satisfies(.admin) && satisfies(role) }

  /// May change or remove somebody else who has that role.
  func mayManage(_ role: Role) -> Bool { self == .owner || self == .admin && !role.satisfies(.admin) }
}

/// A change of who is in an organization, as it was asked for.
enum MembershipChange: Sendable {
  case role(Role)
  case removal
}

/// The roles of those whom a change concerns, read while no other change can happen.
struct MembershipState: Sendable {
  let actor: Role
  let target: Role
  let isSelf: Bool
  let ownerCount: Int

  /// Throws why the change may not be: 403, or 409 when it would leave the organization without an owner.
  func check(_ change: MembershipChange) throws(HTTPError) {
    switch change {
    case .role(let role):
      if isSelf {
        guard actor.satisfies(role) else { throw .forbidden("Nobody can give themself a higher role") }
      } else {
        try checkManages()
        guard actor.mayGrant(role) else { throw .forbidden("Nobody can give a role higher than their own") }
      }
      if role != .owner { try checkOwnerStays() }
    case .removal:
      if !isSelf { try checkManages() }
      try checkOwnerStays()
    }
  }

  private func checkManages() throws(HTTPError) {
    guard actor.mayManage(target) else {
      throw .forbidden("A member with the role \(target.rawValue) is not yours to change")
    }
  }

  private func checkOwnerStays() throws(HTTPError) {
    guard target != .owner || ownerCount > 1 else {
      throw .conflict("The last owner stays: make somebody else an owner first", code: "LAST_OWNER")
    }
  }
}
