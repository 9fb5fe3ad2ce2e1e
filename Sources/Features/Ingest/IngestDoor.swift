import Basics
import HTTP
import Identity
import JSON

/// The ways in, each with its own form of message. The numbers stand in the spool: one is never given to another door.
enum IngestDoor: RawRepresentable, Sendable {
  /// `POST /api/webhooks/ttn`
  case theThingsStack
  /// `POST /api/webhooks/chirpstack`; nil when the query names no event that is known.
  case chirpStack(ChirpStackEvent?)
  /// `POST /api/ingest/readings`
  case readings
  /// The same as `application/x-ndjson`: some lines of it.
  case readingLines

  init?(rawValue: UInt8) {
    switch rawValue {
    case 1: self = .theThingsStack
    case 2: self = .readings
    case 3: self = .readingLines
    case 16: self = .chirpStack(nil)
    default:
      guard let event = ChirpStackEvent.allCases.first(where: { $0.number == rawValue }) else { return nil }
      self = .chirpStack(event)
    }
  }

  var rawValue: UInt8 {
    switch self {
    case .theThingsStack: 1
    case .readings: 2
    case .readingLines: 3
    case .chirpStack(let event): event?.number ?? 16
    }
  }

  /// Of a message that was kept, by what it looks like.
  static func recognised(_ body: ArraySlice<UInt8>) -> IngestDoor {
    guard let root = try? JSONDocument(body).root, root["end_device_ids"] == nil, root["deviceInfo"] != nil else {
      return .theThingsStack
    }
    return .chirpStack(nil)
  }

  /// What the body says. Throws what the sender is told when it cannot belong to anyone.
  func read(_ body: ArraySlice<UInt8>, _ scope: IngestScope, arrivedAt: Instant) throws -> [Intake] {
    switch self {
    case .theThingsStack:
      [try Self.message(body, scope, arrivedAt) { .theThingsStack($0, scope, arrivedAt: arrivedAt) }]
    case .chirpStack(let event):
      [try Self.message(body, scope, arrivedAt) { .chirpStack($0, event: event, scope, arrivedAt: arrivedAt) }]
    case .readings: try SampleReader.read(body, scope, arrivedAt: arrivedAt)
    case .readingLines:
      try body.split(separator: 0x0A).map { .sample(try SampleReader.read(line: $0, arrivedAt: arrivedAt), by: scope) }
    }
  }

  private static func message(
    _ body: ArraySlice<UInt8>, _ scope: IngestScope, _ arrivedAt: Instant, _ read: (JSONValue) -> NetworkMessage
  ) throws -> Intake {
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(body)
    } catch {
      throw HTTPError.badRequest("The body is not JSON: \(error.reason) at byte \(error.offset)", code: "INVALID_JSON")
    }
    switch read(document.root) {
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

extension ChirpStackEvent {
  fileprivate var number: UInt8 {
    switch self {
    case .up: 17
    case .join: 18
    case .status: 19
    case .ack: 20
    case .txack: 21
    case .log: 22
    case .location: 23
    case .integration: 24
    }
  }
}
