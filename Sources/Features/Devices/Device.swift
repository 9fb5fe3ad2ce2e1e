import Basics
import ColdChain
import Forms
import JSON
import PostgreSQL

public enum DeviceStatus: String, Sendable, CaseIterable {
  case active
  case inactive
  case pairing
  case error
}

/// Which devices are asked for.
struct DeviceFilter {
  let unitId: UUID?
  let siteId: UUID?
  /// The deleted ones, which can be restored.
  let deleted: Bool

  init(_ query: inout Query) {
    unitId = query.uuid("unitId")
    siteId = query.uuid("siteId")
    deleted = query.bool("deleted")
  }
}

/// What a body says of a device: its row, and where it is to measure.
struct DeviceDraft {
  let row: Value
  let assignment: DeviceAssignment?

  init(_ draft: consuming Draft) throws {
    assignment = Self.assignment(&draft.fields)
    draft.text("name", length: 1...256)
    let digits = "16 hexadecimal digits"
    draft.text("devEui", "dev_eui", length: 1...64, must: digits, as: "A84041000181C061") { EUI64($0)?.description }
    draft.optionalText("joinEui", "join_eui", length: 1...64, must: digits) { EUI64($0)?.description }
    draft.optionalText("description", upTo: 2048)
    draft.optionalText("model", upTo: 128)
    draft.optionalText("deviceId", "device_id", upTo: 36)
    draft.choice("status", of: DeviceStatus.self, default: .inactive)
    draft.optionalInteger("expectedIntervalSeconds", "expected_interval_seconds", in: 10...604_800)
    draft.bool("isActive", "is_active", default: true)
    row = try draft.row()
  }

  /// `unitId` null takes the device off its unit; without `unitId` it stays where it is.
  private static func assignment(_ fields: inout Fields) -> DeviceAssignment? {
    let unitId = fields.optionalUUID("unitId")
    let channel = fields.optionalChoice("channel", of: TemperatureChannel.self)
    let from = fields.optionalInstant("assignedFrom")
    if fields.present("unitId") { return DeviceAssignment(unitId: unitId, channel: channel?.rawValue, from: from) }
    if fields.present("channel") || from != nil {
      fields.problem("unitId", "is required with channel or assignedFrom")
    }
    return nil
  }
}

/// What a body says of a move: where the device measures from then on, null for nowhere.
extension DeviceAssignment {
  init(_ fields: inout Fields) {
    fields.note(Schema.Property("unitId", .uuid.orNull))
    unitId = fields.optionalUUID("unitId")
    if !fields.present("unitId") { fields.problem("unitId", "is required; null for none") }
    channel = fields.optionalChoice("channel", of: TemperatureChannel.self)?.rawValue
    isPrimary = fields.bool("isPrimary", default: true)
    from = fields.optionalInstant("assignedFrom")
  }
}

extension Schema {
  static let device = Schema.object(
    "Device",
    [
      .uuid("id"), .uuid("organizationId"), .text("devEui"), .text("joinEui").orNull, .text("name"),
      .text("description").orNull, .text("model").orNull, .text("deviceId").orNull,
      .choice("status", DeviceStatus.self),
      .uuid("unitId").orNull, .text("channel").orNull, .integer("expectedIntervalSeconds").orNull, .bool("isActive"),
      .instant("lastSeenAt").orNull, .integer("battery").orNull, .number("batteryVoltage").orNull,
      .integer("signalStrength").orNull, .instant("createdAt"), .instant("updatedAt"),
      .instant("deletedAt").optional,
    ])

  /// `assignedFrom` null: since ever.
  static let deviceAssignment = Schema.object(
    "DeviceAssignment",
    [
      .uuid("id"), .uuid("deviceId"), .uuid("unitId"), .text("unitName"), .text("channel").orNull, .bool("isPrimary"),
      .instant("assignedFrom").orNull, .instant("assignedTo").orNull,
    ])
}
