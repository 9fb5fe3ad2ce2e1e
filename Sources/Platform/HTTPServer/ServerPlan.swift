import HTTP
import Synchronization
import Telemetry

/// What all loops of a server share. Nothing in it changes while the server runs but atomic counts.
final class ServerPlan: Sendable {
  let configuration: HTTPServerConfiguration
  let routes: [Route]
  let router: Router
  let answerHead: AnswerHead
  let log: Log
  let meters: RouteMeters
  let refused: CounterHandle
  let connectionCount = ConnectionCount()

  init(_ routes: [Route], _ configuration: HTTPServerConfiguration, _ log: Log, _ metrics: Metrics) {
    self.configuration = configuration
    self.routes = routes
    self.log = log
    router = Router(routes.map { ($0.method, $0.pattern) })
    answerHead = AnswerHead(origins: configuration.corsOrigins)
    meters = RouteMeters(routes, metrics)
    refused = metrics.counter(
      "http_connections_refused_total", help: "Connections closed at once because there were too many."
    ).handle()
  }

  func isTrusted(_ address: PeerAddress) -> Bool {
    configuration.trustedProxies.contains { $0.contains(address) }
  }

  /// The rightmost address of `X-Forwarded-For` that is no trusted proxy: what stands left of it anyone can write.
  func client(behind proxy: PeerAddress, _ values: [ArraySlice<UInt8>]) -> PeerAddress {
    var client = proxy
    for item in values.flatMap({ $0.split(separator: 0x2C) }).reversed() {
      guard let address = PeerAddress(String(decoding: trimmed(item), as: UTF8.self)) else { break }
      client = address
      if !isTrusted(address) { break }
    }
    return client
  }
}

/// Connections that are open on all loops. Apart from the plan: the metrics hold it, and a route of the plan may hold
/// the metrics.
final class ConnectionCount: Sendable {
  let value = Atomic<Int>(0)
}

/// Metrics of each route, with their labels resolved ahead.
final class RouteMeters: Sendable {
  private let requests: Counter
  private let labels: [String]
  let durations: [HistogramHandle]

  init(_ routes: [Route], _ metrics: Metrics) {
    labels = routes.map(\.pattern) + ["unmatched"]
    requests = metrics.counter(
      "http_requests_total", help: "Requests answered.", labels: ["route", "method", "status"], limit: 4000)
    let histogram = metrics.histogram(
      "http_request_duration_seconds", help: "From the end of the head to the answer.", labels: ["route"],
      limit: labels.count + 1)
    durations = labels.map { histogram.handle([$0]) }
  }

  func counter(_ place: Int, _ method: Method, _ status: Status) -> CounterHandle {
    requests.handle([labels[place], method.name, "\(status.code)"])
  }

  func label(_ place: Int) -> String { labels[place] }
}
