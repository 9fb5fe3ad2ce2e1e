import Basics
import HTTP
import HTTPServer
import JSON

/// Is it alive, is it ready, how is it.
public struct HealthRoutes: Sendable {
  let monitor: HealthMonitor
  let version: String
  let environment: String
  let started: Instant

  public init(monitor: HealthMonitor, version: String, environment: String, started: Instant) {
    self.monitor = monitor
    self.version = version
    self.environment = environment
    self.started = started
  }

  public var routes: [Route] {
    [
      .immediate(.get, "/health/live", logLevel: .debug, live)
        .described("The process is alive", gives: .one(.object([.bool("alive")]))),
      .immediate(.get, "/health/realtime", logLevel: .debug, realtime)
        .described("For clients of the earlier server", gives: .one(.realtime)),
      Route(.get, "/health/ready", logLevel: .debug, ready)
        .described(
          "Requests can be served", gives: .one(.readiness).or(.json(.serviceUnavailable, .readiness))),
      .eager(.get, "/health", logLevel: .debug, atOnce: known, health)
        .described("How each part is", gives: .one(.health).or(.json(.serviceUnavailable, .health))),
    ]
  }

  private static let alive = Array(#"{"alive":true}"#.utf8)

  /// Depends on nothing: the loop that answers is alive.
  @Sendable func live(_ request: Request) -> Response { .json(bytes: Self.alive) }

  private static let withoutSockets = Array(#"{"websocket":{"enabled":false,"connections":0}}"#.utf8)

  /// Clients of the earlier server ask for this; this one has no WebSockets.
  @Sendable func realtime(_ request: Request) -> Response { .json(bytes: Self.withoutSockets) }

  @Sendable func ready(_ request: Request) async -> Response {
    let obstacle = monitor.isDraining ? "shutting down" : await monitor.report().obstacle
    return .json(
      obstacle == nil ? .ok : .serviceUnavailable,
      bytes: JSONWriter.bytes { json in
        json.object { json in
          json.field("ready", obstacle == nil)
          if let obstacle { json.field("reason", obstacle) }
        }
      })
  }

  @Sendable func known(_ request: Request) -> Response? { monitor.latest().map { answer($0, to: request) } }

  @Sendable func health(_ request: Request) async -> Response { answer(await monitor.report(), to: request) }

  private func answer(_ report: HealthReport, to request: Request) -> Response {
    .json(
      report.status == .unhealthy ? .serviceUnavailable : .ok,
      bytes: JSONWriter.bytes { json in
        json.object { json in
          json.field("status", report.status.rawValue)
          json.field("uptime", Double((request.received - started).microseconds / 1000) / 1000)
          json.field("timestamp", request.received)
          json.field("version", version)
          json.field("environment", environment)
          json.key("checks")
          json.raw(report.json)
        }
      })
  }
}

extension Schema {
  fileprivate static let realtime = Schema.object([
    .object("websocket", [.bool("enabled"), .integer("connections")])
  ])

  /// `reason` is there when it is not ready.
  fileprivate static let readiness = Schema.object("Readiness", [.bool("ready"), .text("reason").optional])

  fileprivate static let health = Schema.object(
    "Health",
    [
      .choice("status", HealthReport.Status.self), .number("uptime"), .instant("timestamp"), .text("version"),
      .text("environment"),
      .value(
        "checks",
        .map(
          of: .object(
            "HealthCheck",
            [.choice("status", HealthCheck.Status.self), .number("latency_ms"), .text("message").optional]))),
    ])
}
