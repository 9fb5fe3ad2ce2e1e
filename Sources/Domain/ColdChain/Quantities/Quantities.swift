/// Relative humidity in hundredths of a percent, 0 to 100 %.
public struct Humidity: Hashable, Comparable, Sendable {
  public let hundredths: Int32

  /// Nil outside 0 to 100 %.
  public init?(hundredths: Int32) {
    guard (0...10_000).contains(hundredths) else { return nil }
    self.hundredths = hundredths
  }

  /// Rounded to the nearest hundredth. Nil when not finite or outside 0 to 100 %.
  public init?(percent: Double) {
    guard (0...100).contains(percent) else { return nil }
    hundredths = Int32((percent * 100).rounded())
  }

  public var percent: Double { Double(hundredths) / 100 }
  public static func < (a: Self, b: Self) -> Bool { a.hundredths < b.hundredths }
}

/// The voltage of a battery in millivolts, 0 to 65.535 V.
public struct Voltage: Hashable, Comparable, Sendable {
  public let millivolts: Int32

  public init?(millivolts: Int32) {
    guard (0...65_535).contains(millivolts) else { return nil }
    self.millivolts = millivolts
  }

  /// Rounded to the nearest millivolt. Nil when not finite or outside 0 to 65.535 V.
  public init?(volts: Double) {
    guard (0...65.535).contains(volts) else { return nil }
    millivolts = Int32((volts * 1000).rounded())
  }

  public var volts: Double { Double(millivolts) / 1000 }
  public static func < (a: Self, b: Self) -> Bool { a.millivolts < b.millivolts }
}

/// A whole percentage, 0 to 100.
public struct Percent: Hashable, Comparable, Sendable {
  public let value: Int32

  public init?(_ value: Int32) {
    guard (0...100).contains(value) else { return nil }
    self.value = value
  }

  /// Rounded to the nearest whole percent. Nil when not finite or outside 0 to 100.
  public init?(_ value: Double) {
    guard (0...100).contains(value) else { return nil }
    self.value = Int32(value.rounded())
  }

  public static func < (a: Self, b: Self) -> Bool { a.value < b.value }
}

/// Received signal strength in whole dBm, -200 to 50. The Things Stack sends fractions: they are rounded.
public struct SignalStrength: Hashable, Comparable, Sendable {
  public let dBm: Int32

  public init?(dBm: Double) {
    guard (-200...50).contains(dBm) else { return nil }
    self.dBm = Int32(dBm.rounded())
  }

  public static func < (a: Self, b: Self) -> Bool { a.dBm < b.dBm }
}
