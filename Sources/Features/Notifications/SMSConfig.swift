import Forms
import JSON

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
    if !phoneNumber.isEmpty, PhoneNumber(e164: phoneNumber) == nil {
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
