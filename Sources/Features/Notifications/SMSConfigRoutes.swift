import Crypto
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// The organization's own account for text messages.
public struct SMSConfigRoutes: Sendable {
  let store: SMSConfigStore
  /// Nil: no key to seal with.
  let box: SecretBox?

  public init(database: Database, box: SecretBox?) {
    store = SMSConfigStore(database: database)
    self.box = box
  }

  public func routes(_ gate: Gate) -> [Route] {
    let path = "/api/orgs/:organizationId/alerts/sms/config"
    return Array(
      [
        gate.get(
          path, .viewer, "The account for text messages, without its key", gives: .one(.smsConfigOrNone), get),
        gate.post(
          path, .admin, "Set the account for text messages", takes: .fields(SMSConfig.init), gives: .one(.smsConfig),
          put),
      ].joined())
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    if let config = try await store.get(scope).json.firstObject { return .json(bytes: config) }
    return .json { json in
      json.object { json in
        json.field("configured", false)
        json.field("message", "Text messages are not set up for this organization")
      }
    }
  }

  @Sendable func put(_ request: Request, _ scope: OrganizationScope, _ config: SMSConfig) async throws -> Response {
    guard let box else { throw HTTPError.notConfigured("Text messages") }
    return try .row(await store.put(config, sealedWith: box, scope, request), or: "SMS configuration")
  }
}

/// The whole of it: what is absent is taken away.
struct SMSConfig {
  let apiKey: String
  let phoneNumber: String
  let messagingProfileId: String?
  let isEnabled: Bool

  init(_ fields: inout Fields) {
    apiKey = fields.string("telnyxApiKey", 10...512)
    // It goes into a header one day.
    if !apiKey.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
      fields.problem("telnyxApiKey", "must be visible ASCII without spaces")
    }
    let number = Schema.text(1...32).noted("Must be \(PhoneNumber.rule).", example: "+12025550143")
    fields.note(Schema.Property("telnyxPhoneNumber", number))
    phoneNumber = fields.string("telnyxPhoneNumber", 1...32)
    if !phoneNumber.isEmpty, !PhoneNumber.isValid(phoneNumber) {
      fields.problem("telnyxPhoneNumber", "must be \(PhoneNumber.rule)")
    }
    messagingProfileId = fields.optionalString("telnyxMessagingProfileId", 1...256)
    isEnabled = fields.bool("isEnabled", default: true)
  }
}

extension Schema {
  static let smsConfig = Schema.object("SMSConfig", smsConfigFields)
  /// Without a configuration there are only `configured`, which is false, and `message`.
  static let smsConfigOrNone = Schema.object(
    "SMSConfigOrNone", smsConfigFields.map(\.optional) + [.bool("configured").optional, .text("message").optional])

  private static let smsConfigFields: [Property] = [
    .uuid("id"), .uuid("organizationId"), .bool("telnyxApiKeyConfigured"), .text("telnyxPhoneNumber"),
    .text("telnyxMessagingProfileId").orNull, .bool("isEnabled"), .instant("lastTestAt").orNull,
    .instant("createdAt"), .instant("updatedAt"),
  ]
}
