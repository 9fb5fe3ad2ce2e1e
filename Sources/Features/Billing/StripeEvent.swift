import Basics
import JSON

/// What a webhook message of Stripe means for a subscription.
struct StripeEvent: Sendable {
  enum News: Sendable {
    /// Somebody finished the checkout.
    case ordered(Order)
    /// How a subscription is now, the whole of it.
    case subscription(SubscriptionNews)
    /// An invoice of this subscription was not paid.
    case paymentFailed(subscriptionId: String)
    /// Nothing that concerns us.
    case other
  }

  let id: String
  let type: String
  let created: Instant
  let news: News

  /// Nil when the message is no event of Stripe.
  init?(_ message: JSONValue, plan: (_ priceId: String) -> Plan?) {
    guard let id = message["id"]?.string, (1...256).contains(id.utf8.count), let type = message["type"]?.string,
      (1...256).contains(type.utf8.count), let created = message["created"]?.instant,
      let object = message["data"]?["object"]
    else { return nil }
    self.id = id
    self.type = type
    self.created = created
    switch type {
    case "checkout.session.completed": news = Order(object).map(News.ordered) ?? .other
    case _ where type.hasPrefix("customer.subscription.") && object["object"]?.string == "subscription":
      news = SubscriptionNews(object, plan: plan).map(News.subscription) ?? .other
    case "invoice.payment_failed":
      // Since the API of 2025-03-31 the subscription stands under `parent`.
      let subscription =
        object["subscription"]?.identifier
        ?? object["parent"]?["subscription_details"]?["subscription"]?.identifier
      news = subscription.map { .paymentFailed(subscriptionId: $0) } ?? .other
    default: news = .other
    }
  }
}

struct Order: Sendable {
  let organizationId: UUID
  let customerId: String?
  let subscriptionId: String
  let plan: Plan?

  /// Nil for a session that this program did not make: another product may share the account.
  init?(_ session: JSONValue) {
    let organization = session["client_reference_id"]?.string ?? session["metadata"]?["organizationId"]?.string
    guard let organizationId = organization.flatMap({ UUID($0) }),
      let subscriptionId = session["subscription"]?.identifier
    else { return nil }
    self.organizationId = organizationId
    self.subscriptionId = subscriptionId
    customerId = session["customer"]?.identifier
    plan = session["metadata"]?["plan"]?.string.flatMap(Plan.init(rawValue:))
  }
}

struct SubscriptionNews: Sendable {
  let subscriptionId: String
  /// As the checkout wrote it down. Nil for a subscription that was made by hand.
  let organizationId: UUID?
  let customerId: String?
  let status: SubscriptionStatus
  let plan: Plan?
  let startedAt: Instant?
  let periodStart: Instant?
  let periodEnd: Instant?
  let trialEnd: Instant?
  let canceledAt: Instant?

  init?(_ object: JSONValue, plan: (_ priceId: String) -> Plan?) {
    guard let id = object["id"]?.identifier, let status = object["status"]?.string else { return nil }
    let item = object["items"]?["data"]?[0]
    subscriptionId = id
    organizationId = object["metadata"]?["organizationId"]?.string.flatMap { UUID($0) }
    customerId = object["customer"]?.identifier
    self.status = SubscriptionStatus(stripe: status)
    // The price counts: it changes in the portal, and the metadata does not.
    self.plan =
      item?["price"]?["id"]?.string.flatMap(plan)
      ?? object["metadata"]?["plan"]?.string.flatMap(Plan.init(rawValue:))
    // Since the API of 2025-03-31 the period stands with the item.
    periodStart = (item?["current_period_start"] ?? object["current_period_start"])?.instant
    periodEnd = (item?["current_period_end"] ?? object["current_period_end"])?.instant
    startedAt = object["created"]?.instant
    trialEnd = object["trial_end"]?.instant
    canceledAt = object["canceled_at"]?.instant
  }
}

extension JSONValue {
  /// Seconds since 1970, as Stripe writes time.
  fileprivate var instant: Instant? {
    guard let seconds = int, (0..<1 << 40).contains(seconds) else { return nil }
    return Instant(seconds: seconds)
  }

  /// The id of an object that may stand there whole.
  fileprivate var identifier: String? {
    guard let id = string ?? self["id"]?.string, (1...256).contains(id.utf8.count) else { return nil }
    return id
  }
}
