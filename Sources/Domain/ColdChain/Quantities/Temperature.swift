/// A temperature in exact hundredths of a degree Celsius.
public struct Temperature: Hashable, Comparable, Sendable {
  public let hundredths: Int32

  @inlinable public init(hundredths: Int32) { self.hundredths = hundredths }

  /// What a `numeric(7,2)` column and every sensor of this trade can hold, in °C. It admits sentinels such as 327.67.
  public static let bounds: ClosedRange<Double> = -3_300...3_300

  /// Rounded to the nearest hundredth, halves away from zero. Nil when not finite or outside ``bounds``.
  public init?(celsius: Double) {
    guard Self.bounds.contains(celsius) else { return nil }
    hundredths = Int32((celsius * 100).rounded())
  }

  /// Rounded once, from hundredths of °F. Nil when not finite or outside ``bounds`` (in °C).
  public init?(fahrenheit: Double) {
    guard fahrenheit.isFinite, abs(fahrenheit) < 6_000 else { return nil }
    self.init(fahrenheitHundredths: Int32((fahrenheit * 100).rounded()))
  }

  /// The nearest hundredth of °C, halves away from zero.
  public init(fahrenheitHundredths: Int32) {
    hundredths = roundedQuotient((Int64(fahrenheitHundredths) - 3_200) * 5, by: 9)
  }

  public init(hundredths: Int32, in unit: TemperatureUnit) {
    switch unit {
    case .celsius: self.init(hundredths: hundredths)
    case .fahrenheit: self.init(fahrenheitHundredths: hundredths)
    }
  }

  public var celsius: Double { Double(hundredths) / 100 }

  /// The nearest hundredth of °F, halves away from zero.
  public var fahrenheitHundredths: Int32 { roundedQuotient(Int64(hundredths) * 9, by: 5) + 3_200 }

  public func hundredths(in unit: TemperatureUnit) -> Int32 {
    switch unit {
    case .celsius: hundredths
    case .fahrenheit: fahrenheitHundredths
    }
  }

  @inlinable public static func < (a: Temperature, b: Temperature) -> Bool { a.hundredths < b.hundredths }
}

extension Temperature: CustomStringConvertible {
  /// `-18.05 °C`.
  public var description: String { "\(decimalText(hundredths)) °C" }
}

/// The unit a person reads and enters temperatures in. Storage is always °C.
public enum TemperatureUnit: String, Sendable, CaseIterable {
  case celsius = "C"
  case fahrenheit = "F"
}

/// A difference between two temperatures, in hundredths of a kelvin (the same step as °C).
public struct TemperatureDifference: Hashable, Comparable, Sendable {
  public let hundredths: Int32

  @inlinable public init(hundredths: Int32) { self.hundredths = hundredths }

  /// A difference of 1 °F is 0.56 K here: 5/9, rounded to the nearest hundredth.
  public init(hundredths: Int32, in unit: TemperatureUnit) {
    switch unit {
    case .celsius: self.hundredths = hundredths
    case .fahrenheit: self.hundredths = roundedQuotient(Int64(hundredths) * 5, by: 9)
    }
  }

  @inlinable public static func < (a: Self, b: Self) -> Bool { a.hundredths < b.hundredths }
}

/// `-18.05` of -1805: always two digits after the point.
func decimalText(_ hundredths: Int32) -> String {
  let (whole, rest) = hundredths.magnitude.quotientAndRemainder(dividingBy: 100)
  return "\(hundredths < 0 ? "-" : "")\(whole).\(rest < 10 ? "0" : "")\(rest)"
}

/// The nearest integer to `dividend / divisor`, halves away from zero, held to what Int32 can carry.
private func roundedQuotient(_ dividend: Int64, by divisor: Int64) -> Int32 {
  let doubled = dividend * 2 + (dividend < 0 ? -divisor : divisor)
  return Int32(clamping: doubled / (divisor * 2))
}
