import Basics
import HTTP
import JSON

/// The webhook, the storage and the downlink queue of an application.
extension StackClient {
  /// The messages that are wanted: all that say something about a device.
  static let messageTypes = [
    "uplink_message", "join_accept", "downlink_ack", "downlink_nack", "downlink_sent", "downlink_failed",
    "downlink_queued", "downlink_queue_invalidated",
  ]

  /// Makes or replaces the webhook: every message goes to `base` + `path` with these headers.
  func setWebhook(
    _ id: String, base: String, path: String, headers: [(String, String)], _ journal: Journal
  ) async throws(StackError) {
    let endpoint = "/as/webhooks/\(application)/\(id)"
    _ = try await journal.noting("webhook", id, endpoint) { () async throws(StackError) in
      try await call(.put, endpoint) { json in
        json.object("webhook") { json in
          json.object("ids") { json in
            json.field("webhook_id", id)
            json.object("application_ids") { $0.field("application_id", application) }
          }
          json.field("base_url", base)
          json.field("format", "json")
          json.object("headers") { json in for (name, value) in headers { json.field(name, value) } }
          for type in Self.messageTypes { json.object(type) { $0.field("path", path) } }
        }
        json.fieldMask(["base_url", "format", "headers"] + Self.messageTypes)
      }
    }
  }

  /// What The Things Stack says of the webhook: nil when it is well, else why its deliveries failed.
  func webhookHealth(_ id: String) async throws(StackError) -> (isHealthy: Bool, failedAttempts: Int) {
    let answer = try await call(
      .get, "/as/webhooks/\(application)/\(id)", query: [("field_mask", "health_status,base_url")])
    let unhealthy = answer.body["health_status"]?["unhealthy"]
    // 64-bit integers are strings in its JSON.
    let attempts = unhealthy?["failed_attempts"].flatMap { value in
      value.int.map { Int($0) } ?? value.string.flatMap { ASCII.unsigned($0.utf8) }
    }
    return (unhealthy == nil, attempts ?? 0)
  }

  // MARK: - Storage Integration

  struct StoredPage: Sendable {
    /// Objects shaped like the webhook's uplink messages, oldest first.
    let messages: [JSONValue]
    /// The answer came to its end.
    let isWhole: Bool
    /// For the next page; nil after the last one.
    let token: String?
  }

  /// Messages in one page: about 3 MB.
  static let storedPageSize = 1000
  private static let storedPageBytes = 32 << 20

  /// Uplinks that the storage received from `start` until before `end`, oldest first; with `token`, the page that it stands for.
  func storedUplinks(from start: Instant, before end: Instant, token: String?) async throws(StackError) -> StoredPage {
    let query: [(String, String)] =
      if let token { [("continuation_token", token)] } else {
        [
          ("after", start.rfc3339), ("before", end.rfc3339), ("order", "received_at"),
          ("limit", "\(Self.storedPageSize)"),
        ]
      }
    let stream = try await stream(
      "/as/applications/\(application)/packages/storage/uplink_message", query: query, limit: Self.storedPageBytes,
      timeout: .seconds(60))
    var messages: [JSONValue] = []
    for line in stream.lines {
      guard let root = try? JSONDocument(line, limits: JSONLimits(bytes: 1 << 20)).root, let result = root["result"]
      else {
        // `{"error":...}` ends a stream that had begun well; what cannot be read is treated the same.
        return StoredPage(messages: messages, isWhole: false, token: nil)
      }
      messages.append(result)
    }
    let token = stream.headers.first {
      $0.name == "x-continuation-token" || $0.name == "grpc-metadata-x-continuation-token"
    }
    return StoredPage(
      messages: messages, isWhole: stream.isWhole, token: token.flatMap { $0.value.isEmpty ? nil : $0.value })
  }

  // MARK: - Downlinks

  struct Downlink: Sendable {
    let port: Int
    let payload: [UInt8]
    let confirmed: Bool
    let correlationID: String
  }

  /// Puts it at the end of the device's queue. A class A device hears it after its next uplink.
  func push(_ downlink: Downlink, to device: String, _ journal: Journal) async throws(StackError) {
    let path = "/as/applications/\(application)/devices/\(device)/down/push"
    _ = try await journal.noting("downlink", device, path) { () async throws(StackError) in
      try await call(.post, path) { json in
        json.array("downlinks") { json in
          json.object { json in
            json.field("f_port", downlink.port)
            json.field("frm_payload", Base64.encode(downlink.payload))
            json.field("priority", "NORMAL")
            json.field("confirmed", downlink.confirmed)
            json.array("correlation_ids") { $0.string(downlink.correlationID) }
          }
        }
      }
    }
  }
}
