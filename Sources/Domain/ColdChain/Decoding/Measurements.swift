import Basics

/// Where a sensor measures temperature.
public enum TemperatureChannel: String, Sendable, CaseIterable {
  /// Inside the sensor's own case: on a freezer it usually hangs outside.
  case ambient = "internal"
  case probe, probe2, probe3
}

/// The coarse battery level that some sensors send instead of, or beside, a voltage.
public enum BatteryState: String, Sendable, CaseIterable {
  case ultraLow = "ultra_low"
  case low, ok, good
}

/// What one sample of one sensor says, in canonical units. One uplink may hold several.
public struct Measurements: Hashable, Sendable {
  public enum Kind: String, Sendable, CaseIterable {
    case live
    /// From the sensor's memory, on request. It never moves the live link.
    case datalog
    /// A frame that the network had not acknowledged, sent again from the sensor's memory.
    case retransmission
  }

  public struct Flags: OptionSet, Hashable, Sendable {
    public let rawValue: Int32
    public init(rawValue: Int32) { self.rawValue = rawValue }

    /// An external probe is expected and sent a sentinel or nothing.
    public static let probeDisconnected = Flags(rawValue: 1)
    /// The sensor's clock is not believable, or a live sample claims to be more than 10 minutes old.
    public static let clockDrift = Flags(rawValue: 2)
    /// The internal sensor failed, or a value is physically impossible.
    public static let sensorFault = Flags(rawValue: 4)
    public static let lowBattery = Flags(rawValue: 8)
    /// The sensor has an external probe, whether or not it could be read.
    public static let hasProbe = Flags(rawValue: 16)
  }

  public var kind: Kind
  /// When the sample was taken by the sensor's clock, where that is believable. Nil for a live sample: at receipt. A
  /// sample from memory without it cannot be placed in time.
  public var sampledAt: Instant?
  public var ambient: Temperature?
  public var probe: Temperature?
  public var probe2: Temperature?
  public var probe3: Temperature?
  public var humidity: Humidity?
  public var probeHumidity: Humidity?
  public var batteryVoltage: Voltage?
  public var batteryPercent: Percent?
  public var batteryState: BatteryState?
  public var doorOpen: Bool?
  public var doorOpenCount: Int64?
  public var lastOpenSeconds: Int64?
  public var leak: Bool?
  public var flags: Flags = []

  public init(kind: Kind = .live) { self.kind = kind }

  public subscript(channel: TemperatureChannel) -> Temperature? {
    switch channel {
    case .ambient: ambient
    case .probe: probe
    case .probe2: probe2
    case .probe3: probe3
    }
  }

  /// The temperature of the unit: of the channel that the assignment names; without one, of the probe when the sensor
  /// has one, else of its case. A probe that cannot be read is never replaced by the case.
  public func unitTemperature(_ channel: TemperatureChannel? = nil) -> Temperature? {
    if let channel { return self[channel] }
    let probed = flags.contains(.hasProbe) || probe != nil || probe2 != nil || probe3 != nil
    return probed ? probe : ambient
  }

  /// Nothing was measured.
  public var isEmpty: Bool {
    var bare = Measurements(kind: kind)
    bare.sampledAt = sampledAt
    bare.flags = flags
    return self == bare && flags.isDisjoint(with: [.probeDisconnected, .sensorFault])
  }
}

// MARK: - What a sensor claims

extension Measurements {
  /// How far a sample's own time may be from the receipt to be believed.
  public static let believableAge: ClosedRange<Duration> = .minutes(-5) ... .days(45)

  /// Takes the sensor's own time when it is within 45 days before and 5 minutes after the receipt.
  mutating func take(time: Instant, receivedAt: Instant) {
    let age = receivedAt - time
    guard Self.believableAge.contains(age) else {
      flags.insert(.clockDrift)
      return
    }
    sampledAt = time
    if kind == .live, age > .minutes(10) { flags.insert(.clockDrift) }
  }

  /// Takes a probe's value in hundredths of °C, or notes that it could not be read.
  mutating func take(_ hundredths: Int64, for channel: TemperatureChannel) {
    if channel == .ambient {
      ambient = Sentinel.temperature(hundredths)
      if ambient == nil { flags.insert(.sensorFault) }
      return
    }
    flags.insert(.hasProbe)
    let value = Sentinel.probe(hundredths)
    if value == nil { flags.insert(.probeDisconnected) }
    switch channel {
    case .ambient: break
    case .probe: probe = value
    case .probe2: probe2 = value
    case .probe3: probe3 = value
    }
  }

  /// Takes relative humidity in hundredths of a percent, or notes that the sensor failed.
  mutating func take(humidity hundredths: Int64) {
    humidity = Int32(exactly: hundredths).flatMap { Humidity(hundredths: $0) }
    if humidity == nil { flags.insert(.sensorFault) }
  }

  /// Takes what it lacks from another part of the same sample.
  mutating func complete(by part: Measurements) {
    ambient = ambient ?? part.ambient
    probe = probe ?? part.probe
    humidity = humidity ?? part.humidity
    batteryVoltage = batteryVoltage ?? part.batteryVoltage
    batteryPercent = batteryPercent ?? part.batteryPercent
    doorOpen = doorOpen ?? part.doorOpen
    leak = leak ?? part.leak
    flags.formUnion(part.flags)
  }

  /// An SHT that fails sends exactly 0 °C and 0 %.
  mutating func dropFailedAmbient() {
    guard humidity?.hundredths == 0, ambient?.hundredths == 0 else { return }
    humidity = nil
    ambient = nil
    flags.insert(.sensorFault)
  }
}

/// Values by which sensors say that they have none.
enum Sentinel {
  /// °C in hundredths: 0x7FFF and 0x8000 over 100 and over 10, and the open or short circuit of a thermistor.
  private static let values: Set<Int64> = [32_767, -32_768, 327_670, -327_680, -40_950]
  /// What any sensor here can measure: a PT100's -200 to 850 °C.
  private static let possible: ClosedRange<Int64> = -20_000...85_000

  /// Nil for a sentinel, and for what no sensor can measure.
  static func temperature(_ hundredths: Int64) -> Temperature? {
    guard possible.contains(hundredths), !values.contains(hundredths) else { return nil }
    return Temperature(hundredths: Int32(hundredths))
  }

  /// As ``temperature(_:)``, and nil for a DS18B20's 85.00 at power-on and -127.00 without an answer.
  static func probe(_ hundredths: Int64) -> Temperature? {
    hundredths == 8_500 || hundredths == -12_700 ? nil : temperature(hundredths)
  }
}
