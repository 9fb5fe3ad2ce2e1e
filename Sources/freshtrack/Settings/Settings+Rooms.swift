import Crypto
import HTTP
import HTTPServer
import Identity
import Ingest
import PostgreSQL
import Telemetry

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

  /// Nil without SPOOL_DIR.
  func spool(_ log: Log, _ metrics: Metrics) throws(Failure) -> Spool? {
    guard let path = text("SPOOL_DIR") else {
      log.warn("SPOOL_DIR is not set: while the database is away, what sensors send is refused")
      return nil
    }
    do throws(SpoolFailure) {
      return try Spool(path: path, bytesMax: int("SPOOL_MAX_BYTES") ?? 1 << 30, log: log, metrics: metrics)
    } catch {
      throw Failure(.system, "SPOOL_DIR: \(error)")
    }
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
