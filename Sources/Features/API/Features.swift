import Alerts
import Assets
import Billing
import Crypto
import Devices
import HTTPClient
import HTTPServer
import Identity
import Ingest
import Notifications
import Overview
import Places
import PostgreSQL
import Readings
import Telemetry
import TheThingsStack

/// Whom the operator has an account with. What is missing answers that it is not configured.
public struct Providers: Sendable {
  public var stack: StackConfiguration
  public var telnyx: TelnyxKeys?
  public var stripe = StripeConfiguration()
  public var objects: ObjectStore?
  /// Signs the links that end mails. Nil: one of the database's own.
  public var unsubscribeSecret: String?
  /// Seals the credentials of customers.
  public var secrets: SecretBox? { stack.secrets }
  let client: HTTPClient

  /// - Parameter client: asks providers whose address the operator has set.
  public init(stack: StackConfiguration, client: HTTPClient) {
    self.stack = stack
    self.client = client
  }
}

/// Every route that people and providers call, of every feature. What sensors and operators call stands beside it.
public struct Features: Sendable {
  public let routes: [Route]

  public init(
    database: Database, gate: Gate, keys: APIKeys, limiter: RateLimiter, providers: Providers,
    quarantine: QuarantineReplay, queues: [WorkQueue], log: Log
  ) {
    routes = [
      OrganizationRoutes(database: database).routes(gate),
      APIKeyRoutes(database: database, keys: keys).routes(gate),
      SiteRoutes(database: database).routes(gate),
      AreaRoutes(database: database).routes(gate),
      UnitRoutes(database: database).routes(gate),
      DeviceRoutes(database: database).routes(gate),
      ReadingRoutes(database: database).routes(gate),
      AlertRoutes(database: database).routes(gate),
      QuarantineRoutes(quarantine).routes(gate),
      MemberRoutes(database: database).routes(gate),
      AuditRoutes(database: database).routes(gate),
      AccountRoutes(database: database).routes(gate),
      DashboardLayoutRoutes(database: database).routes(gate),
      AdministrationRoutes(database: database, keys: keys, queues: queues).routes(gate),
      PublicRoutes(
        database: database,
        tokens: UnsubscribeTokens(secret: providers.unsubscribeSecret, database: database), limiter: limiter
      ).routes,
      AlertRuleRoutes(database: database).routes(gate),
      SuppressionRoutes(database: database).routes(gate),
      OverviewRoutes(database: database).routes(gate),
      PolicyRoutes(database: database).routes(gate),
      ContactRoutes(database: database).routes(gate),
      NotificationSettingsRoutes(database: database).routes(gate),
      DeliveryRoutes(database: database).routes(gate),
      SMSConfigRoutes(database: database, box: providers.secrets).routes(gate),
      TelnyxRoutes(database: database, keys: providers.telnyx).routes,
      BillingRoutes(database: database, configuration: providers.stripe, client: providers.client, log: log)
        .routes(gate),
      StripeRoutes(database: database, configuration: providers.stripe).routes,
      AssetRoutes(database: database, objects: providers.objects, log: log).routes(gate),
      TTNConnectionRoutes(database: database, stack: providers.stack).routes(gate),
      TTNDeviceRoutes(database: database, stack: providers.stack).routes(gate),
      GatewayRoutes(database: database, stack: providers.stack).routes(gate),
      DeviceRecordRoutes(database: database, stack: providers.stack).routes(gate),
    ].flatMap { $0 }
  }
}
