import Basics
import JSON

/// One thing that the answer of `/health` tells about.
public struct HealthCheck: Sendable {
  public enum Status: String, Sendable, Comparable, CaseIterable {
    case pass
    /// Works, but somebody should look.
    case warn
    case fail

    public static func < (a: Status, b: Status) -> Bool { a.rank < b.rank }

    private var rank: Int {
      switch self {
      case .pass: 0
      case .warn: 1
      case .fail: 2
      }
    }
  }

  public struct Finding: Sendable, Equatable {
    public var status: Status
    /// For a person who can do something about it. Never holds a secret.
    public var message: String?

    public init(_ status: Status, _ message: String? = nil) {
      self.status = status
      self.message = message
    }

    public static let pass = Finding(.pass)
  }

  public let name: String
  /// Without it no request can be served: a failure makes the whole unhealthy, and 503. Others only degrade it.
  public var isVital: Bool { vital() }
  let run: @Sendable () async -> Finding
  private let vital: @Sendable () -> Bool

  /// - Parameter isVital: asked again at each report.
  public init(
    _ name: String, isVital: @escaping @autoclosure @Sendable () -> Bool = false,
    run: @escaping @Sendable () async -> Finding
  ) {
    self.name = name
    vital = isVital
    self.run = run
  }
}

/// What all checks said at one moment.
public struct HealthReport: Sendable {
  public enum Status: String, Sendable, CaseIterable {
    case healthy
    case degraded
    case unhealthy
  }

  public struct Entry: Sendable {
    public let name: String
    public let isVital: Bool
    public let finding: HealthCheck.Finding
    public let took: Duration
  }

  public let entries: [Entry]
  public let takenAt: Instant
  public let status: Status
  /// The `checks` object of `/health`. Written once for all who ask within the same second.
  let json: [UInt8]

  init(entries: [Entry], takenAt: Instant) {
    self.entries = entries
    self.takenAt = takenAt
    if entries.contains(where: { $0.isVital && $0.finding.status == .fail }) {
      status = .unhealthy
    } else {
      status = entries.contains { $0.finding.status != .pass } ? .degraded : .healthy
    }
    json = JSONWriter.bytes { json in
      json.object { json in
        for entry in entries {
          json.object(entry.name) { json in
            json.field("status", entry.finding.status.rawValue)
            json.field("latency_ms", Double(entry.took.microseconds) / 1000)
            if let message = entry.finding.message { json.field("message", message) }
          }
        }
      }
    }
  }

  /// Why requests cannot be served; nil when they can.
  public var obstacle: String? {
    entries.first { $0.isVital && $0.finding.status == .fail }.map { "\($0.name): \($0.finding.message ?? "fails")" }
  }
}
