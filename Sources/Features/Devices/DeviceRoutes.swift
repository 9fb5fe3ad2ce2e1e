import Basics
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

public struct DeviceRoutes: Sendable {
  let store: DeviceStore

  public init(database: Database) { store = DeviceStore(database: database) }

  public func routes(_ gate: Gate) -> [Route] {
    Array(
      [
        gate.get("/api/orgs/:organizationId/devices", .viewer, list),
        gate.post("/api/orgs/:organizationId/devices", .admin, create),
        gate.get("/api/orgs/:organizationId/devices/:deviceId", .viewer, get),
        gate.put("/api/orgs/:organizationId/devices/:deviceId", .admin, update),
        gate.delete("/api/orgs/:organizationId/devices/:deviceId", .admin, delete),
        gate.post("/api/orgs/:organizationId/devices/:deviceId/restore", .admin, restore),
        gate.get("/api/orgs/:organizationId/devices/:deviceId/assignments", .viewer, assignments),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    var query = Query(request)
    let unitId = query.uuid("unitId")
    let siteId = query.uuid("siteId")
    try query.check()
    return .rows(try await store.list(unit: unitId, site: siteId, scope).json)
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try request.uuid("deviceId"), scope), or: "Device")
  }

  @Sendable func create(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    var draft = try Draft(.create, body: request.body)
    let assignment = assignment(&draft)
    let row = try self.row(draft)
    return try await conflicting {
      try .row(await store.create(row, assignment, scope, request), .created, or: "Device")
    }
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("deviceId")
    var draft = try Draft(.change, body: request.body)
    let assignment = assignment(&draft)
    let row = try self.row(draft)
    return try await conflicting {
      try .row(await store.update(id, row, assignment, scope, request), or: "Device")
    }
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard try await store.delete(try request.uuid("deviceId"), scope, request) else {
      throw HTTPError.notFound("Device")
    }
    return .noContent
  }

  @Sendable func restore(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("deviceId")
    return try await conflicting {
      try .row(await store.restore(id, scope, request), or: "Deleted device")
    }
  }

  /// Where the device was, newest first.
  @Sendable func assignments(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("deviceId")
    guard try await !store.get(id, scope).isEmpty else { throw HTTPError.notFound("Device") }
    return .rows(try await store.assignments(of: id, scope).json)
  }

  // MARK: - Fields

  private func row(_ draft: consuming Draft) throws -> Value {
    draft.text("name", length: 1...256)
    draft.eui("devEui", "dev_eui", required: true)
    draft.eui("joinEui", "join_eui", required: false)
    draft.optionalText("description", upTo: 2048)
    draft.optionalText("model", upTo: 128)
    draft.optionalText("deviceId", "device_id", upTo: 36)
    draft.choice("status", of: DeviceStatus.self, default: .inactive)
    draft.optionalInteger("expectedIntervalSeconds", "expected_interval_seconds", in: 10...604_800)
    draft.bool("isActive", "is_active", default: true)
    return try draft.row()
  }

  /// `unitId` null takes the device off its unit; without `unitId` it stays where it is.
  private func assignment(_ draft: inout Draft) -> DeviceAssignment? {
    let channel = draft.fields.optionalString("channel", 1...64)
    let from = draft.fields.optionalInstant("assignedFrom")
    guard draft.sets("unitId") else {
      if draft.sets("channel") || from != nil {
        draft.fields.problem("unitId", "is required with channel or assignedFrom")
      }
      return nil
    }
    return DeviceAssignment(unitId: draft.fields.optionalUUID("unitId"), channel: channel, from: from)
  }

  private func conflicting<R>(_ body: () async throws -> R) async throws -> R {
    do { return try await body() } catch let error as DatabaseError {
      switch error.violated {
      case "devices_dev_eui": throw HTTPError.conflict("A device with this devEui exists already")
      case "device_assignments_order", "device_assignments_start":
        throw InvalidFields("assignedFrom", "must be after the start of the present assignment")
      default: throw error
      }
    }
  }
}

public enum DeviceStatus: String, Sendable, CaseIterable {
  case active
  case inactive
  case pairing
  case error
}

extension Draft {
  fileprivate mutating func eui(_ name: String, _ column: String, required: Bool) {
    if required ? purpose == .change && !sets(name) : !sets(name) { return }
    if !required, fields.isNull(name) { return set(column, nil as String?) }
    let text = fields.string(name, 1...64)
    guard let eui = EUI64(text) else {
      if !text.isEmpty { fields.problem(name, "must be 16 hexadecimal digits") }
      return
    }
    set(column, eui.description)
  }
}
