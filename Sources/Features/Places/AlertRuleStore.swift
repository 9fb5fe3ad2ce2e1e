import Basics
import HTTP
import Identity
import JSON
import PostgreSQL

/// Rules, and the limits of the units that follow from them. Each change is one transaction with both.
struct AlertRuleStore: Sendable {
  let database: Database

  private static let columns: SQL =
    """
    r.id, r.organization_id AS "organizationId",
    CASE WHEN r.unit_id IS NOT NULL THEN 'unit' WHEN r.site_id IS NOT NULL THEN 'site' ELSE 'organization' END AS scope,
    r.site_id AS "siteId", r.unit_id AS "unitId", r.name, r.is_enabled AS "isEnabled", r.temp_unit AS "tempUnit",
    """ + " " + RuleField.shown + """
      , r.created_at AS "createdAt", r.updated_at AS "updatedAt"
      """

  private static let one: SQL =
    "SELECT " + columns + " FROM alert_rules r WHERE r.organization_id = $1 AND r.id = $2 AND r.deleted_at IS NULL"

  /// Also of one that was deleted since.
  func knows(_ id: UUID, _ scope: OrganizationScope) async throws -> Bool {
    let rows = try await database.query(
      "SELECT FROM alert_rules WHERE organization_id = $1 AND id = $2", [.uuid(scope.organizationId), .uuid(id)])
    return !rows.isEmpty
  }

  func list(_ wanted: RuleFilter, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM alert_rules r WHERE r.organization_id = $1 AND r.deleted_at IS NULL
          AND ($2::uuid IS NULL OR r.site_id = $2) AND ($3::uuid IS NULL OR r.unit_id = $3)
          AND CASE $4::text WHEN 'organization' THEN num_nonnulls(r.site_id, r.unit_id) = 0
            WHEN 'site' THEN r.site_id IS NOT NULL WHEN 'unit' THEN r.unit_id IS NOT NULL ELSE true END
        ORDER BY num_nonnulls(r.site_id, r.unit_id), r.site_id, r.created_at, r.id
        """,
      [
        .uuid(scope.organizationId), .optional(wanted.siteId), .optional(wanted.unitId),
        .optional(wanted.scope?.rawValue),
      ])
  }

  func get(_ id: UUID, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(Self.one, [.uuid(scope.organizationId), .uuid(id)])
  }

  /// Makes the rule of a place, or changes the one it has.
  func set(
    _ draft: RuleDraft, _ scope: OrganizationScope, _ request: Request
  ) async throws -> (rows: Rows, isNew: Bool) {
    try await database.transaction { connection in
      try await check(draft.place, scope, on: connection)
      let known = try await connection.query(
        """
        SELECT id FROM alert_rules WHERE organization_id = $1 AND site_id IS NOT DISTINCT FROM $2
          AND unit_id IS NOT DISTINCT FROM $3 AND deleted_at IS NULL FOR UPDATE
        """, [.uuid(scope.organizationId), .optional(draft.place.siteId), .optional(draft.place.unitId)]
      ).first?.uuid(0)
      if let known {
        return (try await change(known, draft.row, scope, request, on: connection), false)
      }
      let id = UUID.v7(at: request.received)
      _ = try await connection.query(
        Self.creating,
        [
          .uuid(scope.organizationId), Audit.author(scope, request), draft.row, .uuid(id),
          .optional(draft.place.siteId), .optional(draft.place.unitId),
        ])
      return (try await finish(id, draft.place, scope, request, on: connection), true)
    }
  }

  private static let creating: SQL =
    """
    WITH r AS (
      INSERT INTO alert_rules (id, organization_id, site_id, unit_id, name, is_enabled, temp_unit,
    """ + " " + RuleField.columns + ") SELECT $4, $1, $5, $6, p.name, coalesce(p.is_enabled, true), p.temp_unit, "
    + RuleField.given + """
         FROM jsonb_populate_record(NULL::alert_rules, $3) p RETURNING *
      )
      SELECT append_event_log($1, $2, 'alert_rule.created', 'alert_rule', r.id, NULL, to_jsonb(r)) FROM r
      """

  func change(_ id: UUID, _ row: Value, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    try await database.transaction { try await change(id, row, scope, request, on: $0) }
  }

  /// The field is not said here any more.
  func clear(_ field: RuleField, of id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Rows {
    let row = Value.json(JSONWriter.bytes { json in json.object { $0.field(field.column, nil as String?) } })
    return try await change(id, row, scope, request)
  }

  /// A change of `temp_unit` alone converts the temperatures and does not change what they mean.
  private func change(
    _ id: UUID, _ row: Value, _ scope: OrganizationScope, _ request: Request, on connection: Connection
  ) async throws -> Rows {
    let changed = try await connection.query(
      Self.changing, [.uuid(scope.organizationId), Audit.author(scope, request), row, .uuid(id)])
    guard
      let place = try changed.first.map({ RulePlace(siteId: try $0.optionalUUID(0), unitId: try $0.optionalUUID(1)) })
    else { return changed }
    return try await finish(id, place, scope, request, on: connection)
  }

  private static let changing: SQL =
    """
    WITH old AS (
      SELECT * FROM alert_rules WHERE organization_id = $1 AND id = $4 AND deleted_at IS NULL FOR UPDATE
    ), r AS (
      UPDATE alert_rules t SET (name, is_enabled, temp_unit,
    """ + " " + RuleField.columns + ") = (SELECT p.name, p.is_enabled, p.temp_unit, " + RuleField.given
      + """
         FROM (SELECT $3::jsonb AS patch) given,
          LATERAL (SELECT coalesce(patch->>'temp_unit', t.temp_unit) AS scale) s,
          LATERAL (SELECT CASE WHEN t.temp_unit = s.scale OR t.temp_unit IS NULL THEN patch ELSE jsonb_build_object(
            'temp_min', convert_degrees(t.temp_min, t.temp_unit, s.scale),
            'temp_max', convert_degrees(t.temp_max, t.temp_unit, s.scale),
            'temp_hysteresis', convert_degrees_difference(t.temp_hysteresis, t.temp_unit, s.scale)) || patch END AS full_patch
          ) f,
          LATERAL jsonb_populate_record(t, f.full_patch) p), updated_at = now()
        FROM old WHERE t.id = old.id RETURNING t.*
      )
      SELECT r.site_id, r.unit_id,
        append_event_log($1, $2, 'alert_rule.updated', 'alert_rule', r.id, to_jsonb(old), to_jsonb(r))
      FROM old, r
      """

  func delete(_ id: UUID, _ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    try await database.transaction { connection in
      let deleted = try await connection.query(
        """
        WITH r AS (
          UPDATE alert_rules SET deleted_at = now(), updated_at = now()
          WHERE organization_id = $1 AND id = $3 AND deleted_at IS NULL RETURNING *
        )
        SELECT r.site_id, r.unit_id,
          append_event_log($1, $2, 'alert_rule.deleted', 'alert_rule', r.id, to_jsonb(r), NULL) FROM r
        """, [.uuid(scope.organizationId), Audit.author(scope, request), .uuid(id)])
      guard let row = deleted.first else { return false }
      let place = RulePlace(siteId: try row.optionalUUID(0), unitId: try row.optionalUUID(1))
      _ = try await finish(id, place, scope, request, on: connection)
      return true
    }
  }

  private func check(_ place: RulePlace, _ scope: OrganizationScope, on connection: Connection) async throws {
    if let siteId = place.siteId {
      let found = try await connection.query(
        "SELECT FROM sites WHERE organization_id = $1 AND id = $2 AND deleted_at IS NULL",
        [.uuid(scope.organizationId), .uuid(siteId)])
      if found.isEmpty { throw InvalidFields("siteId", "is not a site of this organization") }
    }
    if let unitId = place.unitId {
      let found = try await connection.query(
        "SELECT FROM unit_current WHERE organization_id = $1 AND id = $2 AND is_visible",
        [.uuid(scope.organizationId), .uuid(unitId)])
      if found.isEmpty { throw InvalidFields("unitId", "is not a unit of this organization") }
    }
  }

  private func finish(
    _ id: UUID, _ place: RulePlace, _ scope: OrganizationScope, _ request: Request, on connection: Connection
  ) async throws -> Rows {
    let (refreshing, concerned) = UnitLimits.refresh(place.limits, scope, request)
    _ = try await connection.query(refreshing, concerned)
    return try await connection.query(Self.one, [.uuid(scope.organizationId), .uuid(id)])
  }

  // MARK: - What follows from rules, and what was done to them

  func effective(of unit: UUID, shownIn scale: Value, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      SELECT e.unit_id AS "unitId", shown AS "temperatureUnit", jsonb_object_agg(e.field,
        jsonb_build_object('value', trim_scale(CASE e.kind
          WHEN 'degrees' THEN convert_degrees(e.entered, e.scale, shown)
          WHEN 'difference' THEN convert_degrees_difference(e.entered, e.scale, shown) ELSE e.entered END),
          'source', e.source, 'ruleId', e.rule_id)) AS rules
      FROM effective_rules e
      JOIN unit_current c ON c.id = e.unit_id AND c.is_visible, LATERAL coalesce($3::text, c.temp_unit) AS shown
      WHERE e.organization_id = $1 AND e.unit_id = $2 GROUP BY e.unit_id, shown
      """, [.uuid(scope.organizationId), .uuid(unit), scale])
  }

