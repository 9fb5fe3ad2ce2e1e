import HTTP
import HTTPServer
import Telemetry

/// The page that Prometheus scrapes.
public struct MetricsRoutes: Sendable {
  public enum Audience: Sendable {
    /// A port of its own, which the operator keeps to himself.
    case anyone
    /// The port that the world may reach through a proxy.
    case privateAddresses
  }

  let metrics: Metrics
  let audience: Audience

  public init(metrics: Metrics, audience: Audience) {
    self.metrics = metrics
    self.audience = audience
  }

  public var routes: [Route] {
    [
      .immediate(.get, "/metrics", logLevel: .debug, page)
        .described("What Prometheus scrapes; for private addresses", gives: .file("text/plain"))
    ]
  }

  /// For others than private addresses the route does not exist. A request that came through a proxy is never private:
  /// its sender is not who it seems.
  @Sendable func page(_ request: Request) -> Response {
    if audience == .privateAddresses {
      guard request.peer.isPrivate, request.rawHeader("X-Forwarded-For") == nil, request.rawHeader("Forwarded") == nil
      else { return HTTPError.notFound().response(id: request.requestID) }
    }
    let format: Metrics.Format =
      request.header("Accept")?.contains("application/openmetrics-text") == true ? .openMetrics : .prometheus
    return .bytes(format.contentType, metrics.render(format))
  }
}

extension PeerAddress {
  /// RFC 1918, RFC 6598, RFC 4193, loopback, link-local, and a Unix socket.
  var isPrivate: Bool {
    switch self {
    case .local: return true
    case .ipv4, .ipv6: return Self.privateBlocks.contains { $0.contains(self) }
    }
  }

  private static let privateBlocks = [
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "::1",
    "fc00::/7", "fe80::/10",
  ].compactMap { AddressBlock($0) }
}
