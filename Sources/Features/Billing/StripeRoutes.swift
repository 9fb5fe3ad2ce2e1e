import Basics
import HTTP
import HTTPServer
import Identity
import JSON
import PostgreSQL

/// Where Stripe tells how subscriptions are. It sends each message again until it gets a 2xx, for three days.
public struct StripeRoutes: Sendable {
  let work: SubscriptionWork
  let configuration: StripeConfiguration

  public init(database: Database, configuration: StripeConfiguration) {
    work = SubscriptionWork(database: database)
    self.configuration = configuration
  }

  public var routes: [Route] {
    [
      Route(.post, "/api/webhooks/stripe", bodyLimit: 1 << 20, content: .any, take).described(
        "Take what Stripe tells about a subscription, signed in the header Stripe-Signature",
        takes: Contract.Body(.map(of: .any)), gives: .one(.received))
    ]
  }

  @Sendable private func take(_ request: Request) async throws -> Response {
    guard let secret = configuration.webhookSecret else { throw HTTPError.notConfigured("The webhook of Stripe") }
    guard let header = request.rawHeader("stripe-signature") else {
      throw HTTPError.badRequest("The header stripe-signature is required")
    }
    guard let signature = StripeSignature(header) else {
      throw HTTPError.badRequest("The header stripe-signature cannot be read")
    }
    switch signature.verdict(on: request.body, secret: secret, now: request.received) {
    case .wrong: throw HTTPError.badRequest("The signature is not valid")
    case .stale: throw HTTPError.badRequest("The message is more than five minutes old, or one of the clocks is wrong")
    case .valid: break
    }
    let document: JSONValue
    do throws(JSONError) { document = try JSONDocument(request.body).root } catch {
      throw HTTPError.badRequest("The body is not JSON: \(error.reason) at byte \(error.offset)", code: "INVALID_JSON")
    }
    guard let event = StripeEvent(document, plan: configuration.plan(ofPrice:)) else {
      throw HTTPError.badRequest("The body is no event of Stripe")
    }
    try await work.take(event, at: request.received)
    return .json { json in json.object { $0.field("received", true) } }
  }
}

extension Schema {
  static let received = Schema.object("Received", [.bool("received")])
}
