import Basics
import Forms
import JSON

/// What a webhook message of Telnyx tells about a text message that was sent ("Receiving webhooks", Telnyx Messaging
/// documentation). There are `message.sent` and, at the end, `message.finalized`; how it ended is the status of the
/// one recipient.
struct TelnyxMessage: Sendable {
  /// Telnyx's id of the text message.
  let id: String
  let progress: Progress
  /// What the other side has said about being written to.
  let consent: Consent?
  let occurredAt: Instant?

  /// Whether `phone` wants text messages of `sender`.
  struct Consent: Sendable, Equatable {
    let sender: String
    let phone: String
    let isGiven: Bool
  }

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
    let status = payload["to"]?[0]?["status"]?.string
    switch type {
    case "message.sent": progress = Self.progress(status ?? "sent", payload)
    case "message.finalized": progress = Self.progress(status ?? "", payload)
    default: progress = .none
    }
    let (from, to) = (payload["from"]?["phone_number"]?.string, payload["to"]?[0]?["phone_number"]?.string)
    if type == "message.received", let wish = payload["text"]?.string.flatMap(Self.wish) {
      consent = Self.consent(sender: to, phone: from, isGiven: wish)
    } else if case .failed(Self.blockedByStop?, _) = progress {
      consent = Self.consent(sender: from, phone: to, isGiven: false)
    } else {
      consent = nil
    }
  }

  /// Telnyx's code for a message to somebody who has sent STOP.
  private static let blockedByStop = "40300"

  private static func consent(sender: String?, phone: String?, isGiven: Bool) -> Consent? {
    guard let sender, let phone, (1...32).contains(sender.unicodeScalars.count), !sender.utf8.contains(0),
      PhoneNumber(e164: phone) != nil
    else { return nil }
    return Consent(sender: sender, phone: phone, isGiven: isGiven)
  }

  /// The words that Telnyx itself obeys ("Opt-out keywords", Telnyx Messaging documentation). Nil for any other text.
  static func wish(_ text: String) -> Bool? {
    guard text.utf8.count <= 32 else { return nil }
    switch text.split(whereSeparator: \.isWhitespace).joined(separator: " ").uppercased() {
    case "STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT": return false
    case "START", "UNSTOP": return true
    default: return nil
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
