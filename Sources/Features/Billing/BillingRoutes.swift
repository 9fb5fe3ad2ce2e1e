import Basics
import Crypto
import Forms
import HTTP
import HTTPClient
import HTTPServer
import Identity
import JSON
import PostgreSQL
import Telemetry

/// What an organization pays for. Only an owner spends its money.
public struct BillingRoutes: Sendable {
  let store: SubscriptionStore
  let configuration: StripeConfiguration
  let stripe: Stripe?
  let log: Log

  public init(
    database: Database, configuration: StripeConfiguration, client: HTTPClient = HTTPClient(), log: Log = .none
  ) {
    store = SubscriptionStore(database: database)
    self.configuration = configuration
    stripe = Stripe(configuration, client: client)
    self.log = log
  }

  public func routes(_ gate: Gate) -> [Route] {
    let payments = "/api/orgs/:organizationId/payments"
    return Array(
      [
        gate.get(payments + "/plans", .viewer, "What can be subscribed to", gives: .list(.plan), plans),
        gate.get(
          payments + "/subscription", .viewer, "The subscription of the organization", gives: .one(.subscription),
          subscription),
        gate.post(
          payments + "/checkout", .owner, "Begin a subscription at Stripe", takes: .fields(NewCheckout.init),
          gives: .one(.checkoutSession), checkout),
        gate.post(
          payments + "/portal", .owner, "Where the subscription is changed, paid and ended at Stripe",
          takes: .fields(mayBeEmpty: true) { $0.optionalString("returnUrl", 1...2048) }, gives: .one(.portalSession),
          portal),
      ].joined())
  }

  @Sendable func plans(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    .json { json in
      json.array { json in
        for plan in Plan.allCases {
          json.object { json in
            json.field("plan", plan.rawValue)
            json.field("name", plan.title)
            json.field("monthlyPriceCents", plan.monthlyPrice)
            json.field("currency", "usd")
            json.field("sensorLimit", plan.sensorLimit)
            json.field("historyDays", plan.historyDays)
            json.field("textMessages", plan.hasTextMessages)
            json.field("compliance", plan.hasCompliance)
            json.field("available", stripe != nil && configuration.prices[plan] != nil)
          }
        }
      }
    }
  }

  @Sendable func subscription(_ request: Request, _ scope: OrganizationScope) async throws -> Response {
    try .row(await store.get(scope), or: "Subscription")
  }

  @Sendable func checkout(
    _ request: Request, _ scope: OrganizationScope, _ wanted: NewCheckout
  ) async throws -> Response {
    guard let stripe, let price = configuration.prices[wanted.plan.plan] else {
      throw HTTPError.notConfigured("Payments for this plan")
    }
    let pages = try pages(wanted)
    let account = try await store.account(scope)
    if account.isSubscribed {
      throw HTTPError.conflict("The organization has a subscription already: change it in the portal")
    }
    let organization = scope.organizationId.description
    var form = [
      ("mode", "subscription"), ("line_items[0][price]", price), ("line_items[0][quantity]", "1"),
      ("success_url", pages.success), ("cancel_url", pages.cancel), ("client_reference_id", organization),
    ]
    // The subscription carries them on, and every event about it.
    for place in ["metadata", "subscription_data[metadata]"] {
      form += [("\(place)[organizationId]", organization), ("\(place)[plan]", wanted.plan.rawValue)]
    }
    if let customerId = account.customerId {
      form.append(("customer", customerId))
    } else if let email = account.email {
      form.append(("customer_email", email))
    }
    let session: Stripe.CheckoutSession
    do throws(Stripe.Failure) {
      session = try await stripe.checkout(form, idempotencyKey: key("checkout", scope, request))
    } catch { throw answer(to: error, request) }
    try await store.noteCheckout(of: wanted.plan.plan, scope, request)
    return .json { json in
      json.object { json in
        json.field("sessionId", session.id)
        json.field("url", session.url)
      }
    }
  }

  @Sendable func portal(_ request: Request, _ scope: OrganizationScope, _ returnURL: String?) async throws -> Response {
    guard let stripe, let page = returnURL ?? configuration.billingPage else {
      throw HTTPError.notConfigured("Payments")
    }
    guard configuration.isOurs(page) else { throw Self.foreign("returnUrl") }
    guard let customerId = try await store.account(scope).customerId else {
      throw HTTPError.notFound("Stripe customer")
    }
    do throws(Stripe.Failure) {
      let url = try await stripe.portal(
        customerId: customerId, returnURL: page, idempotencyKey: key("portal", scope, request))
      return .json { json in json.object { $0.field("url", url) } }
    } catch { throw answer(to: error, request) }
  }

  // MARK: - Parts

  private func pages(_ wanted: NewCheckout) throws -> (success: String, cancel: String) {
    let page = configuration.billingPage
    guard let success = wanted.successURL ?? page.map({ $0 + "?session_id={CHECKOUT_SESSION_ID}" }),
      let cancel = wanted.cancelURL ?? page.map({ $0 + "?canceled=true" })
    else { throw HTTPError.notConfigured("Payments") }
    guard configuration.isOurs(success) else { throw Self.foreign("successUrl") }
    guard configuration.isOurs(cancel) else { throw Self.foreign("cancelUrl") }
    return (success, cancel)
  }

  private static func foreign(_ field: String) -> InvalidFields {
    InvalidFields(field, "must be a page of this installation's front end")
  }

  /// One effect for one request, also when its sender repeats it with the same `X-Request-Id`.
  private func key(_ what: String, _ scope: OrganizationScope, _ request: Request) -> String {
    Hex.encode(SHA256.hash(Array("\(what) \(scope.organizationId) \(scope.userId) \(request.id)".utf8)))
  }

  private func answer(to failure: Stripe.Failure, _ request: Request) -> HTTPError {
    log.error("stripe failed", ["request_id": .string(request.id), "error": .string("\(failure)")])
    if case .unreachable(let error) = failure, error.isTransient {
      return .unavailable("Stripe cannot be reached now, please try again", retryAfter: 10)
    }
    return HTTPError(.badGateway, "PROVIDER_FAILED", "Stripe did not take the request")
  }
}
