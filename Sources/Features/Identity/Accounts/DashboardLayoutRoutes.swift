import Basics
import Forms
import HTTP
import HTTPServer
import JSON
import PostgreSQL

/// A person's own arrangements, three slots for each site and unit.
public struct DashboardLayoutRoutes: Sendable {
  let store: DashboardLayoutStore

  public init(database: Database) { store = DashboardLayoutStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/dashboard-layouts"
    return Array(
      [
        gate.get(all, .viewer, "My layouts", asks: LayoutQuery.init, gives: .list(.dashboardLayout), list),
        gate.post(
          all, .manager, "Put a layout into a free slot", takes: .create(newLayout), gives: .created(.dashboardLayout),
          create),
        gate.get(all + "/:layoutId", .viewer, "One of my layouts", gives: .one(.dashboardLayout), get),
        gate.put(
          all + "/:layoutId", .manager, "Change a layout", takes: .change(layout), gives: .one(.dashboardLayout), update
        ),
        gate.post(
          all + "/:layoutId/default", .manager, "Open with this layout", gives: .one(.dashboardLayout), makeDefault),
        gate.delete(all + "/:layoutId", .manager, "Delete a layout", delete),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: LayoutQuery) async throws -> Response {
    .rows(try await store.list(wanted.entity, wanted.entityId, scope).json)
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try request.uuid("layoutId"), scope), or: "Layout")
  }

  private func newLayout(_ draft: consuming Draft) throws -> Value {
    draft.choice("entityType", "entity_type", of: DashboardEntity.self)
    draft.set("entity_id", draft.fields.uuid("entityId").description)
    return try layout(draft)
  }

  private func layout(_ draft: consuming Draft) throws -> Value {
    draft.integer("slotNumber", "slot_number", in: 1...3)
    draft.text("name", length: 1...50)
    for (name, column) in [
      ("layoutJson", "layout_json"), ("widgetPrefsJson", "widget_prefs_json"),
      ("timelineStateJson", "timeline_state_json"),
    ] {
      draft.optionalRawObject(name, column, bytes: 64 << 10)
    }
    return try draft.row()
  }

  @Sendable func create(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    try await checkingSlot {
      let rows = try await store.create(row, scope, request)
      guard !rows.isEmpty else { throw InvalidFields("entityId", "is not a site or unit of this organization") }
      return try .row(rows, .created, or: "Layout")
    }
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ row: Value) async throws -> Response {
    let id = try request.uuid("layoutId")
    return try await checkingSlot { try .row(await store.update(id, row, scope, request), or: "Layout") }
  }

  private func checkingSlot<R>(_ body: () async throws -> R) async throws -> R {
    do { return try await body() } catch let error as DatabaseError where error.violated == "dashboard_layouts_slot" {
      throw HTTPError.conflict("The slot is taken")
    }
  }

  @Sendable func makeDefault(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.makeDefault(try request.uuid("layoutId"), scope, request), or: "Layout")
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.delete(try request.uuid("layoutId"), scope, request) else {
      throw HTTPError.notFound("Layout")
    }
    return .noContent
  }
}

struct LayoutQuery: Sendable {
  let entity: DashboardEntity?
  let entityId: UUID?

  init(_ query: inout Query) {
    entity = query.choice("entityType", of: DashboardEntity.self)
    entityId = query.uuid("entityId")
  }
}

extension Schema {
  static let dashboardLayout = Schema.object(
    "DashboardLayout",
    [
      .uuid("id"), .uuid("organizationId"), .choice("entityType", DashboardEntity.self), .uuid("entityId"),
      .uuid("userId"), .integer("slotNumber"), .text("name"), .bool("isUserDefault"), .any("layoutJson"),
      .any("widgetPrefsJson"), .any("timelineStateJson"), .integer("layoutVersion"), .instant("createdAt"),
      .instant("updatedAt"),
    ])
}
