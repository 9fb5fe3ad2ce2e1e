import Basics
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// What a caller says of a new gateway.
struct NewGateway: Sendable {
  let id: StackID
  let eui: String
  let change: GatewayChange

  init(_ fields: inout Fields) throws {
    id = fields.stackID("gatewayId")
    eui = fields.eui("gatewayEui")
    change = try GatewayChange(&fields, default: .US_902_928_FSB_2)
  }
}

/// What a caller says of a gateway. Nil: not told, and so unchanged; inner nil: taken away.
struct GatewayChange: Sendable {
  let name: String??
  let description: String??
  let frequencyPlan: FrequencyPlan?
  let latitude: Double??
  let longitude: Double??
  let altitude: Double??
  let siteId: UUID??

  init(_ fields: inout Fields) throws { try self.init(&fields, default: nil) }

  init(_ fields: inout Fields, default plan: FrequencyPlan?) throws {
    func told<T>(_ name: String, _ value: T?) -> T?? { fields.present(name) ? .some(value) : nil }
    let (nameText, text) = (fields.optionalString("name", 1...256), fields.optionalString("description", 0...2048))
    frequencyPlan = fields.optionalChoice("frequencyPlanId", of: FrequencyPlan.self) ?? plan
    let north = fields.optionalDoubleOrNumericString("latitude", in: -90...90)
    let east = fields.optionalDoubleOrNumericString("longitude", in: -180...180)
    let height = fields.optionalDouble("altitude", in: -500...9000)
    let site = fields.optionalUUID("siteId")
    name = told("name", nameText)
    description = told("description", text)
    latitude = told("latitude", north)
    longitude = told("longitude", east)
    altitude = told("altitude", height)
    siteId = told("siteId", site)
  }

  /// What The Things Stack is told. A location only when both of its coordinates are.
  var fields: GatewayFields {
    var fields = GatewayFields(name: name, description: description, frequencyPlan: frequencyPlan)
    if let latitude = latitude ?? nil, let longitude = longitude ?? nil {
      fields.location = GatewayLocation(latitude: latitude, longitude: longitude, altitude: altitude ?? nil)
    }
    return fields
  }

  /// The columns of `gateways` that it names.
  func row(_ id: StackID? = nil, eui: String? = nil) -> Value {
    .json(
      JSONWriter.bytes { json in
        json.object { json in
          if let id { json.field("gateway_id", id.description) }
          if let eui { json.field("gateway_eui", eui) }
          if let name { json.field("name", name) }
          if let description { json.field("description", description) }
          if let frequencyPlan { json.field("frequency_plan_id", frequencyPlan.rawValue) }
          if let latitude { json.field("latitude", latitude) }
          if let longitude { json.field("longitude", longitude) }
          if let altitude { json.field("altitude", altitude) }
          if let siteId { json.field("site_id", siteId) }
        }
      })
  }
}

public struct GatewayRoutes: Sendable {
  private let store: GatewayStore
  private let connections: TTNConnectionStore
  private let stack: StackConfiguration

  public init(database: Database, stack: StackConfiguration) {
    store = GatewayStore(database: database)
    connections = TTNConnectionStore(database: database)
    self.stack = stack
  }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/ttn/gateways"
    // An id, an id at The Things Stack, or an EUI.
    let one = all + "/:gateway"
    return Array(
      [
        gate.get(all, .viewer, "Gateways by name", gives: .list(.ttnGateway), list),
        gate.post(
          all, .manager, "Register a gateway", takes: .fields(NewGateway.init), gives: .created(.ttnGateway), create),
        gate.get(one, .viewer, "A gateway", gives: .one(.ttnGateway), get),
        gate.put(
          one, .manager, "Change a gateway", takes: .fields(GatewayChange.init), gives: .one(.ttnGateway), update),
        gate.delete(one, .manager, "Delete a gateway, here and at The Things Stack", delete),
        gate.post(
          one + "/status", .viewer, "Ask The Things Stack how a gateway is doing", gives: .one(.ttnGateway), status),
      ].joined())
  }

  @Sendable func list(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .rows(try await store.list(scope).json)
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(request.parameter("gateway"), scope), or: "Gateway")
  }

  @Sendable func create(
    _ request: Request, _ scope: OrganizationScope, _ gateway: NewGateway
  ) async throws -> Response {
    let (connection, client) = try await connections.connected(scope, stack)
    try await store.check(id: gateway.id, eui: gateway.eui, site: gateway.change.siteId ?? nil, scope)
    let journal = Journal(clock: stack.clock)
    do throws(StackError) {
      try await client.registerGateway(gateway.id, eui: gateway.eui, gateway.change.fields, journal)
    } catch {
      try await connections.store(journal, scope.organizationId, requestId: request.id)
      throw HTTPError.stack(error, "Failed to register the gateway")
    }
    do {
      let rows = try await store.create(
        gateway.change.row(gateway.id, eui: gateway.eui), connection: connection.id, scope, request)
      try await connections.store(journal, scope.organizationId, requestId: request.id)
      return try .row(rows, .created, or: "Gateway")
    } catch {
      _ = await client.removeGateway(gateway.id.description, journal)
      try? await connections.store(journal, scope.organizationId, requestId: request.id)
      if let error = error as? DatabaseError, error.violated?.hasPrefix("gateways_gateway_") == true {
        throw HTTPError.conflict("A gateway with this gatewayId or gatewayEui exists already")
      }
      throw error
    }
  }

  /// What The Things Stack does not take is in the provisioning log, and hinders nothing here.
  @Sendable func update(
    _ request: Request, _ scope: OrganizationScope, _ change: GatewayChange
  ) async throws -> Response {
    let found = try await found(request, scope)
    try await store.check(id: nil, eui: nil, site: change.siteId ?? nil, scope)
    let rows = try await store.update(found.id, change.row(), scope, request)
    if let (_, client) = try? await connections.connected(scope, stack) {
      let journal = Journal(clock: stack.clock)
      _ = try? await client.updateGateway(found.gatewayId, change.fields, journal)
      try await connections.store(journal, scope.organizationId, requestId: request.id)
    }
    return try .row(rows, or: "Gateway")
  }

  @Sendable func delete(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let found = try await found(request, scope)
    guard try await store.delete(found.id, scope, request) else { throw HTTPError.notFound("Gateway") }
    if let (_, client) = try? await connections.connected(scope, stack) {
      let journal = Journal(clock: stack.clock)
      if await client.removeGateway(found.gatewayId, journal) {
        try await store.noteDeleted(found.id, organization: scope.organizationId)
      }
      try await connections.store(journal, scope.organizationId, requestId: request.id)
    }
    return .noContent
  }

  /// When The Things Stack does not answer, what is known already.
  @Sendable func status(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    let found = try await found(request, scope)
    if let (_, client) = try? await connections.connected(scope, stack),
      let stats = try? await client.gatewayStats(found.gatewayId, now: request.received)
    {
      try await store.note([found.gatewayId: stats], organization: scope.organizationId)
    }
    return try .row(await store.get(found.id.description, scope), or: "Gateway")
  }

  private func found(_ request: Request, _ scope: OrganizationScope) async throws -> (id: UUID, gatewayId: String) {
    guard let row = try await store.get(request.parameter("gateway"), scope).first else {
      throw HTTPError.notFound("Gateway")
    }
    return (try row.uuid("id"), try row.text("gatewayId"))
  }
}
