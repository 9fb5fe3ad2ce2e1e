import Basics
import ColdChain
import Identity
import JSON
import PostgreSQL

extension DeviceEntry {
  /// What is added to what a probe says, from `from` on.
  public struct Calibration: Sendable {
    /// Nil: of every channel that has none of its own.
    public let channel: TemperatureChannel?
    public let offset: TemperatureDifference
    public let from: Instant
  }

  /// What is to be added to what the device says on a channel at an instant. Nil: it was not calibrated then.
  public func offset(of channel: TemperatureChannel?, at instant: Instant) -> TemperatureDifference? {
    let valid = calibrations.filter { $0.from <= instant }
    return (valid.last { $0.channel != nil && $0.channel == channel } ?? valid.last { $0.channel == nil })?.offset
  }

  /// The temperature of the unit in a sample, corrected. The sample itself stays as it came.
  public func temperature(
    of sample: Measurements, _ assignment: Assignment?, at instant: Instant
  ) -> (temperature: Temperature?, isCalibrated: Bool) {
    guard let raw = sample.unitTemperature(assignment?.channel) else { return (nil, false) }
    let hasProbe =
      sample.flags.contains(.hasProbe) || sample.probe != nil || sample.probe2 != nil || sample.probe3 != nil
    guard let offset = offset(of: assignment?.channel ?? (hasProbe ? .probe : .ambient), at: instant) else {
      return (raw, false)
    }
    return (raw + offset, true)
  }

  /// The calibrations of these devices, by their beginning.
  static func calibrations(of devices: [UUID], on connection: Connection) async throws -> [UUID: [Calibration]] {
    var found: [UUID: [Calibration]] = [:]
    guard !devices.isEmpty else { return found }
    let rows = try await connection.query(
      """
      SELECT device_id, channel, temperature_offset, valid_from FROM device_calibrations
      WHERE device_id = ANY ($1) AND deleted_at IS NULL ORDER BY valid_from
      """, [.uuids(devices)])
    for row in rows {
      found[try row.uuid(0), default: []].append(
        Calibration(
          channel: try row.optionalText(1).flatMap(TemperatureChannel.init(rawValue:)),
          offset: TemperatureDifference(hundredths: Int32(clamping: try row.hundredths(2))),
          from: try row.instant(3)))
    }
    return found
  }
}

extension Temperature {
  /// Corrected by an offset.
  public static func + (a: Temperature, b: TemperatureDifference) -> Temperature {
    Temperature(hundredths: Int32(clamping: Int64(a.hundredths) + Int64(b.hundredths)))
  }
}

/// What a body says of a calibration.
struct CalibrationDraft: Sendable {
  let channel: TemperatureChannel?
  /// Temperatures are in this.
  let scale: TemperatureUnit
  let offset: Decimal2
  /// What the reference showed, and what the device showed beside it.
  let reference: Decimal2?
  let measured: Decimal2?
  let validFrom: Instant?
  let performedAt: Instant?
  let performedBy: String?
  let certificate: String?
  let dueAt: Instant?
  let notes: String?

  init(_ fields: inout Fields) {
    channel = fields.optionalChoice("channel", of: TemperatureChannel.self)
    scale = fields.choice("temperatureUnit", default: .celsius)
    offset = fields.decimal("temperatureOffset", in: -30...30)
    reference = fields.optionalDecimal("referenceTemperature", in: -300...500)
    measured = fields.optionalDecimal("measuredTemperature", in: -300...500)
    validFrom = fields.optionalInstant("validFrom")
    performedAt = fields.optionalInstant("performedAt")
    performedBy = fields.optionalString("performedBy", 1...256)
    certificate = fields.optionalString("certificate", 1...2048)
    dueAt = fields.optionalInstant("dueAt")
    notes = fields.optionalString("notes", 1...2000)
  }
}

extension Schema {
  /// Temperatures are in °C. The newest calibration of a channel that has begun counts.
  static let calibration = Schema.object(
    "DeviceCalibration",
    [
      .uuid("id"), .uuid("deviceId"), .choice("channel", TemperatureChannel.self).orNull, .number("temperatureOffset"),
      .instant("validFrom"), .number("referenceTemperature").orNull, .number("measuredTemperature").orNull,
      .text("certificate").orNull, .text("performedBy").orNull, .instant("performedAt").orNull,
      .instant("dueAt").orNull, .text("notes").orNull, .uuid("createdBy").orNull, .instant("createdAt"),
    ])
}
