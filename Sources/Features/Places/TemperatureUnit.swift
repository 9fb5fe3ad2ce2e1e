import ColdChain
import Forms
import HTTP
import PostgreSQL

extension TemperatureUnit {
  /// `?temperatureUnit=`, which overrides each unit's own for one answer. Null: the unit's own.
  public static func asked(_ query: inout Query) -> Value {
    .optional(query.choice("temperatureUnit", of: TemperatureUnit.self)?.rawValue)
  }
}
