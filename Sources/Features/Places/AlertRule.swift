import Basics
import ColdChain
import Forms
import JSON
import PostgreSQL

/// What a rule may say. A field that it does not say is looked up further out: unit, site, organization, default.
enum RuleField: String, Sendable, CaseIterable {
  case tempMin, tempMax, tempHysteresis
  case excursionConfirmMinutesDoorClosed, excursionConfirmMinutesDoorOpen, maxExcursionMinutes
  case doorOpenWarningMinutes, doorOpenCriticalMinutes, doorOpenMaxMaskMinutesPerDay
  case expectedReadingIntervalSeconds, offlineTriggerMultiplier, offlineTriggerAdditionalMinutes
  case offlineWarningMissedCheckins, offlineCriticalMissedCheckins
  case manualIntervalMinutes, manualGraceMinutes, manualLogMissedCheckinsThreshold

  var column: String { rawValue.snakeCased }

  /// The field of a path, written as in JSON or as the column.
  init?(name: String) {
    guard let field = Self.allCases.first(where: { $0.rawValue == name || $0.column == name }) else { return nil }
    self = field
  }

  /// Whole numbers that it may be; nil for temperatures.
  var range: ClosedRange<Int>? {
    switch self {
    case .tempMin, .tempMax, .tempHysteresis: nil
    case .excursionConfirmMinutesDoorClosed, .excursionConfirmMinutesDoorOpen: 0...1440
    case .doorOpenMaxMaskMinutesPerDay, .manualGraceMinutes, .offlineTriggerAdditionalMinutes: 0...1440
    case .maxExcursionMinutes, .doorOpenWarningMinutes, .doorOpenCriticalMinutes: 1...1440
    case .expectedReadingIntervalSeconds: 10...86_400
    case .offlineTriggerMultiplier, .offlineWarningMissedCheckins, .offlineCriticalMissedCheckins,
      .manualLogMissedCheckinsThreshold:
      1...100
    case .manualIntervalMinutes: 1...525_600
    }
  }

  /// `a, b, c` of all columns.
  static let columns = SQL(unchecked: allCases.map(\.column).joined(separator: ", "))
  /// The same of the row `p`.
  static let given = SQL(unchecked: allCases.map { "p.\($0.column)" }.joined(separator: ", "))
  /// The row `r` as JSON.
  static let shown = SQL(
    unchecked: allCases.map {
      $0.range == nil ? "trim_scale(r.\($0.column)) AS \"\($0.rawValue)\"" : "r.\($0.column) AS \"\($0.rawValue)\""
    }.joined(separator: ", "))
  /// `('tempMin', 'temp_min'), ...`
  static let names = SQL(unchecked: allCases.map { "('\($0.rawValue)', '\($0.column)')" }.joined(separator: ", "))
}

extension String {
  /// `tempMin` is `temp_min`.
  fileprivate var snakeCased: String {
    var text = ""
    for character in self {
      if character.isUppercase { text += "_" }
      text += character.lowercased()
    }
    return text
  }
}

/// Whose rule it is: with neither a site nor a unit, the organization's.
struct RulePlace: Sendable {
  let siteId: UUID?
  let unitId: UUID?

  var limits: UnitLimits.Place {
    if let unitId { return .unit(unitId) }
    if let siteId { return .site(siteId) }
    return .organization
  }
}

/// What a body says of the rule of a place.
struct RuleDraft: Sendable {
  let place: RulePlace
  let row: Value

  init(_ draft: consuming Draft) throws {
    place = RulePlace(siteId: draft.fields.optionalUUID("siteId"), unitId: draft.fields.optionalUUID("unitId"))
    if place.siteId != nil, place.unitId != nil { draft.fields.problem("siteId", "does not go with unitId") }
    row = try Self.row(draft)
  }

  static func row(_ draft: consuming Draft) throws -> Value {
    draft.optionalText("name", upTo: 256)
    draft.bool("isEnabled", "is_enabled", default: true)
    draft.optionalChoice("tempUnit", "temp_unit", of: TemperatureUnit.self)
    draft.optionalDecimal("tempMin", "temp_min", in: -300...500)
    draft.optionalDecimal("tempMax", "temp_max", in: -300...500)
    draft.optionalDecimal("tempHysteresis", "temp_hysteresis", in: 0...50)
    for field in RuleField.allCases {
      if let range = field.range { draft.optionalInteger(field.rawValue, field.column, in: range) }
    }
    return try draft.row()
  }

  /// What only the row as a whole, or with what other rules say, can show to be wrong.
  static let refusals = [
    "alert_rules_temp_unit": InvalidFields("tempUnit", "is required with a temperature"),
    "alert_rules_limits_in_order": InvalidFields("tempMax", "must be greater than tempMin"),
    "unit_limits_in_order": InvalidFields(
      "tempMax", "would not be greater than tempMin for a unit, together with what is said elsewhere"),
    "unit_limits_present": InvalidFields("tempMax", "is the only limit of a unit"),
  ]
}

/// Which rules are asked for.
struct RuleFilter: Sendable {
  enum Scope: String, CaseIterable { case organization, site, unit }

  let scope: Scope?
  let siteId: UUID?
  let unitId: UUID?

  init(_ query: inout Query) {
    scope = query.choice("scope", of: Scope.self)
    siteId = query.uuid("siteId")
    unitId = query.uuid("unitId")
  }
}

/// Which changes of rules are asked for.
struct RuleHistoryFilter: Sendable {
  let siteId: UUID?
  let unitId: UUID?
  let limit: Int

  init(_ query: inout Query) {
    siteId = query.uuid("siteId")
    unitId = query.uuid("unitId")
    limit = query.int("limit", in: 1...1000, default: 100)
  }
}

extension Schema {
  /// Temperatures are in `tempUnit`, as they were entered. Null: not said here.
  static let alertRule = Schema.object(
    "AlertRule",
    [
      .uuid("id"), .uuid("organizationId"), .choice("scope", RuleFilter.Scope.self), .uuid("siteId").orNull,
      .uuid("unitId").orNull, .text("name").orNull, .bool("isEnabled"),
      .choice("tempUnit", TemperatureUnit.self).orNull,
    ] + RuleField.allCases.map { $0.range == nil ? .number($0.rawValue).orNull : .integer($0.rawValue).orNull }
      + [.instant("createdAt"), .instant("updatedAt")])

  private enum Source: String, CaseIterable { case unit, site, organization, `default` }

  /// Temperatures are in `temperatureUnit`. `ruleId` null: the place itself says it, or nobody.
  static let effectiveRules = Schema.object(
    "EffectiveRules",
    [
      .uuid("unitId"), .choice("temperatureUnit", TemperatureUnit.self),
      .object(
        "rules",
        RuleField.allCases.map {
          .object(
            $0.rawValue,
            [.number("value").orNull, .choice("source", Source.self).orNull, .uuid("ruleId").orNull])
        }),
    ])

  /// `oldValues` and `newValues` hold the fields that changed.
  static let alertRuleChange = Schema.object(
    "AlertRuleChange",
    [
      .uuid("id"), .uuid("alertRuleId"), .text("changeType"), .any("oldValues"), .any("newValues"),
      .instant("changedAt"), .uuid("changedBy").orNull, .text("userEmail").orNull, .text("userName"),
    ])
}
