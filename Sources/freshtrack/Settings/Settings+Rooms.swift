import Basics
import Crypto
import HTTP
import HTTPClient
import HTTPServer
import Identity
import PostgreSQL
import Telemetry
import TheThingsStack

/// What the rooms are told, from the settings.
extension Settings {
  /// The program's own log, on standard output.
  var log: Log {
    Log(
      level: text("LOG_LEVEL").flatMap { Log.Level($0) } ?? .info,
      format: text("LOG_FORMAT").flatMap(Log.Format.init(rawValue:)) ?? .json)
  }

  func database(_ log: Log, _ metrics: Metrics) throws(Failure) -> Database {
    guard let url = text("DATABASE_URL") else { throw Failure(.settings, "DATABASE_URL is missing") }
    var configuration: DatabaseConfiguration
    do throws(DatabaseError) { configuration = try DatabaseConfiguration(url: url) } catch {
      throw Failure(.settings, "DATABASE_URL cannot be read: \(error.message)")
    }
    configuration.connectionsMax = int("DATABASE_POOL_SIZE") ?? configuration.connectionsMax
    configuration.statementTimeout = duration("DATABASE_STATEMENT_TIMEOUT")
    configuration.preparedStatements = !flag("DATABASE_PGBOUNCER")
    return Database(configuration, log: log, metrics: metrics)
  }

  var authentication: AuthenticationConfiguration {
    get throws(Failure) {
      switch text("AUTH_MODE") {
      case "local": return .local
      case "oidc":
        guard let issuer = text("AUTH_ISSUER"), let keys = text("AUTH_JWKS_URL") else {
          throw Failure(.settings, "AUTH_ISSUER and AUTH_JWKS_URL are missing: AUTH_MODE is oidc")
        }
        return .external(issuer: issuer, jwksURL: keys, audience: text("AUTH_AUDIENCE"))
      default:
        guard let project = text("STACK_AUTH_PROJECT_ID") else {
          throw Failure(.settings, "STACK_AUTH_PROJECT_ID is missing: AUTH_MODE is stack")
        }
        return .stackAuth(projectId: project)
      }
    }
  }

  var rateLimiter: RateLimiter {
    RateLimiter(limit: int("RATE_LIMIT_MAX") ?? 0, window: .milliseconds(int("RATE_LIMIT_WINDOW") ?? 60_000))
  }

  /// Nil when no key is set: then credentials of providers cannot be stored.
  var secretBox: SecretBox? { text("ENCRYPTION_KEY").flatMap(Setting.encryptionKeys).flatMap { SecretBox(keys: $0) } }

  /// Connections name their clusters, so by default nothing in a private network can be reached by one.
  func stack(_ clock: WallClock) -> StackConfiguration {
    let url = text("TTN_API_URL")
    return StackConfiguration(
      http: HTTPClient(usesProxyEnvironment: url != nil, allowsPrivateAddresses: url != nil), secrets: secretBox,
      url: url, publicURL: text("PUBLIC_URL"), clock: clock)
  }

  func http(port: Int) -> HTTPServerConfiguration {
    var configuration = HTTPServerConfiguration()
    configuration.host = text("HOST") ?? "0.0.0.0"
    configuration.port = UInt16(clamping: port)
    configuration.trustedProxies = list("TRUSTED_PROXIES").compactMap { AddressBlock($0) }
    configuration.corsOrigins = list("CORS_ORIGINS")
    configuration.mapError = { error in
      guard let error = error as? DatabaseError, error.isUnavailable else { return nil }
      return .unavailable(retryAfter: 1)
    }
    return configuration
  }
}
