import Basics
import ColdChain
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import Places
import PostgreSQL

/// What a dashboard opens with.
public struct OverviewRoutes: Sendable {
  let store: OverviewStore

  public init(database: Database) { store = OverviewStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    Array(
      [
        gate.get(
          "/api/orgs/:organizationId/stats", .viewer, "Units, alerts and compliance of the last 24 hours in numbers",
          gives: .one(.statistics), statistics),
        gate.get(
          "/api/orgs/:organizationId/overview", .viewer, "How the organization and each of its sites stand",
          gives: .one(.overview), overview),
        gate.get(
          "/api/orgs/:organizationId/sites/:siteId/board", .viewer, "The units of a site with all that is known now",
          asks: TemperatureUnit.asked, gives: .one(.board), board),
      ].joined())
  }

  @Sendable func statistics(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.statistics(at: request.received, scope), or: "Organization")
  }

  @Sendable func overview(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.overview(at: request.received, scope), or: "Organization")
  }

  @Sendable func board(_ request: Request, _ scope: OrganizationScope, _ unit: Value) async throws -> Response {
    let site = try request.uuid("siteId")
    return try .row(await store.board(of: site, shownIn: unit, at: request.received, scope), or: "Site")
  }
}

private enum State: String, CaseIterable { case normal, warning, critical, offline }

extension Schema.Property {
  fileprivate static let unitCounts = object(
    "unitCounts", [.integer("total")] + State.allCases.map { .integer($0.rawValue) })
  fileprivate static let worstState = choice("worstState", State.self)
}

extension Schema {
  /// `compliancePercentage`: of the readings of the last 24 hours, within the limits of their time. Null: there are none.
  fileprivate static let statistics = Schema.object(
    "Stats",
    [
      .uuid("organizationId"), .unitCounts,
      .object("alertCounts", [.integer("pending"), .integer("acknowledged"), .integer("resolved"), .integer("total")]),
      .number("compliancePercentage").orNull, .integer("memberCount"), .integer("siteCount"), .worstState,
      .instant("lastUpdated"),
    ])

  private static let briefAlert: [Schema.Property] = [
    .uuid("id"), .text("alertType"), .text("severity"), .text("status"), .text("message").orNull,
    .instant("triggeredAt"),
  ]

  /// `statusCounts`: units by status; a status without units is left out.
  fileprivate static let overview = Schema.object(
    "Overview",
    [
      .uuid("organizationId"), .unitCounts, .worstState, .value("statusCounts", .map(of: .integer)),
      .object(
        "alertCounts",
        [
          .integer("open"), .integer("pending"), .integer("acknowledged"), .integer("critical"), .integer("warning"),
          .integer("info"),
        ]),
      .object(
        "sensorCounts",
        [
          .integer("total"), .integer("limit"), .integer("reporting"), .integer("neverSeen"), .integer("unassigned"),
          .integer("lowBattery"),
        ]),
      .object(
        "overdue",
        [
          .integer("silentUnits"), .integer("unacknowledgedCritical"), .integer("calibrations"),
          .integer("quarantinedUplinks"),
        ]),
      .array(
        "sites",
        of: .object([
          .uuid("id"), .text("name"), .text("timezone"), .unitCounts, .worstState, .integer("openAlerts"),
        ])),
      .array(
        "newestAlerts",
        of: .object(
          briefAlert + [
            .uuid("unitId").orNull, .text("unitName").orNull, .uuid("siteId").orNull, .text("siteName").orNull,
          ]
        )),
      .instant("lastUpdated"),
    ])

  /// Temperatures are in the `temperatureUnit` of each unit.
  fileprivate static let board = Schema.object(
    "Board",
    [
      .uuid("siteId"), .text("siteName"), .text("timezone"), .unitCounts, .worstState, .integer("openAlerts"),
      .array("areas", of: .object([.uuid("id"), .text("name"), .array("units", of: tile)])), .instant("lastUpdated"),
    ])

  private static let tile = Schema.object(
    "Tile",
    [
      .uuid("id"), .text("name"), .choice("unitType", UnitType.self), .text("status"), .instant("statusSince").orNull,
      .choice("state", State.self), .text("linkState").orNull, .bool("doorOpen").orNull,
      .choice("temperatureUnit", TemperatureUnit.self), .number("tempMin").orNull, .number("tempMax").orNull,
      .number("lastTemperature").orNull, .number("lastHumidity").orNull, .instant("lastReadingAt").orNull,
      .instant("lastManualLogAt").orNull, .array("openAlerts", of: .object(briefAlert)),
      .array(
        "sensors",
        of: .object([
          .uuid("id"), .text("name"), .text("devEui"), .bool("isPrimary"), .text("channel").orNull,
          .integer("battery").orNull, .integer("signalStrength").orNull, .instant("lastSeenAt").orNull,
        ])), .instant("suppressedUntil").orNull,
    ])
}
