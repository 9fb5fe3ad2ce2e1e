import Basics
import ColdChain
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// Units below their area, as the first clients ask for them, and flat.
public struct UnitRoutes: Sendable {
  let store: UnitStore

  public init(database: Database) { store = UnitStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let nested = "/api/orgs/:organizationId/sites/:siteId/areas/:areaId/units"
    let flat = "/api/orgs/:organizationId/units"
    let shown = TemperatureUnit.asked
    return Array(
      [
        gate.get(nested, .viewer, "Units of an area", asks: shown, gives: .list(.unit), listOfArea),
        gate.post(
          nested, .manager, "Create a unit", asks: shown, takes: .create(row), gives: .created(.unit), create),
        gate.get(flat, .viewer, "Units in their order", asks: UnitFilter.init, gives: .list(.unit), list),
      ].joined())
      + [nested, flat].flatMap { units in
        let one = units + "/:unitId"
        return Array(
          [
            gate.get(one, .viewer, "A unit", asks: shown, gives: .one(.unit), get),
            gate.put(one, .manager, "Change a unit", asks: shown, takes: .change(row), gives: .one(.unit), update),
            gate.delete(one, .manager, "Delete a unit", delete),
            gate.post(
              one + "/restore", .manager, "Bring a deleted unit back", asks: shown, gives: .one(.unit), restore),
          ].joined())
      }
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: UnitFilter) async throws -> Response {
    .rows(
      try await store.list(
        site: wanted.siteId, area: wanted.areaId, deleted: wanted.deleted, shownIn: wanted.shownIn, scope
      ).json)
  }

  @Sendable func listOfArea(_ request: Request, _ scope: OrganizationScope, _ unit: Value) async throws -> Response {
    let place = try AreaPlace(request)
    guard try await store.hasArea(place, scope) else { throw HTTPError.notFound("Area") }
    return .rows(try await store.list(site: place.siteId, area: place.areaId, shownIn: unit, scope).json)
  }

  @Sendable func create(
    _ request: Request, _ scope: OrganizationScope, _ unit: Value, _ row: Value
  ) async throws -> Response {
    let place = try AreaPlace(request)
    return try await refusing(Self.refusals) {
      try .row(await store.create(row, in: place, shownIn: unit, scope, request), .created, or: "Area")
    }
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope, _ unit: Value) async throws -> Response {
    try .row(await store.get(try UnitPlace(request), shownIn: unit, scope), or: "Unit")
  }

  @Sendable func update(
    _ request: Request, _ scope: OrganizationScope, _ unit: Value, _ row: Value
  ) async throws -> Response {
    let place = try UnitPlace(request)
    return try await refusing(Self.refusals) {
      try .row(await store.update(place, row, shownIn: unit, scope, request), or: "Unit")
    }
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.delete(try UnitPlace(request), scope, request) else { throw HTTPError.notFound("Unit") }
    return .noContent
  }

  @Sendable func restore(_ request: Request, _ scope: OrganizationScope, _ unit: Value) async throws -> Response {
    let place = try UnitPlace(request)
    return try await refusing(Self.refusals) {
      let restored = try await store.restore(place, shownIn: unit, scope, request)
      return try .row(restored, or: "Deleted unit of an area that is there")
    }
  }

  // MARK: - Fields

  /// What only the row as a whole can show to be wrong.
  private static let refusals = [
    "units_limits_in_order": InvalidFields("tempMax", "must be greater than tempMin"),
    "unit_limits_in_order": InvalidFields(
      "tempMax", "must be greater than tempMin, also with what alert rules say of the unit"),
    "unit_limits_present": InvalidFields(
      "tempMax", "must be set when tempMin is null, unless an alert rule sets a limit"),
    "units_confirm_in_order": InvalidFields("confirmSecondsDoorOpen", "must not be less than confirmSecondsDoorClosed"),
  ]

  /// `status` is not taken: it follows from the readings. What the unit does not say itself, alert rules say.
  private func row(_ draft: consuming Draft) throws -> Value {
    draft.text("name", length: 1...256)
    draft.choice("unitType", "unit_type", of: UnitType.self)
    draft.choice("tempUnit", "temp_unit", of: TemperatureUnit.self, default: .fahrenheit)
    draft.limits()
    draft.optionalDecimal("tempHysteresis", "temp_hysteresis", in: 0...50)
    draft.optionalInteger("confirmSecondsDoorClosed", "confirm_seconds_door_closed", in: 0...86_400)
    draft.optionalInteger("confirmSecondsDoorOpen", "confirm_seconds_door_open", in: 0...86_400)
    draft.optionalInteger("expectedIntervalSeconds", "expected_interval_seconds", in: 10...86_400)
    draft.bool("manualMonitoringRequired", "manual_monitoring_required", default: false)
    draft.optionalInteger("manualMonitoringInterval", "manual_monitoring_interval", in: 1...525_600)
    draft.integer("sortOrder", "sort_order", in: 0...1_000_000, default: 0)
    return try draft.row()
  }
}

extension Draft {
  /// `tempMin` and `tempMax` in degrees of `tempUnit`. Null, said outright, is no limit of its own on that side.
  fileprivate mutating func limits() {
    let range: ClosedRange<Decimal2> = -300...500
    for (name, column) in [("tempMin", "temp_min"), ("tempMax", "temp_max")] {
      fields.note(Schema.Property(name, .decimal(range).orNull, isRequired: purpose == .create))
      if purpose == .create, !sets(name) {
        fields.problem(name, "is required; null for no limit of its own")
      } else {
        optionalDecimal(name, column, in: range)
      }
    }
    guard sets("tempMin"), sets("tempMax"), !fields.hasProblems else { return }
    let low = fields.optionalDecimal("tempMin", in: range)
    let high = fields.optionalDecimal("tempMax", in: range)
    if let low, let high, low >= high { fields.problem("tempMax", "must be greater than tempMin") }
  }
}
