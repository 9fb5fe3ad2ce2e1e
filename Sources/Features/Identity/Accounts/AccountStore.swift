import Basics
import HTTP
import PostgreSQL

/// What a person has set for themself. Who has set nothing has no row and the defaults of the table.
struct AccountStore: Sendable {
  let database: Database

  func profile(_ principal: Principal) async throws -> Rows {
    let (sql, parameters) = Self.profile(of: principal)
    return try await database.query(sql, parameters)
  }

  private static func profile(of principal: Principal) -> (SQL, [Value]) {
    (
      """
      SELECT $1::uuid AS "userId", coalesce($2::text, p.email) AS email,
        coalesce(a.full_name, $3::text, p.full_name) AS "fullName", a.phone, a.avatar_url AS "avatarUrl",
        jsonb_build_object('push', coalesce(a.push_enabled, true), 'email', coalesce(a.email_enabled, true),
          'sms', coalesce(a.sms_enabled, false)) AS "notificationPreferences",
        EXISTS (SELECT FROM platform_roles r WHERE r.user_id = $1 AND r.role = 'SUPER_ADMIN') AS "isSuperAdmin",
        a.updated_at AS "updatedAt"
      FROM (VALUES (1)) AS one
      LEFT JOIN accounts a ON a.user_id = $1
      LEFT JOIN LATERAL (
        SELECT nullif(email, '') AS email, full_name FROM profiles WHERE user_id = $1 ORDER BY created_at, id LIMIT 1
      ) p ON true
      """, [.uuid(principal.userId), .optional(principal.email), .optional(principal.name)]
    )
  }

  /// A new name is also the name that the person's organizations know them by, and stands in their audit logs.
  func update(_ row: Value, _ principal: Principal, _ request: Request) async throws -> Rows {
    let (reading, parameters) = Self.profile(of: principal)
    let author = Audit.author(principal, request)
    return try await database.pipeline([
      Self.making(principal),
      Self.changing("account.updated", row, principal, author),
      (
        """
        WITH old AS (
          SELECT p.* FROM profiles p
          JOIN accounts a ON a.user_id = p.user_id AND a.full_name IS DISTINCT FROM p.full_name
          JOIN user_roles m ON m.organization_id = p.organization_id AND m.user_id = p.user_id
          WHERE p.user_id = $1 AND a.full_name IS NOT NULL ORDER BY p.organization_id FOR UPDATE OF p
        ), p AS (
          UPDATE profiles t SET full_name = a.full_name, updated_at = now()
          FROM old, accounts a WHERE t.id = old.id AND a.user_id = $1 RETURNING t.*
        )
        SELECT append_event_log(p.organization_id, $2, 'profile.updated', 'profile', p.id, to_jsonb(old), to_jsonb(p))
        FROM old JOIN p USING (id)
        """, [.uuid(principal.userId), author]
      ), (reading, parameters),
    ])[3]
  }

  // MARK: - Digests

  func digest(_ userId: UUID) async throws -> Rows {
    let (sql, parameters) = Self.digest(of: userId)
    return try await database.query(sql, parameters)
  }

  private static func digest(of userId: UUID) -> (SQL, [Value]) {
    (
      """
      SELECT coalesce(a.digest_daily, false) AS "digestDaily", coalesce(a.digest_weekly, false) AS "digestWeekly",
        coalesce(a.digest_daily_time, '09:00') AS "digestDailyTime", a.digest_site_ids AS "digestSiteIds",
        coalesce(a.timezone, 'UTC') AS timezone, coalesce(a.email_enabled, true) AS "emailEnabled"
      FROM (VALUES (1)) AS one LEFT JOIN accounts a ON a.user_id = $1
      """, [.uuid(userId)]
    )
  }

  func updateDigest(_ row: Value, _ principal: Principal, _ request: Request) async throws -> Rows {
    try await database.pipeline([
      Self.making(principal),
      Self.changing("account.digest_updated", row, principal, Audit.author(principal, request)),
      Self.digest(of: principal.userId),
    ])[2]
  }

  /// How many of `sites` the person may see.
  func visible(_ sites: [UUID], to principal: Principal) async throws -> Int {
    let rows = try await database.query(
      """
      SELECT count(*) FROM sites s
      JOIN user_roles m ON m.organization_id = s.organization_id AND m.user_id = $1
      WHERE s.id = ANY ($2) AND s.deleted_at IS NULL
      """, [.uuid(principal.userId), .uuids(sites)])
    return Int(try rows.first?.int(0) ?? 0)
  }

  /// Ends digests. The same again changes nothing.
  func unsubscribe(_ wish: Unsubscription, author: Value) async throws {
    _ = try await database.query(
      """
      WITH a AS (
        INSERT INTO accounts (user_id) VALUES ($1)
        ON CONFLICT (user_id) DO UPDATE SET digest_daily = accounts.digest_daily AND $3 = 'weekly',
          digest_weekly = accounts.digest_weekly AND $3 = 'daily', updated_at = now()
        RETURNING *
      )
      SELECT append_platform_log($2, 'account.unsubscribed', NULL, a.user_id, jsonb_build_object('type', $3)) FROM a
      """, [.uuid(wish.userId), author, .text(wish.kind.rawValue)])
  }

  // MARK: - Rows

  private static func making(_ principal: Principal) -> (SQL, [Value]) {
    ("INSERT INTO accounts (user_id) VALUES ($1) ON CONFLICT DO NOTHING", [.uuid(principal.userId)])
  }

  private static func changing(
    _ event: String, _ row: Value, _ principal: Principal, _ author: Value
  ) -> (SQL, [Value]) {
    (
      """
      WITH old AS (
        SELECT * FROM accounts WHERE user_id = $1 FOR UPDATE
      ), a AS (
        UPDATE accounts t SET (full_name, phone, avatar_url, push_enabled, email_enabled, sms_enabled, digest_daily,
          digest_weekly, digest_daily_time, digest_site_ids, timezone) =
          (SELECT p.full_name, p.phone, p.avatar_url, p.push_enabled, p.email_enabled, p.sms_enabled, p.digest_daily,
            p.digest_weekly, p.digest_daily_time, p.digest_site_ids, p.timezone
          FROM jsonb_populate_record(t, $3) p), updated_at = now()
        FROM old WHERE t.user_id = old.user_id RETURNING t.*
      )
      SELECT append_platform_log($2, $4, NULL, a.user_id,
        jsonb_build_object('before', to_jsonb(old), 'after', to_jsonb(a)))
      FROM old, a
      """, [.uuid(principal.userId), author, row, .text(event)]
    )
  }

  // MARK: - Availability

  func hasEmail(_ email: String) async throws -> Bool {
    try await !database.query(
      "SELECT FROM profiles WHERE lower(email) = lower($1) LIMIT 1", [.text(email)]
    ).isEmpty
  }

  /// `phone` without blanks, hyphens and parentheses.
  func hasPhone(_ phone: String) async throws -> Bool {
    try await !database.query("SELECT FROM accounts WHERE phone = $1 LIMIT 1", [.text(phone)]).isEmpty
  }
}
