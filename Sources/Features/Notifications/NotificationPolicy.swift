import Alerts
import Basics
import Forms
import Identity
import JSON
import PostgreSQL

/// How a policy tells people, by the names that clients know.
public enum PolicyChannel: String, Sendable, CaseIterable {
  /// Shown while the page is open.
  case toast = "WEB_TOAST"
  case inApp = "IN_APP_CENTER"
  case email = "EMAIL"
  case sms = "SMS"
}

/// The channels of an escalation step.
public enum StepChannel: String, Sendable, CaseIterable {
  case email = "EMAIL"
  case sms = "SMS"
}

/// Alerts below it are not told.
public enum SeverityThreshold: String, Sendable, CaseIterable {
  case info = "INFO"
  case warning = "WARNING"
  case critical = "CRITICAL"
}

/// Which policies are asked for.
struct PolicyFilter {
  let siteId: UUID?
  let unitId: UUID?
  let alertType: AlertType?

  init(_ query: inout Query) {
    siteId = query.uuid("siteId")
    unitId = query.uuid("unitId")
    alertType = query.choice("alertType", of: AlertType.self)
  }
}

/// What a body says of a policy: for what it is, and what it says.
struct PolicyDraft {
  let siteId: UUID?
  let unitId: UUID?
  let row: Value

  init(creating draft: consuming Draft) throws {
    siteId = draft.fields.optionalUUID("siteId")
    unitId = draft.fields.optionalUUID("unitId")
    if siteId != nil, unitId != nil { draft.fields.problem("unitId", "is not to be given together with siteId") }
    draft.set("site_id", siteId?.description)
    draft.set("unit_id", unitId?.description)
    draft.choice("alertType", "alert_type", of: AlertType.self)
    row = try Self.rules(draft)
  }

  /// A policy stays with its place and its type of alert.
  static func changing(_ draft: consuming Draft) throws -> Value { try rules(draft) }

  private static func rules(_ draft: consuming Draft) throws -> Value {
    draft.choices("initialChannels", "initial_channels", count: 0...4, default: [PolicyChannel.inApp])
    draft.bool("requiresAck", "requires_ack", default: false)
    draft.optionalInteger("ackDeadlineMinutes", "ack_deadline_minutes", in: 1...10_080)
    draft.objects("escalationSteps", "escalation_steps", count: 0...10, Self.step)
    draft.bool("sendResolvedNotifications", "send_resolved_notifications", default: false)
    draft.bool("remindersEnabled", "reminders_enabled", default: false)
    draft.optionalInteger("reminderIntervalMinutes", "reminder_interval_minutes", in: 5...10_080)
    draft.bool("quietHoursEnabled", "quiet_hours_enabled", default: false)
    let time = "a time of day such as 22:00"
    draft.optionalText("quietHoursStartLocal", "quiet_hours_start_local", length: 1...8, must: time, Self.timeOfDay)
    draft.optionalText("quietHoursEndLocal", "quiet_hours_end_local", length: 1...8, must: time, Self.timeOfDay)
    draft.choice("severityThreshold", "severity_threshold", of: SeverityThreshold.self, default: .warning)
    draft.bool("allowWarningNotifications", "allow_warning_notifications", default: false)
    draft.choices("notifyRoles", "notify_roles", count: 0...Role.allCases.count, default: [Role.owner, .admin])
    draft.bool("notifySiteManagers", "notify_site_managers", default: true)
    draft.bool("notifyAssignedUsers", "notify_assigned_users", default: false)
    return try draft.row()
  }

  /// One step: so long after the alert was triggered, by these channels, to contacts up to this priority.
  private static func step(_ fields: inout Fields, _ json: inout JSONWriter) {
    json.field("delayMinutes", fields.int("delayMinutes", in: 0...10_080))
    let channels = fields.choices("channels", count: 1...2, of: StepChannel.self)
    json.array("channels") { json in for channel in channels { json.string(channel.rawValue) } }
    json.field("contactPriority", fields.optionalInt("contactPriority", in: 1...100))
    json.field("repeat", fields.bool("repeat", default: false))
  }

  /// `HH:MM`; seconds are taken when they are zero, as PostgreSQL writes them.
  static func timeOfDay(_ text: String) -> String? {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count == 2 || (parts.count == 3 && parts[2] == "00"), parts.allSatisfy({ $0.utf8.count == 2 }),
      let hour = ASCII.unsigned(parts[0].utf8), hour < 24, let minute = ASCII.unsigned(parts[1].utf8), minute < 60
    else { return nil }
    return "\(parts[0]):\(parts[1])"
  }
}

/// From where the policy that holds comes.
enum PolicySource: String, CaseIterable {
  case unit
  case site
  case organization
  case `default`
}

extension Schema {
  static let notificationPolicy = Schema.object(
    "NotificationPolicy",
    [.uuid("id"), .uuid("organizationId"), .uuid("siteId").orNull, .uuid("unitId").orNull] + policyRules
      + [.instant("createdAt"), .instant("updatedAt")])

  static let effectivePolicy = Schema.object(
    "EffectiveNotificationPolicy",
    [.choice("source", PolicySource.self), .uuid("policyId").orNull, .uuid("unitId")] + policyRules)

  private static let policyRules: [Property] = [
    .choice("alertType", AlertType.self), .array("initialChannels", of: .choice(PolicyChannel.self)),
    .bool("requiresAck"), .integer("ackDeadlineMinutes").orNull,
    .array(
      "escalationSteps",
      of: .object([
        .integer("delayMinutes"), .array("channels", of: .choice(StepChannel.self)),
        .integer("contactPriority").orNull, .bool("repeat"),
      ])), .bool("sendResolvedNotifications"), .bool("remindersEnabled"), .integer("reminderIntervalMinutes").orNull,
    .bool("quietHoursEnabled"), .text("quietHoursStartLocal").orNull, .text("quietHoursEndLocal").orNull,
    .choice("severityThreshold", SeverityThreshold.self), .bool("allowWarningNotifications"),
    .array("notifyRoles", of: .choice(Role.self)), .bool("notifySiteManagers"), .bool("notifyAssignedUsers"),
  ]
}
