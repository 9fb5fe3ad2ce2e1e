import Basics
import Devices
import Forms
import JSON
import PostgreSQL

/// Whether somebody has dealt with it.
enum QuarantineStatus: String, CaseIterable {
  case open
  case claimed
  case discarded
}

/// Which kept messages are asked for, newest first.
struct QuarantineQuery {
  let statuses: [QuarantineStatus]
  let reasons: [QuarantineReason]?
  let devEUI: String?
  let limit: Int
  /// The last one of the part before.
  let before: UUID?

  init(_ query: inout Query) {
    statuses = query.choices("status", of: QuarantineStatus.self) ?? [.open]
    reasons = query.choices("reason", of: QuarantineReason.self)
    let text = query.text("devEui", 1...64)
    devEUI = text.map { EUI64($0)?.description ?? $0 }
    if let text, EUI64(text) == nil { query.problem("devEui", "must be 16 hexadecimal digits") }
    limit = query.int("limit", in: 1...1000, default: 100)
    before = query.uuid("before")
  }
}

/// What a person says of the device that a kept message came from.
struct QuarantineClaim {
  let name: String?
  let model: String?
  let unitId: UUID?
  let channel: String?

  init(_ fields: inout Fields) {
    name = fields.optionalString("name", 1...256)
    model = fields.optionalString("model", 1...128)
    unitId = fields.optionalUUID("unitId")
    channel = fields.optionalString("channel", 1...64)
    if channel != nil, unitId == nil { fields.problem("unitId", "is required with channel") }
  }
}

/// The same by its DevEUI.
struct DeviceClaim {
  let devEUI: String
  let claim: QuarantineClaim

  init(_ fields: inout Fields) {
    let text = fields.string("devEui", 1...64)
    let eui = EUI64(text)
    if eui == nil, !text.isEmpty { fields.problem("devEui", "must be 16 hexadecimal digits") }
    devEUI = eui?.description ?? ""
    claim = QuarantineClaim(&fields)
  }
}

extension Schema {
  private static let facts: [Property] = [
    .uuid("id"), .choice("reason", QuarantineReason.self), .text("detail").orNull, .text("devEui").orNull,
    .text("deviceId").orNull, .text("applicationId").orNull, .instant("receivedAt"),
    .choice("status", QuarantineStatus.self), .uuid("claimedDeviceId").orNull, .instant("claimedAt").orNull,
    .text("outcome").orNull, .instant("discardedAt").orNull,
  ]

  static let quarantinedUplink = Schema.object("QuarantinedUplink", facts)
  /// `body` is the message as it came.
  static let quarantinedMessage = Schema.object("QuarantinedMessage", facts + [.text("body")])

  /// `remaining` could still not be taken, or wait to be.
  static let quarantineClaimed = Schema.object(
    "QuarantineClaimed",
    [
      .uuid("deviceId"), .bool("deviceCreated"), .integer("stored"), .integer("duplicate"), .integer("ignored"),
      .integer("remaining"),
    ])
}
