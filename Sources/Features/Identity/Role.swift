/// What a member of an organization may do. Each role may do what the ones before it may.
public enum Role: String, Sendable, CaseIterable {
  /// Sees what a viewer sees; kept apart so that an inspection can be told from a colleague.
  case inspector
  case viewer
  case staff
  case manager
  case admin
  case owner

  private var rank: Int {
    switch self {
    case .inspector, .viewer: 1
    case .staff: 2
    case .manager: 3
    case .admin: 4
    case .owner: 5
    }
  }

  public func satisfies(_ minimum: Role) -> Bool { rank >= minimum.rank }
}
