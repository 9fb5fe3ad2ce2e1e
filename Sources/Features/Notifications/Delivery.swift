import Alerts
import Basics
import Forms
import JSON
import PostgreSQL

/// How far a message has come. It only goes forward: what is delivered or failed stays so, whatever arrives late.
public enum DeliveryStatus: String, Sendable, CaseIterable {
  /// Owed: not tried yet, or to be tried again.
  case pending
  /// A provider has taken it.
  case sent
  case delivered
  case failed
  /// Not sent on purpose; the reason is with it.
  case suppressed
}

public enum DeliveryChannel: String, Sendable, CaseIterable {
  case inApp = "in_app"
  case push
  case email
  case sms
}

/// What a message is about.
public enum DeliveryOccasion: String, Sendable, CaseIterable {
  case triggered
  case escalated
  case reminder
  case resolved
  case test
}

/// Which messages are asked for. Bounds are on the time they were owed and belong to the range.
struct DeliveryFilter {
  let statuses: [DeliveryStatus]?
  let channels: [DeliveryChannel]?
  let alertId: UUID?
  let unitId: UUID?
  let start: Instant?
  let end: Instant?
  let page: Page

  init(_ query: inout Query) {
    statuses = query.choices("status", of: DeliveryStatus.self)
    channels = query.choices("channel", of: DeliveryChannel.self)
    alertId = query.uuid("alertId")
    unitId = query.uuid("unitId")
    start = query.instant("start")
    end = query.instant("end")
    page = Page(&query)
  }

  /// `$2` to `$7` of the statements that list and count.
  var values: [Value] {
    [
      statuses.map { .texts($0.map(\.rawValue)) } ?? .null, channels.map { .texts($0.map(\.rawValue)) } ?? .null,
      .optional(alertId), .optional(unitId), .optional(start), .optional(end),
    ]
  }
}

extension Schema {
  static let delivery = Schema.object(
    "Notification",
    [
      .uuid("id"), .uuid("alertId").orNull, .choice("alertType", AlertType.self).orNull, .uuid("unitId").orNull,
      .choice("occasion", DeliveryOccasion.self), .integer("escalationStep"),
      .choice("channel", DeliveryChannel.self), .text("recipient"), .uuid("userId").orNull, .uuid("contactId").orNull,
      .choice("status", DeliveryStatus.self), .text("suppressedReason").orNull, .text("provider").orNull,
      .text("providerMessageId").orNull, .text("errorCode").orNull, .text("error").orNull, .integer("attempts"),
      .instant("nextAttemptAt").orNull, .instant("sentAt").orNull, .instant("deliveredAt").orNull,
      .instant("failedAt").orNull, .instant("createdAt"), .instant("updatedAt"),
    ])
}
