import Basics
import Identity
import JSON
import PostgreSQL
import Runtime
import Telemetry

extension Command {
  static let token = Command(
    name: "token", summary: "a token from the local issuer, for the API (AUTH_MODE=local)",
    options: [
      .value("--user", "ID", "the user's UUID", required: true),
      .value("--email", "EMAIL", "what the token says about the user"),
      .value("--name", "NAME", "likewise"),
      .value("--ttl", "SECONDS", "how long it is good for: seconds, or 15m, 12h, 30d (default 1h)"),
      .flag("--json", "as JSON: token, expiresAt"),
    ],
    run: { arguments in
      guard let user = try arguments.uuid("--user") else { throw Failure.usage("--user is missing") }
      let lifetime = try arguments.duration("--ttl") ?? .hours(1)
      guard lifetime >= .seconds(1), lifetime <= .days(366) else {
        throw Failure.usage("--ttl is 1 second to 366 days")
      }
      let (email, name) = (arguments.text("--email"), arguments.text("--name"))
      let now = WallClock.system.now()
      let token = try onDatabase { database in
        try await LocalIssuer(database: database)
          .token(user: user, email: email, name: name, lifetime: lifetime, now: now)
      }
      guard arguments.has("--json") else { return Terminal.say(token) }
      sayJSON { json in
        json.field("token", token)
        json.field("expiresAt", now + lifetime)
      }
    })

  static let orgCreate = Command(
    name: "org create", summary: "make an organization and its owner",
    details: "With a user id from your identity provider the owner can log in at once.",
    options: [
      .value("--name", "NAME", "of the organization", required: true),
      .value("--owner-email", "EMAIL", "of its owner", required: true),
      .value("--owner-id", "ID", "the owner's UUID at the identity provider (default: a new one)"),
      .value("--timezone", "ZONE", "such as Europe/Berlin (default UTC)"),
      .flag("--json", "as JSON: organizationId, ownerUserId, slug"),
    ],
    run: { arguments in
      let name = try arguments.required("--name")
      let email = try arguments.required("--owner-email")
      let owner = try arguments.uuid("--owner-id") ?? UUID.v4()
      let zone = arguments.text("--timezone") ?? "UTC"
      let now = WallClock.system.now()
      let made = try onDatabase { database in
        do {
          return try await Operator(database: database)
            .createOrganization(name: name, owner: owner, email: email, timezone: zone, now: now)
        } catch let refusal as OperatorRefusal { throw Failure(.usage, refusal.description) }
      }
      guard arguments.has("--json") else {
        return Terminal.say("organization  \(made.id)\nslug          \(made.slug)\nowner         \(owner)  \(email)")
      }
      sayJSON { json in
        json.field("organizationId", made.id)
        json.field("ownerUserId", owner)
        json.field("slug", made.slug)
      }
    })

  static let apiKeyCreate = Command(
    name: "apikey create", summary: "make an API key; it is shown once",
    options: [
      .value("--org", "ID", "of the organization", required: true),
      .value("--scope", "SCOPE", "ingest or read (default ingest)"),
      .value("--name", "NAME", "by which people will know it (default: made by the operator)"),
      .flag("--json", "as JSON: id, key"),
    ],
    run: { arguments in
      guard let organization = try arguments.uuid("--org") else { throw Failure.usage("--org is missing") }
      let scope = try arguments.choice("--scope", of: APIKeyScope.self) ?? .ingest
      let name = arguments.text("--name") ?? "made by the operator"
      let now = WallClock.system.now()
      let made = try onDatabase { database in
        do {
          return try await Operator(database: database)
            .createKey(in: organization, name: name, scopes: [scope], now: now)
        } catch let refusal as OperatorRefusal { throw Failure(.usage, refusal.description) }
      }
      guard arguments.has("--json") else { return Terminal.say("id   \(made.id)\nkey  \(made.key)") }
      sayJSON { json in
        json.field("id", made.id)
        json.field("key", made.key)
      }
    })

  static func sayJSON(_ fields: (inout JSONWriter) -> Void) {
    Terminal.say(
      String(decoding: JSONWriter.bytes { json in json.object { json in fields(&json) } }, as: UTF8.self))
  }

  /// Runs `body` on the database of DATABASE_URL, whose schema must be there.
  static func onDatabase<R: Sendable>(
    _ body: @escaping @Sendable (Database) async throws -> R
  ) throws -> R {
    let settings = try Settings(environment: Settings.processEnvironment, for: .database)
    let database = try settings.database(settings.log, Metrics())
    return try EventLoop.run {
      try await Schema.require(on: database, log: .none)
      do { return try await body(database) } catch let error as DatabaseError { throw Failure(error, database) }
    }
  }
}
