import Basics
import ColdChain
import Forms
import JSON
import PostgreSQL

/// Which units are asked for.
struct UnitFilter {
  let siteId: UUID?
  let areaId: UUID?
  /// The deleted ones, which can be restored.
  let deleted: Bool
  let shownIn: Value

  init(_ query: inout Query) {
    siteId = query.uuid("siteId")
    areaId = query.uuid("areaId")
    deleted = query.bool("deleted")
    shownIn = TemperatureUnit.asked(&query)
  }
}

extension Schema {
  /// Temperatures are in `temperatureUnit`. Limits and times are those that count: the unit's own, or of alert rules.
  static let unit = Schema.object(
    "Unit",
    [
      .uuid("id"), .uuid("areaId"), .uuid("siteId"), .text("name"), .text("areaName"), .text("siteName"),
      .choice("unitType", UnitType.self), .text("status"), .instant("statusSince").orNull,
      .choice("tempUnit", TemperatureUnit.self), .choice("temperatureUnit", TemperatureUnit.self),
      .number("tempMin").orNull, .number("tempMax").orNull, .number("tempHysteresis"),
      .integer("confirmSecondsDoorClosed"), .integer("confirmSecondsDoorOpen"), .integer("expectedIntervalSeconds"),
      .bool("manualMonitoringRequired"), .integer("manualMonitoringInterval").orNull,
      .instant("lastReadingAt").orNull, .instant("lastManualLogAt").orNull, .number("lastTemperature").orNull,
      .number("lastHumidity").orNull,
      .bool("doorOpen").orNull, .text("linkState").orNull, .text("tempState").orNull, .bool("isActive"),
      .integer("sortOrder"), .instant("createdAt"), .instant("updatedAt"),
      .instant("deletedAt").optional,
    ])
}

public enum UnitType: String, Sendable, CaseIterable {
  case fridge
  case freezer
  case displayCase = "display_case"
  case walkInCooler = "walk_in_cooler"
  case walkInFreezer = "walk_in_freezer"
  case blastChiller = "blast_chiller"
}
