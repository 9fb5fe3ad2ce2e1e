import Basics
import Forms
import HTTP
import PostgreSQL

/// What stands above all organizations. Every change goes into the log of the platform, and into that of the
/// organization as long as it has one.
struct AdministrationStore: Sendable {
  let database: Database

  // MARK: - Figures

  /// Readings are counted as PostgreSQL estimates them.
  func statistics(_ scope: PlatformScope) async throws -> Rows {
    try await database.query(
      """
      SELECT (SELECT count(*) FROM organizations WHERE deleted_at IS NULL) AS organizations,
        (SELECT count(DISTINCT user_id) FROM user_roles) AS users,
        (SELECT count(*) FROM sites WHERE deleted_at IS NULL) AS sites,
        (SELECT count(*) FROM units WHERE deleted_at IS NULL) AS units,
        (SELECT count(*) FROM devices WHERE deleted_at IS NULL) AS devices,
        (SELECT coalesce(sum(greatest(c.reltuples, 0)), 0)::bigint FROM pg_inherits i
          JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'sensor_readings'::regclass) AS readings,
        (SELECT count(*) FROM alerts WHERE status <> 'resolved') AS "openAlerts",
        now() AS timestamp
      """)
  }

  // MARK: - Organizations

  private static let columns: SQL = """
    o.id, o.name, o.slug, o.timezone, o.compliance_mode AS "complianceMode", o.sensor_limit AS "sensorLimit",
    o.created_at AS "createdAt", o.deleted_at AS "deletedAt",
    (SELECT count(*) FROM user_roles r WHERE r.organization_id = o.id) AS "userCount",
    (SELECT count(*) FROM sites s WHERE s.organization_id = o.id AND s.deleted_at IS NULL) AS "siteCount",
    (SELECT count(*) FROM units u WHERE u.organization_id = o.id AND u.deleted_at IS NULL) AS "unitCount"
    """

  func organizations(_ wanted: OrganizationSearch, _ scope: PlatformScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
         FROM organizations o
        WHERE ($1::text IS NULL OR strpos(lower(o.name), lower($1)) > 0 OR strpos(o.slug, lower($1)) > 0)
          AND ($2 OR o.deleted_at IS NULL)
        ORDER BY o.name, o.id LIMIT $3 OFFSET $4
        """,
      [.optional(wanted.text), .bool(wanted.withDeleted), .int(wanted.page.limit), .int(wanted.page.offset)])
  }

  /// With its members.
  func organization(_ id: UUID, _ scope: PlatformScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns
        + """
        , coalesce((
          SELECT jsonb_agg(jsonb_build_object('userId', r.user_id, 'email', p.email, 'fullName', p.full_name,
            'role', r.role) ORDER BY r.created_at, r.user_id)
          FROM user_roles r
          LEFT JOIN profiles p ON p.organization_id = r.organization_id AND p.user_id = r.user_id
          WHERE r.organization_id = o.id), '[]') AS users
        FROM organizations o WHERE o.id = $1
        """, [.uuid(id)])
  }

  /// Its members and keys are locked out at once; nothing is lost.
  func delete(_ id: UUID, _ scope: PlatformScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH old AS (
        SELECT * FROM organizations WHERE id = $1 AND deleted_at IS NULL FOR UPDATE
      ), o AS (
        UPDATE organizations t SET deleted_at = $3, updated_at = $3 FROM old WHERE t.id = old.id RETURNING t.*
      )
      SELECT append_event_log($1, $2, 'organization.deleted', 'organization', o.id, to_jsonb(old), to_jsonb(o)),
        append_platform_log($2, 'organization.deleted', o.id, NULL, jsonb_build_object('name', o.name, 'slug', o.slug))
      FROM old, o
      """, [.uuid(id), Audit.author(scope.principal, request), .timestamp(request.received)])
    return !rows.isEmpty
  }

  /// No row when there is no such organization that was deleted softly, or its deletion for good has begun.
  func restore(_ id: UUID, _ scope: PlatformScope, _ request: Request) async throws -> Rows {
    try await database.pipeline([
      (
        """
        WITH old AS (
          SELECT * FROM organizations o WHERE id = $1 AND deleted_at IS NOT NULL
            AND NOT EXISTS (SELECT FROM organization_purges p WHERE p.about_organization = o.id) FOR UPDATE
        ), o AS (
          UPDATE organizations t SET deleted_at = NULL, updated_at = $3 FROM old WHERE t.id = old.id RETURNING t.*
        )
        SELECT append_event_log($1, $2, 'organization.restored', 'organization', o.id, to_jsonb(old), to_jsonb(o)),
          append_platform_log($2, 'organization.restored', o.id, NULL,
            jsonb_build_object('name', o.name, 'slug', o.slug))
        FROM old, o
        """, [.uuid(id), Audit.author(scope.principal, request), .timestamp(request.received)]
      ),
      ("SELECT " + Self.columns + " FROM organizations o WHERE o.id = $1 AND o.deleted_at IS NULL", [.uuid(id)]),
    ])[1]
  }

  // MARK: - Users

  /// Those whose name, address or id has `text` in it, once for each organization that they are in.
  func users(_ wanted: UserSearch, _ scope: PlatformScope) async throws -> Rows {
    try await database.query(
      """
      SELECT p.user_id AS "userId", p.email, coalesce(a.full_name, p.full_name) AS "fullName", a.phone,
        o.id AS "organizationId", o.name AS "organizationName", r.role,
        EXISTS (SELECT FROM platform_roles s WHERE s.user_id = p.user_id AND s.role = 'SUPER_ADMIN') AS "isSuperAdmin",
        p.created_at AS "createdAt"
      FROM profiles p
      JOIN organizations o ON o.id = p.organization_id
      LEFT JOIN user_roles r ON r.organization_id = p.organization_id AND r.user_id = p.user_id
      LEFT JOIN accounts a ON a.user_id = p.user_id
      WHERE $1::text IS NULL OR strpos(lower(p.email), lower($1)) > 0
        OR strpos(lower(coalesce(a.full_name, p.full_name, '')), lower($1)) > 0 OR p.user_id::text = lower($1)
      ORDER BY p.email, p.user_id, o.name, o.id LIMIT $2 OFFSET $3
      """, [.optional(wanted.text), .int(wanted.page.limit), .int(wanted.page.offset)])
  }

  // MARK: - The platform's log

  func log(_ wanted: PlatformLogQuery, _ scope: PlatformScope) async throws -> Rows {
    try await database.query(
      """
      SELECT l.seq, l.event_type AS action, l.occurred_at AS "createdAt", l.actor_type AS "actorType",
        l.actor_id AS "actorId", p.email AS "actorEmail", p.full_name AS "actorName",
        l.about_organization AS "targetOrgId", o.name AS "targetOrgName", l.target_id AS "targetId", l.details,
        l.ip_address AS "ipAddress", l.request_id AS "requestId"
      FROM (
        SELECT * FROM platform_logs WHERE ($1::bigint IS NULL OR seq < $1) AND ($2::uuid IS NULL OR about_organization = $2)
        ORDER BY seq DESC LIMIT $3
      ) l
      LEFT JOIN organizations o ON o.id = l.about_organization
      LEFT JOIN LATERAL (
        SELECT email, full_name FROM profiles
        WHERE l.actor_type = 'user' AND user_id = uuid_member(jsonb_build_object('id', l.actor_id), 'id')
        ORDER BY created_at, id LIMIT 1
      ) p ON true
      ORDER BY l.seq DESC
      """, [.optional(wanted.cursor), .optional(wanted.organizationId), .int(wanted.limit)])
  }
}
