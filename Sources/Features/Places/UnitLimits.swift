import Basics
import HTTP
import Identity
import PostgreSQL

/// The versions of limits that units are judged by, as they follow from the rules of all levels.
public enum UnitLimits {
  /// Whose rules have changed.
  public enum Place: Sendable {
    case organization
    case site(UUID)
    case unit(UUID)
  }

  /// Starts a new version, from now on, for every unit of the place that is judged differently since the change. To be
  /// sent after the change, in its transaction. Fails by `unit_limits_present` or `unit_limits_in_order` when a unit would
  /// be left without a limit, or with limits that contradict each other.
  public static func refresh(_ place: Place, _ scope: OrganizationScope, _ request: Request) -> (SQL, [Value]) {
    var (site, unit): (UUID?, UUID?)
    switch place {
    case .organization: break
    case .site(let id): site = id
    case .unit(let id): unit = id
    }
    return (
      "SELECT refresh_unit_limits($1, $2, $3, $4, $5)",
      [
        .uuid(scope.organizationId), .optional(site), .optional(unit), .timestamp(request.received),
        .uuid(scope.userId),
      ]
    )
  }
}
