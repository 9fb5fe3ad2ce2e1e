import HTTP
import Identity
import PostgreSQL

/// The one row of switches that an organization has, or the defaults.
struct SettingsStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    n.organization_id AS "organizationId", n.email_enabled AS "emailEnabled", n.recipients,
    n.notify_temp_excursion AS "notifyTempExcursion", n.notify_alarm_active AS "notifyAlarmActive",
    n.notify_manual_required AS "notifyManualRequired", n.notify_offline AS "notifyOffline",
    n.notify_low_battery AS "notifyLowBattery", n.notify_warnings AS "notifyWarnings", n.updated_at AS "updatedAt"
    """

  private static let defaults: SQL = """
    jsonb_build_object('organization_id', $1::uuid, 'email_enabled', true, 'recipients', '{}'::text[],
      'notify_temp_excursion', true, 'notify_alarm_active', true, 'notify_manual_required', true,
      'notify_offline', false, 'notify_low_battery', false, 'notify_warnings', false)
    """

  func get(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM (
          SELECT * FROM notification_settings WHERE organization_id = $1
          UNION ALL
          SELECT d.* FROM jsonb_populate_record(NULL::notification_settings,
        """ + " " + Self.defaults
          + """
          ) d WHERE NOT EXISTS (SELECT FROM notification_settings WHERE organization_id = $1)
          ) n
          """, [.uuid(scope.organizationId)])
  }

  /// What `row` does not name stays as it is.
  func update(_ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT * FROM notification_settings WHERE organization_id = $1
      ), n AS (
        INSERT INTO notification_settings AS t (organization_id, email_enabled, recipients, notify_temp_excursion,
          notify_alarm_active, notify_manual_required, notify_offline, notify_low_battery, notify_warnings)
        SELECT $1, p.email_enabled, p.recipients, p.notify_temp_excursion, p.notify_alarm_active,
          p.notify_manual_required, p.notify_offline, p.notify_low_battery, p.notify_warnings
        FROM jsonb_populate_record(NULL::notification_settings,
      """ + " " + Self.defaults
        + """
           || coalesce((SELECT to_jsonb(old) FROM old), '{}') || $3) p
          ON CONFLICT (organization_id) DO UPDATE SET email_enabled = excluded.email_enabled,
            recipients = excluded.recipients, notify_temp_excursion = excluded.notify_temp_excursion,
            notify_alarm_active = excluded.notify_alarm_active,
            notify_manual_required = excluded.notify_manual_required, notify_offline = excluded.notify_offline,
            notify_low_battery = excluded.notify_low_battery, notify_warnings = excluded.notify_warnings,
            updated_at = now()
          RETURNING *
        ), log AS (
          SELECT append_event_log($1, $2, 'notification_settings.updated', 'organization', $1,
            (SELECT to_jsonb(old) FROM old), to_jsonb(n)) FROM n
        )
        SELECT
        """ + " " + Self.columns + " FROM n, log", [.uuid(scope.organizationId), Audit.author(scope, request), row])
  }
}
