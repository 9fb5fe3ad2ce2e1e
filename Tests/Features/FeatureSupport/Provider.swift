import HTTP
import HTTPServer
import Runtime
import Synchronization
import Telemetry
import TestSupport

/// A provider of the tests' own, on a free port: it remembers what it was sent.
public final class Provider: Sendable {
  public let url: String
  private let server: HTTPServer
  private let group = LoopGroup(count: 1)
  private let seen: Seen

  private final class Seen: Sendable {
    let requests = Mutex<[Request]>([])
  }

  /// Each route is a method, a pattern and what answers.
  public init(_ routes: [(Method, String, @Sendable (Request) -> Response)]) throws {
    let seen = Seen()
    self.seen = seen
    var settings = HTTPServerConfiguration()
    settings.port = 0
    server = HTTPServer(
      routes: routes.map { method, pattern, answer in
        Route.immediate(method, pattern, bodyLimit: 16 << 20, content: .any) { request in
          seen.requests.withLock { $0.append(request) }
          return answer(request)
        }
      }, configuration: settings, log: .none, metrics: Metrics())
    url = "http://\(try server.start(on: group))"
  }

  deinit { group.end(server) }

  /// Every request so far.
  public var requests: [Request] { seen.requests.withLock { $0 } }
}
