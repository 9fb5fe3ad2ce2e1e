import Alerts
import Basics
import HTTP
import Identity
import PostgreSQL

struct PolicyStore: Sendable {
  let database: Database

  private static let rules: SQL = """
    p.alert_type AS "alertType", p.initial_channels AS "initialChannels", p.requires_ack AS "requiresAck",
    p.ack_deadline_minutes AS "ackDeadlineMinutes", p.escalation_steps AS "escalationSteps",
    p.send_resolved_notifications AS "sendResolvedNotifications", p.reminders_enabled AS "remindersEnabled",
    p.reminder_interval_minutes AS "reminderIntervalMinutes", p.quiet_hours_enabled AS "quietHoursEnabled",
    to_char(p.quiet_hours_start_local, 'HH24:MI') AS "quietHoursStartLocal",
    to_char(p.quiet_hours_end_local, 'HH24:MI') AS "quietHoursEndLocal",
    p.severity_threshold AS "severityThreshold", p.allow_warning_notifications AS "allowWarningNotifications",
    p.notify_roles AS "notifyRoles", p.notify_site_managers AS "notifySiteManagers",
    p.notify_assigned_users AS "notifyAssignedUsers"
    """

  private static let columns: SQL =
    """
    p.id, p.organization_id AS "organizationId", p.site_id AS "siteId", p.unit_id AS "unitId",
    """ + " " + rules
      + """
      , p.created_at AS "createdAt", p.updated_at AS "updatedAt"
      """

