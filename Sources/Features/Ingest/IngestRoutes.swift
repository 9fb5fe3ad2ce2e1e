import Basics
import ColdChain
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL
import Readings
import Runtime
import Telemetry

/// The doors through which readings come in.
public struct IngestRoutes: Sendable {
  /// The largest webhook message that is read.
  private static let messageLimit = 256 * 1024

  private let keys: APIKeys
  private let writer: WriterDoor
  /// The same door for what is fetched.
  public let stored: StoredUplinks

  /// - Parameter home: the loop on which everything is written; it may serve requests too.
  public init(
    database: Database, keys: APIKeys, home: EventLoop, clock: WallClock, log: Log, metrics: Metrics
  ) {
    self.keys = keys
    writer = WriterDoor(
      home: home, database: database, clock: clock, log: log, metrics: IngestMetrics(metrics))
    stored = StoredUplinks(database: database, writer: writer)
  }

  public var routes: [Route] {
    [
      Route(
        .post, "/api/webhooks/ttn", bodyLimit: Self.messageLimit, content: .any, logLevel: .debug, theThingsStack
      ).described(
        "Take a message of The Things Stack", by: [.apiKey, .webhookSecret], takes: Contract.Body(.any),
        gives: .one(.taken)),
      Route(
        .post, "/api/webhooks/chirpstack", bodyLimit: Self.messageLimit, content: .any, logLevel: .debug, chirpStack
      ).described(
        "Take a message of ChirpStack 4", by: [.apiKey, .webhookSecret],
        asks: [.choice("event", ChirpStackEvent.self).optional], takes: Contract.Body(.map(of: .any)),
        gives: .one(.taken)),
      Route(.post, "/api/ingest/readings", bodyLimit: 1 << 20, logLevel: .debug, readings)
        .streaming(MediaType.ndjson, bodyLimit: .max, readingLines)
        .described(
          "Take up to 1,000 readings of other senders; as application/x-ndjson any number, each answered by a line",
          by: [.apiKey, .webhookSecret], takes: Contract.Body(SampleReader.schema), gives: .one(.takenReadings)),
    ]
  }

  // MARK: - Network servers

  /// With a valid key the answer is 2xx whatever the message says: The Things Stack counts anything else against the whole
  /// webhook, for every device. 400 only for what is no JSON and so can belong to nobody; 503 when it could not be made durable.
  @Sendable private func theThingsStack(_ request: Request) async throws -> Response {
    try await webhook(request) { root, scope in
      .theThingsStack(root, scope, arrivedAt: request.received)
    }
  }

  /// The same for ChirpStack's HTTP integration, which names the kind of its message in the query.
  @Sendable private func chirpStack(_ request: Request) async throws -> Response {
    let event = request.query("event")
    return try await webhook(request) { root, scope in
      .chirpStack(root, event: event, scope, arrivedAt: request.received)
    }
  }

  private func webhook(
    _ request: Request, _ read: (JSONValue, IngestScope) -> NetworkMessage
  ) async throws -> Response {
    let scope = try await keys.authenticate(request, scope: .ingest)
    let document: JSONDocument
    do throws(JSONError) {
      document = try JSONDocument(request.body)
    } catch {
      throw HTTPError.badRequest("The body is not JSON: \(error.reason) at byte \(error.offset)", code: "INVALID_JSON")
    }
    let message = read(document.root, scope)
    let settled: Settled
    do throws(WriteFailure) {
      settled = try await writer.write(intake(message, request, scope))
    } catch {
      throw Self.notDurable
    }
    return Self.answer(settled)
  }

  private func intake(_ message: NetworkMessage, _ request: Request, _ scope: IngestScope) -> Intake {
    switch message {
    case .uplink(let uplink): .uplink(uplink, body: request.body)
    case .deviceEvent(let event): .deviceEvent(event, body: request.body)
    case .unusable(let reason, let detail, let devEUI, let deviceID, let applicationID):
      .quarantine(
        QuarantinedUplink(
          id: .v7(at: request.received), organizationId: scope.organizationId, apiKeyId: scope.apiKeyId, reason: reason,
          detail: detail, devEUI: devEUI, deviceID: deviceID, applicationID: applicationID,
          receivedAt: request.received, body: Array(request.body)))
    }
  }

