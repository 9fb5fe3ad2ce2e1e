import Basics
import Devices

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
  let devEUI: EUI64?
  let deviceID: String?
  let applicationID: String?
  let receivedAt: Instant
  let body: [UInt8]
}
