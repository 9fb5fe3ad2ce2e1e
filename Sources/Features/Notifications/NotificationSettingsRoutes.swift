import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// Which kinds of alerts go by e-mail to the fixed list of the organization.
public struct NotificationSettingsRoutes: Sendable {
  let store: NotificationSettingsStore

  public init(database: Database) { store = NotificationSettingsStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let path = "/api/orgs/:organizationId/notification-settings"
    return Array(
      [
        gate.get(path, .viewer, "Which alerts go by e-mail, and to whom", gives: .one(.notificationSettings), get),
        gate.put(
          path, .admin, "Change which alerts go by e-mail", takes: .change(row), gives: .one(.notificationSettings),
          update),
      ].joined())
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(scope), or: "Notification settings")
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    try .row(await store.update(row, scope, request), or: "Notification settings")
  }

  private func row(_ draft: consuming Draft) throws -> Value {
    draft.bool("emailEnabled", "email_enabled", default: true)
    draft.texts(
      "recipients", "recipients", count: 0...50, length: 1...254, default: [], must: EmailAddress.rule
    ) {
      EmailAddress($0)?.text == $0
    }
    draft.bool("notifyTempExcursion", "notify_temp_excursion", default: true)
    draft.bool("notifyAlarmActive", "notify_alarm_active", default: true)
    draft.bool("notifyManualRequired", "notify_manual_required", default: true)
    draft.bool("notifyOffline", "notify_offline", default: false)
    draft.bool("notifyLowBattery", "notify_low_battery", default: false)
    draft.bool("notifyWarnings", "notify_warnings", default: false)
    return try draft.row()
  }
}

extension Schema {
  static let notificationSettings = Schema.object(
    "NotificationSettings",
    [
      .uuid("organizationId"), .bool("emailEnabled"), .array("recipients", of: .text), .bool("notifyTempExcursion"),
      .bool("notifyAlarmActive"), .bool("notifyManualRequired"), .bool("notifyOffline"), .bool("notifyLowBattery"),
      .bool("notifyWarnings"), .instant("updatedAt").orNull,
    ])
}
