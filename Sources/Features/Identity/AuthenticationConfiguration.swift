/// Whose tokens are believed.
public struct AuthenticationConfiguration: Sendable {
  public enum Mode: Sendable {
    /// Tokens that this program signs itself, with a key that it makes on first use.
    case local
    /// Tokens of an issuer whose keys are fetched from `jwksURL`.
    case external(jwksURL: String)
  }

  public let mode: Mode
  public let issuer: String
  public let audience: String?
  /// How far the issuer's clock and ours may differ.
  public var leeway: Duration = .seconds(30)

  public static let local = AuthenticationConfiguration(mode: .local, issuer: "freshtrack", audience: "freshtrack")

  public static func external(issuer: String, jwksURL: String, audience: String?) -> AuthenticationConfiguration {
    AuthenticationConfiguration(mode: .external(jwksURL: jwksURL), issuer: issuer, audience: audience)
  }

  /// Stack Auth (https://stack-auth.com) with the id of a project.
  public static func stackAuth(projectId: String) -> AuthenticationConfiguration {
    let project = "https://api.stack-auth.com/api/v1/projects/\(projectId)"
    return .external(issuer: project, jwksURL: "\(project)/.well-known/jwks.json", audience: projectId)
  }
}
