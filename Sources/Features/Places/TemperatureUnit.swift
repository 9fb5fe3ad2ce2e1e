import ColdChain
import HTTP
import Identity
import PostgreSQL

extension TemperatureUnit {
  /// `?temperatureUnit=`, which overrides each unit's own for one answer. Null: the unit's own.
  public static func asked(_ query: inout Query) -> Value {
    .optional(query.choice("temperatureUnit", of: TemperatureUnit.self)?.rawValue)
  }
}

public enum UnitType: String, Sendable, CaseIterable {
  case fridge
  case freezer
  case displayCase = "display_case"
  case walkInCooler = "walk_in_cooler"
  case walkInFreezer = "walk_in_freezer"
  case blastChiller = "blast_chiller"
}
