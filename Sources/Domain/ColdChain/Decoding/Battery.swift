/// What a pack is made of, which decides what its voltage means.
public enum BatteryChemistry: String, Sendable, CaseIterable {
  /// CR17450, as in Dragino's LHT65.
  case lithiumManganeseDioxide = "li_mno2"
  /// Two AA cells.
  case lithiumIronDisulfide = "lifes2"
  /// Two AA or AAA cells.
  case alkaline
  /// CR2032 and CR2450.
  case coinCell = "cr2032"
  /// ER14505. Its voltage is flat until the end and says nothing about charge.
  case lithiumThionylChloride = "li_socl2"

  /// (mV of the pack, %), falling; linear between points.
  private var curve: [(millivolts: Int32, percent: Int32)] {
    switch self {
    case .lithiumManganeseDioxide: [(3000, 100), (2950, 80), (2850, 50), (2750, 20), (2600, 5), (2500, 0)]
    case .lithiumIronDisulfide: [(3600, 100), (3200, 80), (2800, 50), (2400, 20), (2000, 5), (1800, 0)]
    case .alkaline: [(3200, 100), (2800, 70), (2400, 40), (2000, 15), (1800, 5), (1600, 0)]
    case .coinCell: [(3000, 100), (2900, 80), (2700, 50), (2500, 20), (2300, 5), (2200, 0)]
    case .lithiumThionylChloride: []
    }
  }

  /// The charge that a voltage stands for, rounded to the nearest percent. Nil where the voltage does not tell.
  public func percent(of voltage: Voltage) -> Percent? {
    guard let first = curve.first, let last = curve.last else { return nil }
    if voltage.millivolts >= first.millivolts { return Percent(first.percent) }
    if voltage.millivolts <= last.millivolts { return Percent(last.percent) }
    for (upper, lower) in zip(curve, curve.dropFirst()) where voltage.millivolts >= lower.millivolts {
      let span = upper.millivolts - lower.millivolts
      let rise = (voltage.millivolts - lower.millivolts) * (upper.percent - lower.percent)
      return Percent(lower.percent + (rise + span / 2) / span)
    }
    return nil
  }
}
