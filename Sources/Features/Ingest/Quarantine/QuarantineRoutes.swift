import Basics
import Devices
import Forms
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// What came with a valid key and could not be taken: to be looked at, claimed for a device, or discarded.
public struct QuarantineRoutes: Sendable {
  private let store: QuarantineStore
  private let replay: QuarantineReplay

  public init(_ replay: QuarantineReplay) {
    self.replay = replay
    store = QuarantineStore(database: replay.database)
  }

  public func routes(_ gate: Gate) -> [Route] {
    let all = "/api/orgs/:organizationId/quarantine"
    let one = all + "/:quarantineId"
    return Array(
      [
        gate.get(
          all, .viewer, "Messages that could not be taken, newest first", asks: QuarantineQuery.init,
          gives: .list(.quarantinedUplink), list),
        gate.get(one, .viewer, "A message that could not be taken", gives: .one(.quarantinedMessage), get),
        gate.post(
          all + "/claim", .admin, "Say what a DevEUI is, and take what it has sent",
          takes: .fields(DeviceClaim.init), gives: .one(.quarantineClaimed), claimDevice),
        gate.post(
          one + "/claim", .admin, "Say what sent a message, and take all that it has sent",
          takes: .fields(mayBeEmpty: true, QuarantineClaim.init), gives: .one(.quarantineClaimed), claim),
        gate.post(one + "/discard", .admin, "Discard a message", gives: .one(.quarantinedUplink), discard),
      ].joined())
  }

  @Sendable func list(
    _ request: Request, _ scope: OrganizationScope, _ wanted: QuarantineQuery
  ) async throws -> Response {
    .rows(try await store.list(wanted, scope).json)
  }

  @Sendable func get(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(try request.uuid("quarantineId"), scope), or: "Message")
  }

  @Sendable func discard(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.discard(try request.uuid("quarantineId"), scope, request), or: "Open message")
  }

  @Sendable func claim(
    _ request: Request, _ scope: OrganizationScope, _ claim: QuarantineClaim
  ) async throws -> Response {
    guard let sender = try await store.sender(of: try request.uuid("quarantineId"), scope) else {
      throw HTTPError.notFound("Open message")
    }
    guard let devEUI = sender.devEUI else { throw HTTPError.conflict("The message names no DevEUI: discard it") }
    return try await take(devEUI, sender.deviceID, claim, scope, request)
  }

  @Sendable func claimDevice(
    _ request: Request, _ scope: OrganizationScope, _ wanted: DeviceClaim
  ) async throws -> Response {
    try await take(wanted.devEUI, nil, wanted.claim, scope, request)
  }

  private func take(
    _ devEUI: String, _ deviceID: String?, _ claim: QuarantineClaim, _ scope: OrganizationScope, _ request: Request
  ) async throws -> Response {
    let registration = DeviceRegistration(
      devEUI: devEUI, name: claim.name, model: claim.model, deviceID: deviceID, unitId: claim.unitId,
      channel: claim.channel)
    let device = try await registration.findOrMake(in: scope, for: request, database: replay.database)
    let author = QuarantineReplay.Author(
      event: Audit.author(scope, request), userId: scope.userId, at: request.received)
    let result = try await replay.replay(devEUI, of: device.id, in: scope.organizationId, by: author)
    return .json { json in
      json.object { json in
        json.field("deviceId", device.id)
        json.field("deviceCreated", device.isNew)
        json.field("stored", result.stored)
        json.field("duplicate", result.duplicate)
        json.field("ignored", result.ignored)
        json.field("remaining", result.remaining)
      }
    }
  }
}
