import Basics
import Crypto
import HTTP
import Identity
import PostgreSQL

/// The organization's own account for text messages. Its key goes in sealed and never comes out of an answer or a log.
struct SMSConfigStore: Sendable {
  let database: Database

  private static let columns: SQL = """
    c.id, c.organization_id AS "organizationId", true AS "telnyxApiKeyConfigured",
    c.telnyx_phone_number AS "telnyxPhoneNumber", c.telnyx_messaging_profile_id AS "telnyxMessagingProfileId",
    c.is_enabled AS "isEnabled", c.last_test_at AS "lastTestAt", c.created_at AS "createdAt",
    c.updated_at AS "updatedAt"
    """

  func get(_ scope: OrganizationScope) async throws -> Rows {
    try await database.query(
      "SELECT " + Self.columns + " FROM sms_configs c WHERE c.organization_id = $1", [.uuid(scope.organizationId)])
  }

  /// The whole of it: what is not given is taken away.
  func put(
    _ config: SMSConfig, sealedWith box: SecretBox, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Rows {
    try await database.query(
      """
      WITH old AS (
        SELECT * FROM sms_configs WHERE organization_id = $1 FOR UPDATE
      ), c AS (
        INSERT INTO sms_configs (organization_id, telnyx_api_key_sealed, telnyx_phone_number,
          telnyx_messaging_profile_id, is_enabled)
        VALUES ($1, $3, $4, $5, $6)
        ON CONFLICT (organization_id) DO UPDATE SET telnyx_api_key_sealed = excluded.telnyx_api_key_sealed,
          telnyx_phone_number = excluded.telnyx_phone_number,
          telnyx_messaging_profile_id = excluded.telnyx_messaging_profile_id, is_enabled = excluded.is_enabled,
          updated_at = now()
        RETURNING *
      ), log AS (
        SELECT append_event_log($1, $2, 'sms_config.updated', 'sms_config', c.id,
          (SELECT to_jsonb(old) - 'telnyx_api_key_sealed' FROM old), to_jsonb(c) - 'telnyx_api_key_sealed') FROM c
      )
      SELECT
      """ + " " + Self.columns + " FROM c, log",
      [
        .uuid(scope.organizationId), Audit.author(scope, request),
        .bytes(box.seal(Array(config.apiKey.utf8), context: Self.context(scope.organizationId))),
        .text(config.phoneNumber), .optional(config.messagingProfileId), .bool(config.isEnabled),
      ])
  }

  func delete(_ scope: OrganizationScope, _ request: Request) async throws -> Bool {
    let rows = try await database.query(
      """
      WITH c AS (
        DELETE FROM sms_configs WHERE organization_id = $1 RETURNING *
      )
      SELECT append_event_log($1, $2, 'sms_config.deleted', 'sms_config', c.id, to_jsonb(c) - 'telnyx_api_key_sealed',
        NULL) FROM c
      """, [.uuid(scope.organizationId), Audit.author(scope, request)])
    return !rows.isEmpty
  }

  /// Where the sealed key belongs.
  static func context(_ organizationId: UUID) -> String { "sms_configs/\(organizationId)/telnyx_api_key" }
}

extension SealedColumn {
  /// Telnyx keys of organizations.
  public static let telnyxKeys = SealedColumn(
    "sms_configs", key: "organization_id", "telnyx_api_key_sealed", context: SMSConfigStore.context)
}
