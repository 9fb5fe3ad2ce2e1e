import Basics
import PostgreSQL

/// Why an uplink with a valid key could not become a reading.
enum QuarantineReason: String, Sendable, CaseIterable {
  case unknownDevice = "unknown_device"
  case wrongApplication = "wrong_application"
  case wrongSite = "wrong_site"
  case unknownType = "unknown_type"
  case malformed
  case undecodable
  case impossibleTime = "impossible_time"
  /// PostgreSQL refused to store what was decoded.
  case refused
}

/// A message that is kept as it came, so that it can be replayed once its device is known.
struct QuarantinedUplink {
  let id: UUID
  let organizationId: UUID
  let apiKeyId: UUID
  let reason: QuarantineReason
  let detail: String?
  let devEUI: String?
  let deviceID: String?
  let applicationID: String?
  let receivedAt: Instant
  let body: [UInt8]
}

enum QuarantineStore {
  static func insert(_ uplinks: [QuarantinedUplink]) -> (SQL, [Value]) {
    (
      """
      INSERT INTO quarantined_uplinks (id, organization_id, api_key_id, reason, detail, dev_eui, device_id, application_id,
        received_at, body)
      SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
        $9::timestamptz[], $10::bytea[])
      ON CONFLICT DO NOTHING
      """,
      [
        .uuids(uplinks.map(\.id)), .uuids(uplinks.map(\.organizationId)), .uuids(uplinks.map(\.apiKeyId)),
        .texts(uplinks.map(\.reason.rawValue)), .texts(uplinks.map(\.detail)), .texts(uplinks.map(\.devEUI)),
        .texts(uplinks.map(\.deviceID)), .texts(uplinks.map(\.applicationID)), .timestamps(uplinks.map(\.receivedAt)),
        .byteas(uplinks.map(\.body)),
      ]
    )
  }
}
