import Basics
import HTTP
import Identity
import JSON

/// The ways in, each with its own form of message. The numbers stand in the spool: one is never given to another door.
enum IngestDoor: UInt8, Sendable {
  /// `POST /api/webhooks/ttn`
  case theThingsStack = 1
  /// `POST /api/ingest/readings`
  case readings = 2
  /// `POST /api/webhooks/chirpstack`
  case chirpStack = 3

  /// By which a kept message came.
  init(of body: [UInt8]) {
    let root = try? JSONDocument(body).root
    self = root?["end_device_ids"] == nil && root?["deviceInfo"] != nil ? .chirpStack : .theThingsStack
  }

  /// What the body says; `event` is what the target of a request of ChirpStack says. Throws what the sender is told when it cannot belong to anyone.
  func read(
    _ body: ArraySlice<UInt8>, _ scope: IngestScope, arrivedAt: Instant, event: String? = nil
  ) throws -> [Intake] {
    switch self {
    case .theThingsStack:
      [
        try Self.intake(body, scope, arrivedAt: arrivedAt) {
          .theThingsStack($0, scope, arrivedAt: arrivedAt)
        }
      ]
    case .chirpStack:
      [
        try Self.intake(body, scope, arrivedAt: arrivedAt) {
          .chirpStack($0, event: event, scope, arrivedAt: arrivedAt)
        }
      ]
    case .readings: try SampleReader.read(body, scope, arrivedAt: arrivedAt)
    }
  }

  private static func intake(
    _ body: ArraySlice<UInt8>, _ scope: IngestScope, arrivedAt: Instant, _ message: (JSONValue) -> NetworkMessage
  ) throws -> Intake {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(body)
    } catch {
      throw HTTPError.badRequest("The body is not JSON: \(error.reason) at byte \(error.offset)", code: "INVALID_JSON")
    }
    switch message(document.root) {
    case .uplink(let uplink): return .uplink(uplink, body: body)
    case .deviceEvent(let event): return .deviceEvent(event, body: body)
    case .unusable(let reason, let detail, let devEUI, let deviceID, let applicationID):
      return .quarantine(
        QuarantinedUplink(
          id: .v7(at: arrivedAt), organizationId: scope.organizationId, apiKeyId: scope.apiKeyId, reason: reason,
          detail: detail, devEUI: devEUI, deviceID: deviceID, applicationID: applicationID, receivedAt: arrivedAt,
          body: Array(body)))
    }
  }
}
