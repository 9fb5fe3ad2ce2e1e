import Basics
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// Which events of a device are asked for.
struct EventFilter {
  let type: String?
  let page: Page

  init(_ query: inout Query) {
    type = query.text("type", 1...64)
    page = Page(&query)
  }
}

/// What the network told about a device, what of its uplinks is missing, and what was asked of it.
public struct DeviceRecordRoutes: Sendable {
  private let store: DeviceRecordStore
  private let connections: TTNConnectionStore
  private let stack: StackConfiguration

  public init(database: Database, stack: StackConfiguration) {
    store = DeviceRecordStore(database: database)
    connections = TTNConnectionStore(database: database)
    self.stack = stack
  }

  public func routes(_ gate: Gate) -> [Route] {
    let device = "/api/orgs/:organizationId/devices/:deviceId"
    return Array(
      [
        gate.get(
          device + "/events", .viewer, "Joins and downlink events of a device, newest first", asks: EventFilter.init,
          gives: .list(.deviceEvent), events),
        gate.get(
          device + "/gaps", .viewer, "Which uplinks came, and what became of those that did not", asks: Page.init,
          gives: .one(.uplinkLedger), gaps),
        gate.get(
          device + "/settings-requests", .viewer, "Changes of settings that were asked for, newest first",
          asks: Page.init, gives: .list(.settingsRequest), settingsRequests),
        gate.post(
          device + "/settings-requests", .admin, "Ask a device to change its settings",
          takes: .fields(WantedSettings.init), gives: .created(.settingsRequest), requestSettings),
        gate.post(
          device + "/downlinks", .admin, "Send bytes to a device", takes: .fields(WantedDownlink.init),
          gives: .created(.settingsRequest), requestDownlink),
      ].joined())
  }

  @Sendable func events(_ request: Request, _ scope: OrganizationScope, _ wanted: EventFilter) async throws -> Response
  {
    let id = try await known(request, scope).id
    return .rows(try await store.events(of: id, wanted, scope).json)
  }

  @Sendable func gaps(_ request: Request, _ scope: OrganizationScope, _ page: Page) async throws -> Response {
    let id = try await known(request, scope).id
    return try .row(await store.ledger(of: id, page, scope), or: "Device")
  }

  @Sendable func settingsRequests(
    _ request: Request, _ scope: OrganizationScope, _ page: Page
  ) async throws -> Response {
    let id = try await known(request, scope).id
    return .rows(try await store.requests(of: id, page, scope).json)
  }

  @Sendable func requestSettings(
    _ request: Request, _ scope: OrganizationScope, _ wanted: WantedSettings
  ) async throws -> Response {
    let device = try await known(request, scope)
    guard let downlink = wanted.downlink(model: device.model) else {
      throw InvalidFields("intervalSeconds", "cannot be set for this model; send the bytes as a downlink")
    }
    return try await send(downlink, to: device, request, scope)
  }

  @Sendable func requestDownlink(
    _ request: Request, _ scope: OrganizationScope, _ wanted: WantedDownlink
  ) async throws -> Response {
    try await send(wanted, to: try await known(request, scope), request, scope)
  }

  /// Written down before The Things Stack is asked: its messages about the downlink may be faster than its answer.
  private func send(
    _ downlink: WantedDownlink, to device: DeviceRecordStore.Device, _ request: Request, _ scope: OrganizationScope
  ) async throws -> Response {
    let (_, client) = try await connections.connected(scope, stack)
    guard let name = device.name else { throw HTTPError.ttnNotConfigured }
    let id = UUID.v7(at: request.received)
    let correlation = "freshtrack:\(id)"
    try await store.insert(id, device: device.id, downlink, correlation: correlation, scope, request)
    let journal = Journal(clock: stack.clock)
    var refusal: StackError?
    do throws(StackError) {
      try await client.push(
        StackClient.Downlink(
          port: downlink.port, payload: downlink.payload, confirmed: downlink.confirmed, correlationID: correlation),
        to: name, journal)
    } catch {
      refusal = error
    }
    try await connections.store(journal, scope.organizationId, requestId: request.id)
    if let refusal {
      try await store.noteFailed(id, refusal.message, at: request.received, scope)
      throw HTTPError.stack(refusal, "Failed to send the settings")
    }
    try await store.noteQueued(id, at: request.received, scope)
    return try .row(await store.request(id, scope), .created, or: "Settings request")
  }

  private func known(_ request: Request, _ scope: OrganizationScope) async throws -> DeviceRecordStore.Device {
    guard let device = try await store.device(try request.uuid("deviceId"), scope) else {
      throw HTTPError.notFound("Device")
    }
    return device
  }
}
