import Basics
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

public struct DeviceRoutes: Sendable {
  let store: DeviceStore
  let calibrations: CalibrationStore

  public init(database: Database) {
    store = DeviceStore(database: database)
    calibrations = CalibrationStore(database: database)
  }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/devices"
    let one = all + "/:deviceId"
    return Array(
      [
        gate.get(all, .viewer, "Devices by name", asks: DeviceFilter.init, gives: .list(.device), list),
        gate.post(all, .admin, "Create a device", takes: .create(DeviceDraft.init), gives: .created(.device), create),
        gate.get(one, .viewer, "A device", gives: .one(.device), get),
        gate.put(one, .admin, "Change a device", takes: .change(DeviceDraft.init), gives: .one(.device), update),
        gate.delete(one, .admin, "Delete a device", delete),
        gate.post(one + "/restore", .admin, "Bring a deleted device back", gives: .one(.device), restore),
        gate.get(
          one + "/assignments", .viewer, "Where the device was, newest first", gives: .list(.deviceAssignment),
          assignments),
        gate.post(
          one + "/assignments", .admin, "Move a device to a unit, or off its unit",
          takes: .fields(DeviceAssignment.init), gives: .created(.device), assign),
        gate.get(
          one + "/calibrations", .viewer, "What is added to what the device measures, newest first",
          gives: .list(.calibration), listCalibrations),
        gate.post(
          one + "/calibrations", .admin, "Calibrate a device", takes: .fields(CalibrationDraft.init),
          gives: .created(.calibration), calibrate),
        gate.delete(
          one + "/calibrations/:calibrationId", .admin, "Delete a calibration that was entered by mistake",
          deleteCalibration),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope, _ wanted: DeviceFilter) async throws -> Response {
    if wanted.deleted { return .rows(try await store.listDeleted(scope).json) }
    return .rows(try await store.list(unit: wanted.unitId, site: wanted.siteId, scope).json)
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try request.uuid("deviceId"), scope), or: "Device")
  }

  @Sendable func create(_ request: Request, _ scope: OrganizationScope, _ draft: DeviceDraft) async throws -> Response {
    try await conflicting {
      try .row(await store.create(draft.row, draft.assignment, scope, request), .created, or: "Device")
    }
  }

  @Sendable func update(_ request: Request, _ scope: OrganizationScope, _ draft: DeviceDraft) async throws -> Response {
    let id = try request.uuid("deviceId")
    return try await conflicting {
      try .row(await store.update(id, draft.row, draft.assignment, scope, request), or: "Device")
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

  @Sendable func assignments(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("deviceId")
    guard try await !store.get(id, scope).isEmpty else { throw HTTPError.notFound("Device") }
    return .rows(try await store.assignments(of: id, scope).json)
  }

  @Sendable func assign(
    _ request: Request, _ scope: OrganizationScope, _ assignment: DeviceAssignment
  ) async throws -> Response {
    let id = try request.uuid("deviceId")
    return try await conflicting {
      try .row(await store.assign(id, assignment, scope, request), .created, or: "Device")
    }
  }

  @Sendable func listCalibrations(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let id = try request.uuid("deviceId")
    guard try await !store.get(id, scope).isEmpty else { throw HTTPError.notFound("Device") }
    return .rows(try await calibrations.list(of: id, scope).json)
  }

  @Sendable func calibrate(
    _ request: Request, _ scope: OrganizationScope, _ draft: CalibrationDraft
  ) async throws -> Response {
    let id = try request.uuid("deviceId")
    return try await conflicting {
      try .row(await calibrations.create(draft, of: id, scope, request), .created, or: "Device")
    }
  }

  @Sendable func deleteCalibration(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let (device, id) = (try request.uuid("deviceId"), try request.uuid("calibrationId"))
    guard try await calibrations.delete(id, of: device, scope, request) else { throw HTTPError.notFound("Calibration") }
    return .noContent
  }

  private func conflicting<R>(_ body: () async throws -> R) async throws -> R {
    do { return try await body() } catch let error as DatabaseError {
      switch error.violated {
      case "devices_dev_eui": throw HTTPError.conflict("A device with this devEui exists already")
      case "device_assignments_order", "device_assignments_start", "device_assignments_overlap":
        throw InvalidFields("assignedFrom", "must be after the start of the present assignment")
      case "device_calibrations_start":
        throw HTTPError.conflict("The channel has a calibration from that instant already")
      default: throw error
      }
    }
  }
}