  /// Newest first: what the audit log says of rules, of one or of those of a place.
  func history(of id: UUID?, _ wanted: RuleHistoryFilter, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      """
      SELECT e.id, e.entity_id AS "alertRuleId", substr(e.event_type, 12) AS "changeType", c.old AS "oldValues",
        c.new AS "newValues", e.occurred_at AS "changedAt",
        CASE WHEN e.actor_type = 'user' THEN e.actor_id::uuid END AS "changedBy", p.email AS "userEmail",
        coalesce(p.full_name, p.email, 'System') AS "userName"
      FROM event_logs e
      LEFT JOIN profiles p ON e.actor_type = 'user' AND p.organization_id = e.organization_id
        AND p.user_id = e.actor_id::uuid
      CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(f.name, e.before->f.col) FILTER (WHERE e.before->f.col <> 'null') AS old,
          jsonb_object_agg(f.name, e.after->f.col) FILTER (WHERE e.after->f.col <> 'null') AS new
        FROM (VALUES ('name', 'name'), ('isEnabled', 'is_enabled'), ('tempUnit', 'temp_unit'),
      """ + " " + RuleField.names + """
          ) AS f (name, col) WHERE e.before->f.col IS DISTINCT FROM e.after->f.col
        ) c
        WHERE e.organization_id = $1 AND e.entity_type = 'alert_rule' AND ($2::uuid IS NULL OR e.entity_id = $2)
          AND ($3::uuid IS NULL OR (coalesce(e.after, e.before)->>'site_id')::uuid = $3)
          AND ($4::uuid IS NULL OR (coalesce(e.after, e.before)->>'unit_id')::uuid = $4)
        ORDER BY e.seq DESC LIMIT $5
        """,
      [
        .uuid(scope.organizationId), .optional(id), .optional(wanted.siteId), .optional(wanted.unitId),
        .int(wanted.limit),
      ])
  }
}
