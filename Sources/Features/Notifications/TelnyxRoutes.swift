import Basics
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// Where Telnyx tells what became of text messages. It waits two seconds for the answer and sends again without one.
public struct TelnyxRoutes: Sendable {
  let store: DeliveryStore
  /// Nil: nobody can be believed.
  let keys: TelnyxKeys?

  public init(database: Database, keys: TelnyxKeys?) {
    store = DeliveryStore(database: database)
    self.keys = keys
  }

  public var routes: [Route] {
    [
      Route(.post, "/api/webhooks/telnyx", bodyLimit: 256 << 10, content: .any, logLevel: .debug, take).described(
        "Take what Telnyx tells about a text message", by: [.telnyxSignature], takes: Contract.Body(.map(of: .any)),
        gives: .one(.received))
    ]
  }

  @Sendable private func take(_ request: Request) async throws -> Response {
    guard let signature = request.rawHeader("telnyx-signature-ed25519"),
      let timestamp = request.rawHeader("telnyx-timestamp")
    else { throw HTTPError.unauthorized("The headers telnyx-signature-ed25519 and telnyx-timestamp are required") }
    guard let keys else { throw HTTPError.notConfigured("The webhook of Telnyx") }
    switch keys.verdict(on: request.body, signature: signature, timestamp: timestamp, now: request.received) {
    case .wrong: throw HTTPError.unauthorized("The signature is not valid")
    case .stale:
      throw HTTPError.unauthorized("The message is more than five minutes old, or one of the clocks is wrong")
    case .valid: break
    }
    let document: JSONValue
    do throws(JSONError) { document = try JSONDocument(request.body).root } catch {
      throw HTTPError.badRequest("The body is not JSON: \(error.reason) at byte \(error.offset)", code: "INVALID_JSON")
    }
    guard let message = TelnyxMessage(document) else {
      throw HTTPError.badRequest("The body is no event about a message")
    }
    try await store.took(message, at: request.received)
    return .json { json in json.object { $0.field("received", true) } }
  }
}

extension Credential {
  static let telnyxSignature = Credential(
    "telnyxSignature", header: "telnyx-signature-ed25519",
    note: "Ed25519 over the timestamp, a vertical bar and the body, by the key of the account at Telnyx.")
}

extension Schema {
  static let received = Schema.object("Received", [.bool("received")])
}
