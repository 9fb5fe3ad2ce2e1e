import Basics
import JSON

/// What a webhook message of Telnyx tells about a text message that was sent ("Receiving webhooks", Telnyx Messaging
/// documentation). There are `message.sent` and, at the end, `message.finalized`; how it ended is the status of the
/// one recipient.
struct TelnyxMessage: Sendable {
  /// Telnyx's id of the text message.
  let id: String
  let progress: Progress
  let occurredAt: Instant?

  enum Progress: Sendable, Equatable {
    case sent
    case delivered
    case failed(code: String?, reason: String)
    /// Nothing that moves a delivery.
    case none
  }

  /// Nil when it is no event about a message.
  init?(_ document: JSONValue) {
    guard let data = document["data"], let type = data["event_type"]?.string, let payload = data["payload"],
      let id = payload["id"]?.string, (1...256).contains(id.utf8.count)
    else { return nil }
    self.id = id
    occurredAt = data["occurred_at"]?.string.flatMap { Instant(rfc3339: $0) }
    guard payload["direction"]?.string != "inbound" else {
      progress = .none
      return
    }
    let status = payload["to"]?[0]?["status"]?.string
    switch type {
    case "message.sent": progress = Self.progress(status ?? "sent", payload)
    case "message.finalized": progress = Self.progress(status ?? "", payload)
    default: progress = .none
    }
  }

  private static func progress(_ status: String, _ payload: JSONValue) -> Progress {
    switch status {
    case "sent", "delivery_unconfirmed": return .sent
    case "delivered": return .delivered
    case "sending_failed", "delivery_failed", "expired":
      guard let error = payload["errors"]?[0] else { return .failed(code: nil, reason: status) }
      let code = error["code"]?.string ?? error["code"]?.int.map(String.init)
      let words = [error["title"]?.string, error["detail"]?.string].compactMap(\.self).joined(separator: ": ")
      let reason = words.isEmpty ? status : words
      return .failed(
        code: code.map { String($0.prefix(32)) }, reason: String((code.map { "[\($0)] " } ?? "") + reason.prefix(500)))
    default: return .none
    }
  }
}
