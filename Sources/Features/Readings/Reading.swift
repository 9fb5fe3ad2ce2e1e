import Basics
import ColdChain
import JSON
import PostgreSQL

/// One sample, ready to be stored. Temperatures and humidity are exact hundredths of °C and %.
public struct Reading: Sendable {
  public enum Source: String, Sendable, CaseIterable { case ttn, manual, api, `import`, simulator }

  /// What is known about a reading beside its values.
  public struct Flags: OptionSet, Hashable, Sendable {
    public let rawValue: Int16
    public init(rawValue: Int16) { self.rawValue = rawValue }

    /// The low byte is ``Measurements/Flags``.
    public init(_ flags: Measurements.Flags) { rawValue = Int16(truncatingIfNeeded: flags.rawValue & 0xFF) }

    /// From a sensor that is not the unit's primary one: it does not move the unit's state.
    public static let secondary = Flags(rawValue: 1 << 8)
    /// The device sent it from its log, long after it measured: no sign of life.
    public static let backfill = Flags(rawValue: 1 << 9)
    /// The temperature is corrected by a calibration; what the device said is in the probe's, the ambient, or the payload.
    public static let calibrated = Flags(rawValue: 1 << 10)
    /// From a message that says less of a frame than another message of the same frame.
    public static let part = Flags(rawValue: 1 << 11)
    /// It did not reach us when it was sent, and was fetched from the network server's storage.
    public static let healed = Flags(rawValue: 1 << 12)
  }

  public var id: UUID
  public var organizationId: UUID
  public var unitId: UUID?
  public var deviceId: UUID?
  public var recordedAt: Instant
  public var receivedAt: Instant
  public var source: Source
  public var temperature: Temperature?
  public var probe: Temperature?
  public var ambient: Temperature?
  public var humidity: Humidity?
  public var batteryPercent: Int16?
  public var batteryVoltage: Voltage?
  /// dBm.
  public var signalStrength: Int16?
  /// Hundredths of dB.
  public var snr: Int64?
  public var doorOpen: Bool?
  public var port: Int16?
  public var frameCounter: Int64?
  public var session: String?
  public var payload: [UInt8]?
  public var simulated = false
  public var flags: Flags = []

  public init(
    id: UUID, organizationId: UUID, unitId: UUID?, deviceId: UUID?, recordedAt: Instant, receivedAt: Instant,
    source: Source
  ) {
    self.id = id
    self.organizationId = organizationId
    self.unitId = unitId
    self.deviceId = deviceId
    self.recordedAt = recordedAt
    self.receivedAt = receivedAt
    self.source = source
  }
}

extension Reading {
  /// What the reading says about its unit. Nil for a reading of no unit.
  public var judged: UnitReading? {
    guard unitId != nil else { return nil }
    let isPrimary = !flags.contains(.secondary)
    return UnitReading(
      id: id, device: deviceId ?? Self.noDevice, recordedAt: recordedAt, temperature: isPrimary ? temperature : nil,
      doorOpen: doorOpen, checksIn: isPrimary && !flags.contains(.backfill), simulated: simulated)
  }

  static let noDevice = UUID(high: 0, low: 0)
}

extension Schema {
  /// Temperatures are in `temperatureUnit`, humidity and battery in %, the signal in dBm.
  static let reading = Schema.object(
    "Reading",
    [
      .uuid("id"), .uuid("unitId"), .uuid("deviceId").orNull, .number("temperature").orNull, .number("humidity").orNull,
      .number("probeTemperature").orNull, .number("ambientTemperature").orNull, .integer("battery").orNull,
      .number("batteryVoltage").orNull, .integer("signalStrength").orNull, .number("snr").orNull,
      .bool("doorOpen").orNull, .text("rawPayload").orNull, .integer("fPort").orNull, .integer("fCnt").orNull,
      .instant("recordedAt"), .instant("receivedAt"), .choice("source", Reading.Source.self), .bool("simulated"),
      .choice("temperatureUnit", TemperatureUnit.self),
    ])
}
