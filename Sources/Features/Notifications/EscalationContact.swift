import Forms
import JSON
import PostgreSQL

/// The channels by which an escalation contact can be reached.
public enum ContactChannel: String, Sendable, CaseIterable {
  case email
  case sms
}

enum EscalationContact {
  /// The row that a body describes.
  static func row(_ draft: consuming Draft) throws -> Value {
    draft.text("name", length: 1...256)
    draft.optionalText("email", "email", length: 1...254, must: EmailAddress.rule) {
      EmailAddress($0)?.text
    }
    draft.optionalText("phone", "phone", length: 1...32, must: PhoneNumber.rule) { PhoneNumber(e164: $0)?.text }
    draft.integer("priority", "priority", in: 1...100, default: 1)
    draft.choices("notificationChannels", "notification_channels", count: 1...2, default: [ContactChannel.email])
    draft.bool("isActive", "is_active", default: true)
    draft.optionalUUID("userId", "user_id")
    return try draft.row()
  }
}

extension Schema {
  static let escalationContact = Schema.object(
    "EscalationContact",
    [
      .uuid("id"), .uuid("organizationId"), .uuid("userId").orNull, .text("name"), .text("email").orNull,
      .text("phone").orNull, .integer("priority"), .array("notificationChannels", of: .choice(ContactChannel.self)),
      .bool("isActive"), .instant("createdAt"), .instant("updatedAt"),
    ])
}