  private static func answer(_ settled: Settled) -> Response {
    .json { json in
      json.object { json in
        json.field("success", true)
        switch settled {
        case .stored(let id, let alerts):
          json.field("message", "Reading stored")
          json.field("readingId", id)
          json.field("alertsTriggered", alerts)
          json.field("status", "stored")
        case .duplicate(let id):
          json.field("message", "Reading known already")
          json.field("readingId", id)
          json.field("alertsTriggered", 0)
          json.field("status", "duplicate")
        case .quarantined(let reason):
          json.field("message", "Kept in quarantine")
          json.field("alertsTriggered", 0)
          json.field("status", "quarantined")
          json.field("reason", reason.rawValue)
        case .ignored(let what), .foreign(let what), .refused(let what):
          json.field("message", what)
          json.field("alertsTriggered", 0)
          json.field("status", "ignored")
        }
      }
    }
  }

  private static let notDurable = HTTPError.unavailable("The message could not be stored; send it again", retryAfter: 5)

  // MARK: - Readings of other senders

  @Sendable private func readings(_ request: Request) async throws -> Response {
    let scope = try await keys.authenticate(request, scope: .ingest)
    let intakes = try SampleReader.read(request.body, scope, arrivedAt: request.received)
    let settled: [Settled]
    do throws(WriteFailure) {
      settled = try await writer.write(intakes)
    } catch {
      throw Self.notDurable
    }
    if settled.allSatisfy({ if case .foreign = $0 { true } else { false } }) {
      throw HTTPError.forbidden("None of the readings belongs to this organization")
    }
    return .json { json in
      json.object { json in
        var stored: [UUID] = []
        var alerts = 0
        for case .stored(let id, let raised) in settled {
          stored.append(id)
          alerts += raised
        }
        json.field("success", true)
        json.field("insertedCount", stored.count)
        json.array("readingIds") { json in for id in stored { json.uuid(id) } }
        json.field("alertsTriggered", alerts)
        json.array("results") { json in for one in settled { json.object { one.write(to: &$0) } } }
      }
    }
  }

  /// Any number of them, one on each line. They are read, stored and answered piece by piece.
  @Sendable private func readingLines(_ request: Request, _ body: BodyReader) async throws -> Response {
    let scope = try await keys.authenticate(request, scope: .ingest)
    let door = self.writer
    // What must not be compressed must be said: an answer is to leave before the next line comes.
    return Response.stream(MediaType.ndjson) { writer in
      let lines = ReadingLines(writer: door, scope: scope, received: request.received)
      try await lines.run(from: body, to: writer)
    }.with("Content-Encoding", "identity")
  }
}

extension Settled {
  /// What a sender of readings is told of one of them.
  func write(to json: inout JSONWriter) {
    switch self {
    case .stored(let id, _):
      json.field("status", "stored")
      json.field("readingId", id)
    case .duplicate(let id):
      json.field("status", "duplicate")
      json.field("readingId", id)
    case .foreign(let reason), .refused(let reason), .ignored(let reason):
      json.field("status", "refused")
      json.field("reason", reason)
    case .quarantined(let reason):
      json.field("status", "refused")
      json.field("reason", reason.rawValue)
    }
  }
}

extension Schema {
  private enum Outcome: String, CaseIterable { case stored, duplicate, quarantined, ignored }
  private enum ReadingOutcome: String, CaseIterable { case stored, duplicate, refused }

  /// What became of a message.
  fileprivate static let taken = Schema.object(
    "Taken",
    [
      .bool("success"), .text("message"), .uuid("readingId").optional, .integer("alertsTriggered"),
      .choice("status", Outcome.self), .choice("reason", QuarantineReason.self).optional,
    ])

  /// `results` are in the order of the readings.
  fileprivate static let takenReadings = Schema.object(
    "TakenReadings",
    [
      .bool("success"), .integer("insertedCount"), .array("readingIds", of: .uuid), .integer("alertsTriggered"),
      .array(
        "results",
        of: .object([
          .choice("status", ReadingOutcome.self), .uuid("readingId").optional, .text("reason").optional,
        ])),
    ])
}
