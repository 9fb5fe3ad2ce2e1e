import Basics
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

  private let reception: Reception
  private let replay: SpoolReplay?
  /// The same door for what is fetched.
  public let stored: StoredUplinks

  /// - Parameters:
  ///   - home: the loop on which everything is written; it may serve requests too.
  ///   - spool: where requests wait while the database is away. Nil: they are refused then.
  ///   - isAway: the database could not be reached at the start. Nothing is written to it before `isReady` has returned.
  ///   - isReady: throws while the database cannot be worked with.
  public init(
    database: Database, keys: APIKeys, home: EventLoop, clock: WallClock, log: Log, metrics: Metrics,
    spool: Spool? = nil, isAway: Bool = false, isReady: @escaping @Sendable () async throws -> Void = {}
  ) {
    let figures = IngestMetrics(metrics)
    let circuit = Circuit(isAway: isAway, log: log)
    let writer = WriterDoor(
      home: home, database: database, clock: clock, log: log, metrics: figures,
      budget: Reception.writerLimit(hasSpool: spool != nil))
    let patient = WriterDoor(
      home: home, database: database, clock: clock, log: log, metrics: figures, budget: .seconds(25), triesAgain: false)
    reception = Reception(keys: keys, writer: writer, spool: spool, circuit: circuit, metrics: figures)
    replay = spool.map { spool in
      SpoolReplay {
        Replayer(
          spool, keys: keys, writer: patient, database: database, circuit: circuit, log: log, isReady: isReady)
      }
    }
    stored = StoredUplinks(database: database, writer: writer)
  }

  /// Starts to bring into the database what waits in the spool.
  public func start(on loop: EventLoop) { replay?.start(on: loop) }

  /// Returns when nothing is under way any more, or after 5 s. What waits goes on waiting.
  public func stop() async { await replay?.stop() }

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
    try await webhook(request, at: .theThingsStack)
  }

  /// The same for ChirpStack's HTTP integration, which names the kind of its message in the query.
  @Sendable private func chirpStack(_ request: Request) async throws -> Response {
    try await webhook(request, at: .chirpStack(request.query("event").flatMap(ChirpStackEvent.init)))
  }

  private func webhook(_ request: Request, at door: IngestDoor) async throws -> Response {
    switch try await reception.take(request, at: door) {
    case .settled(let settled): Self.answer(settled[0])
    case .spooled: Self.spooled
    }
  }

  private static var spooled: Response {
    .json { json in
      json.object { json in
        json.field("success", true)
        json.field("message", "Kept until the database is back")
        json.field("alertsTriggered", 0)
        json.field("status", "spooled")
      }
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

  // MARK: - Readings of other senders

  @Sendable private func readings(_ request: Request) async throws -> Response {
    switch try await reception.take(request, at: .readings) {
    case .settled(let settled): try Self.answer(settled)
    case .spooled(let count): Self.spooled(count)
    }
  }

  private static func spooled(_ count: Int) -> Response {
    .json { json in
      json.object { json in
        json.field("success", true)
        json.field("insertedCount", 0)
        json.array("readingIds") { _ in }
        json.field("alertsTriggered", 0)
        json.field("status", "spooled")
        json.array("results") { json in
          for _ in 0..<count { json.object { $0.field("status", "spooled") } }
        }
      }
    }
  }

  private static func answer(_ settled: [Settled]) throws(HTTPError) -> Response {
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

  /// Any number of them, one on each line. They are read, made durable and answered piece by piece.
  @Sendable private func readingLines(_ request: Request, _ body: BodyReader) async throws -> Response {
    let reception = reception
    let sender = try await reception.sender(of: request)
    // What must not be compressed must be said: an answer is to leave before the next line comes.
    return Response.stream(MediaType.ndjson) { writer in
      var lines = ReadingLines(reception, request, from: sender)
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
  private enum Outcome: String, CaseIterable { case stored, duplicate, quarantined, spooled, ignored }
  private enum ReadingOutcome: String, CaseIterable { case stored, duplicate, refused, spooled }
  private enum Whole: String, CaseIterable { case spooled }

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
      .choice("status", Whole.self).optional,
      .array(
        "results",
        of: .object([
          .choice("status", ReadingOutcome.self), .uuid("readingId").optional, .text("reason").optional,
        ])),
    ])
}
