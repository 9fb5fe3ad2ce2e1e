import Basics
import Forms
import Identity
import PostgreSQL

/// The log of what was sent to whom. Rows are made when a message is owed.
struct DeliveryStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    SELECT d.id, d.alert_id AS "alertId", a.alert_type AS "alertType", a.unit_id AS "unitId", d.occasion,
      d.escalation_step AS "escalationStep", d.channel, d.recipient, d.user_id AS "userId", d.contact_id AS "contactId",
      d.status, d.suppressed_reason AS "suppressedReason", d.provider, d.provider_message_id AS "providerMessageId",
      d.error_code AS "errorCode", d.error, d.attempts, d.next_attempt_at AS "nextAttemptAt", d.sent_at AS "sentAt",
      d.delivered_at AS "deliveredAt", d.failed_at AS "failedAt", d.created_at AS "createdAt",
      d.updated_at AS "updatedAt"
    """

  private static let source: SQL = """
     FROM notification_deliveries d LEFT JOIN alerts a ON a.id = d.alert_id
    WHERE d.organization_id = $1
      AND ($2::text[] IS NULL OR d.status = ANY ($2)) AND ($3::text[] IS NULL OR d.channel = ANY ($3))
      AND ($4::uuid IS NULL OR d.alert_id = $4) AND ($5::uuid IS NULL OR a.unit_id = $5)
      AND ($6::timestamptz IS NULL OR d.created_at >= $6) AND ($7::timestamptz IS NULL OR d.created_at <= $7)
    """

  /// Newest first.
  func list(_ wanted: DeliveryFilter, _ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      Self.columns + Self.source + " ORDER BY d.created_at DESC, d.id LIMIT $8 OFFSET $9",
      [.uuid(scope.organizationId)] + wanted.values + [.int(wanted.page.limit), .int(wanted.page.offset)])
  }

  func count(_ wanted: DeliveryFilter, _ scope: OrganizationScope) async throws -> Int64 {
    try await database.query("SELECT count(*)" + Self.source, [.uuid(scope.organizationId)] + wanted.values)
      .first?.int(0) ?? 0
  }

  /// Writes down what a provider says about its message. Nothing happens to a message that is not known, and none goes
  /// back: two providers' servers may tell the end before the middle.
  func took(_ message: TelnyxMessage, at now: Instant) async throws {
    let at = Value.timestamp(min(message.occurredAt ?? now, now))
    if let consent = message.consent {
      try await database.execute(
        """
        INSERT INTO sms_consents AS t (sender, phone, is_given, told_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (sender, phone) DO UPDATE SET is_given = excluded.is_given, told_at = excluded.told_at
        WHERE t.told_at <= excluded.told_at
        """, [.text(consent.sender), .text(consent.phone), .bool(consent.isGiven), at])
    }
    switch message.progress {
    case .none: return
    case .sent:
      try await database.execute(
        """
        UPDATE notification_deliveries SET status = 'sent', sent_at = coalesce(sent_at, $2), updated_at = now()
        WHERE provider = 'telnyx' AND provider_message_id = $1 AND status = 'pending'
        """, [.text(message.id), at])
    case .delivered:
      try await database.execute(
        """
        UPDATE notification_deliveries SET status = 'delivered', sent_at = coalesce(sent_at, $2), delivered_at = $2,
          next_attempt_at = NULL, updated_at = now()
        WHERE provider = 'telnyx' AND provider_message_id = $1 AND status IN ('pending', 'sent')
        """, [.text(message.id), at])
    case .failed(let code, let reason):
      try await database.execute(
        """
        UPDATE notification_deliveries SET status = 'failed', failed_at = $2, error_code = $3, error = $4,
          next_attempt_at = NULL, updated_at = now()
        WHERE provider = 'telnyx' AND provider_message_id = $1 AND status IN ('pending', 'sent')
        """, [.text(message.id), at, .optional(code), .text(reason)])
    }
  }
}
