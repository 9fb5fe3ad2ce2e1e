import Basics
import Devices
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// Devices that are registered at The Things Stack and here in one go.
public struct TTNDeviceRoutes: Sendable {
  private let store: TTNDeviceStore
  private let devices: DeviceStore
  private let connections: TTNConnectionStore
  private let stack: StackConfiguration

  public init(database: Database, stack: StackConfiguration) {
    store = TTNDeviceStore(database: database)
    devices = DeviceStore(database: database)
    connections = TTNConnectionStore(database: database)
    self.stack = stack
  }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/ttn/devices"
    // An id, a DevEUI or an id at The Things Stack.
    let one = all + "/:device"
    return Array(
      [
        gate.get(all, .viewer, "TTN devices by name", gives: .list(.ttnDevice), list),
        gate.post(
          all, .manager, "Register a device whose keys are known", takes: .fields(NewTTNDevice.init),
          gives: .created(.ttnDevice), provision),
        gate.post(
          all + "/bootstrap", .manager, "Register a device with keys made here; the answer alone holds them",
          takes: .fields(BootstrappedTTNDevice.init), gives: .created(.ttnBootstrap), bootstrap),
        gate.get(one, .viewer, "A TTN device", gives: .one(.ttnDevice), get),
        gate.put(
          one, .manager, "Change a TTN device", takes: .fields(TTNDeviceChange.init), gives: .one(.ttnDevice), update),
        gate.delete(one, .manager, "Delete a TTN device, here and at The Things Stack", delete),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .rows(try await store.list(scope).json)
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(request.parameter("device"), scope), or: "Device")
  }

  // MARK: - Registering

  @Sendable func provision(
    _ request: Request, _ scope: OrganizationScope, _ device: NewTTNDevice
  ) async throws -> Response {
    _ = try await register(device.registration, unit: device.unitId, site: nil, scope, request)
    return try .row(await store.get(device.registration.devEUI, scope), .created, or: "Device")
  }

  @Sendable func bootstrap(
    _ request: Request, _ scope: OrganizationScope, _ device: BootstrappedTTNDevice
  ) async throws -> Response {
    let made = device.registration
    let id = try await register(made, unit: device.unitId, site: device.siteId, scope, request)
    return .json(.created) { json in
      json.object { json in
        json.field("id", id)
        json.field("deviceId", made.id.description)
        json.field("devEui", made.devEUI)
        json.field("joinEui", made.joinEUI)
        json.field("appKey", made.appKey)
        json.field("name", made.name)
        json.field("description", made.description)
        json.field("unitId", device.unitId)
        json.field("siteId", device.siteId)
        json.field("status", DeviceStatus.inactive.rawValue)
        json.field("ttnSynced", true)
        json.field("createdAt", request.received)
        json.field("updatedAt", request.received)
      }
    }
  }

  /// There first, then here: what stands here can be reached. When it cannot be stored here, it is removed there again.
  private func register(
    _ device: DeviceRegistration, unit: UUID?, site: UUID?, _ scope: OrganizationScope, _ request: Request
  ) async throws -> UUID {
    let (connection, client) = try await connections.connected(scope, stack)
    try await devices.checkSensorLimit(scope)
    try await store.check(devEUI: device.devEUI, id: device.id, unit: unit, site: site, scope)
    let journal = Journal(clock: stack.clock)
    do throws(StackError) { try await client.register(device, journal) } catch {
      try await connections.store(journal, scope.organizationId, requestId: request.id)
      throw HTTPError.stack(error, "Failed to provision the device")
    }
    do {
      let rows = try await devices.create(
        device.row(connection: connection.id), unit.map { DeviceAssignment(unitId: $0, channel: nil, from: nil) },
        scope,
        request)
      try await connections.store(journal, scope.organizationId, requestId: request.id)
      guard let row = rows.first else { throw HTTPError.internal }
      return try row.uuid("id")
    } catch {
      _ = await client.remove(device.id.description, journal)
      try? await connections.store(journal, scope.organizationId, requestId: request.id)
      if let error = error as? DatabaseError, error.violated == "devices_dev_eui" {
        throw HTTPError.conflict("A device with this devEui exists already")
      }
      throw error
    }
  }

  // MARK: - Changing

  /// What The Things Stack does not take is in the provisioning log, and hinders nothing here.
  @Sendable func update(
    _ request: Request, _ scope: OrganizationScope, _ change: TTNDeviceChange
  ) async throws -> Response {
    guard let found = try await store.get(request.parameter("device"), scope).first else {
      throw HTTPError.notFound("Device")
    }
    let (id, device) = (try found.uuid("id"), try found.text("deviceId"))
    _ = try await devices.update(id, change.row, change.assignment, scope, request)
    if let (_, client) = try? await connections.connected(scope, stack) {
      let journal = Journal(clock: stack.clock)
      _ = try? await client.rename(device, name: change.name, description: change.description, journal)
      try await connections.store(journal, scope.organizationId, requestId: request.id)
    }
    return try .row(await store.get(id.description, scope), or: "Device")
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    guard let found = try await store.get(request.parameter("device"), scope).first else {
      throw HTTPError.notFound("Device")
    }
    let (id, device) = (try found.uuid("id"), try found.text("deviceId"))
    guard try await devices.delete(id, scope, request) else { throw HTTPError.notFound("Device") }
    guard let (_, client) = try? await connections.connected(scope, stack) else {
      try await store.noteDeletePending(id, scope)
      return .noContent
    }
    let journal = Journal(clock: stack.clock)
    if await !client.remove(device, journal) { try await store.noteDeletePending(id, scope) }
    try await connections.store(journal, scope.organizationId, requestId: request.id)
    return .noContent
  }
}