  /// Those of the organization first, then of its sites, then of its units.
  func list(_ wanted: PolicyFilter, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM notification_policies p WHERE p.organization_id = $1
          AND ($2::uuid IS NULL OR p.site_id = $2) AND ($3::uuid IS NULL OR p.unit_id = $3)
          AND ($4::text IS NULL OR p.alert_type = $4)
        ORDER BY p.unit_id NULLS FIRST, p.site_id NULLS FIRST, p.alert_type
        """,
      [
        .uuid(scope.organizationId), .optional(wanted.siteId), .optional(wanted.unitId),
        .optional(wanted.alertType?.rawValue),
      ])
  }

  func get(_ id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + " FROM notification_policies p WHERE p.organization_id = $1 AND p.id = $2",
      [.uuid(scope.organizationId), .uuid(id)])
  }

  /// What holds for a unit: for each type of alert the policy of the unit, else of its site, else of the organization,
  /// else the defaults, and which of them it is. No row when there is no such unit.
  func effective(unit id: UUID, type: AlertType?, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT p.source, p.id AS \"policyId\", c.id AS \"unitId\", " + Self.rules
        + """
         FROM unit_current c CROSS JOIN unnest($3::text[]) WITH ORDINALITY AS wanted (alert_type, place),
        LATERAL (
          SELECT n.*, CASE WHEN n.unit_id IS NOT NULL THEN 'unit' WHEN n.site_id IS NOT NULL THEN 'site'
            WHEN n.id IS NOT NULL THEN 'organization' ELSE 'default' END AS source
          FROM (
            SELECT t.* FROM notification_policies t
            WHERE t.organization_id = $1 AND t.alert_type = wanted.alert_type
              AND (t.unit_id = c.id OR t.site_id = c.site_id OR (t.unit_id IS NULL AND t.site_id IS NULL))
            UNION ALL
            SELECT (jsonb_populate_record(NULL::notification_policies,
              $4 || jsonb_build_object('alert_type', wanted.alert_type))).*
          ) n
          ORDER BY (n.unit_id IS NOT NULL) DESC, (n.site_id IS NOT NULL) DESC, (n.id IS NOT NULL) DESC LIMIT 1
        ) p
        WHERE c.organization_id = $1 AND c.id = $2 AND c.is_visible ORDER BY wanted.place
        """,
      [
        .uuid(scope.organizationId), .uuid(id), .texts((type.map { [$0] } ?? AlertType.allCases).map(\.rawValue)),
        Self.defaults,
      ])
  }

  /// As the columns of the table have them: what holds where nobody has decided anything.
  private static let defaults = Value.json(
    Array(
      """
      {"initial_channels":["IN_APP_CENTER"],"requires_ack":false,"escalation_steps":[],
      "send_resolved_notifications":false,"reminders_enabled":false,"quiet_hours_enabled":false,
      "severity_threshold":"WARNING","allow_warning_notifications":false,"notify_roles":["owner","admin"],
      "notify_site_managers":true,"notify_assigned_users":false}
      """.utf8))

  func create(_ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH p AS (
        INSERT INTO notification_policies (organization_id, site_id, unit_id, alert_type, initial_channels, requires_ack,
          ack_deadline_minutes, escalation_steps, send_resolved_notifications, reminders_enabled,
          reminder_interval_minutes, quiet_hours_enabled, quiet_hours_start_local, quiet_hours_end_local,
          severity_threshold, allow_warning_notifications, notify_roles, notify_site_managers, notify_assigned_users)
        SELECT $1, n.site_id, n.unit_id, n.alert_type, n.initial_channels, n.requires_ack, n.ack_deadline_minutes,
          n.escalation_steps, n.send_resolved_notifications, n.reminders_enabled, n.reminder_interval_minutes,
          n.quiet_hours_enabled, n.quiet_hours_start_local, n.quiet_hours_end_local, n.severity_threshold,
          n.allow_warning_notifications, n.notify_roles, n.notify_site_managers, n.notify_assigned_users
        FROM jsonb_populate_record(NULL::notification_policies, $3) n
        RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'notification_policy.created', 'notification_policy', p.id, NULL, to_jsonb(p))
        FROM p
      )
      SELECT
      """ + " " + Self.columns + " FROM p, log", [.uuid(scope.organizationId), Audit.author(scope, request), row])
  }

  /// The scope and the type of the alert stay.
  func update(_ id: UUID, _ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT * FROM notification_policies WHERE organization_id = $1 AND id = $4 FOR UPDATE
      ), p AS (
        UPDATE notification_policies t
        SET (initial_channels, requires_ack, ack_deadline_minutes, escalation_steps, send_resolved_notifications,
          reminders_enabled, reminder_interval_minutes, quiet_hours_enabled, quiet_hours_start_local,
          quiet_hours_end_local, severity_threshold, allow_warning_notifications, notify_roles, notify_site_managers,
          notify_assigned_users) =
          (SELECT n.initial_channels, n.requires_ack, n.ack_deadline_minutes, n.escalation_steps,
            n.send_resolved_notifications, n.reminders_enabled, n.reminder_interval_minutes, n.quiet_hours_enabled,
            n.quiet_hours_start_local, n.quiet_hours_end_local, n.severity_threshold, n.allow_warning_notifications,
            n.notify_roles, n.notify_site_managers, n.notify_assigned_users
          FROM jsonb_populate_record(t, $3) n),
          updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      ), log AS (
        SELECT append_event_log($1, $2, 'notification_policy.updated', 'notification_policy', p.id, to_jsonb(old),
          to_jsonb(p)) FROM old, p
      )
      SELECT
      """ + " " + Self.columns + " FROM p, log",
      [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(id)])
  }

  /// The next wider policy holds from then on. What it was, the log keeps.
  func delete(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH p AS (
        DELETE FROM notification_policies WHERE organization_id = $1 AND id = $3 RETURNING *
      )
      SELECT append_event_log($1, $2, 'notification_policy.deleted', 'notification_policy', p.id, to_jsonb(p), NULL)
      FROM p
      """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
    return !rows.isEmpty
  }

  /// The site or unit is there, in this organization, and not deleted.
  func isPlace(site: UUID?, unit: UUID?, _ scope: OrganizationScope) async throws -> (site: Bool, unit: Bool) {
    let rows = try await database.query(
      """
      SELECT $2::uuid IS NULL OR EXISTS (
          SELECT FROM sites WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL),
        $3::uuid IS NULL OR EXISTS (SELECT FROM unit_current WHERE organization_id = $1 AND id = $3 AND is_visible)
      """, [.uuid(scope.organizationId), .optional(site), .optional(unit)])
    guard let row = rows.first else { return (false, false) }
    return (try row.bool(0), try row.bool(1))
  }
}
