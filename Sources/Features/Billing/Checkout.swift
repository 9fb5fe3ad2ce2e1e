import JSON

/// What somebody wants to subscribe to, and where the browser goes from Stripe.
struct NewCheckout {
  let plan: ShopPlan
  let successURL: String?
  let cancelURL: String?

  init(_ fields: inout Fields) {
    plan = fields.choice("plan", of: ShopPlan.self) ?? .starter
    successURL = fields.optionalString("successUrl", 1...2048)
    cancelURL = fields.optionalString("cancelUrl", 1...2048)
  }
}

extension Schema {
  static let plan = Schema.object(
    "Plan",
    [
      .choice("plan", Plan.self), .text("name"), .integer("monthlyPriceCents").orNull, .text("currency"),
      .integer("sensorLimit"), .integer("historyDays").orNull, .bool("textMessages"), .bool("compliance"),
      .bool("available"),
    ])

  static let subscription = Schema.object(
    "Subscription",
    [
      .uuid("id"), .uuid("organizationId"), .choice("plan", Plan.self), .choice("status", SubscriptionStatus.self),
      .integer("sensorLimit"), .integer("currentSensorCount"), .text("stripeCustomerId").orNull,
      .text("stripeSubscriptionId").orNull, .instant("currentPeriodStart").orNull, .instant("currentPeriodEnd").orNull,
      .instant("trialEndsAt").orNull, .instant("canceledAt").orNull, .instant("createdAt"), .instant("updatedAt"),
    ])

  static let checkoutSession = Schema.object("CheckoutSession", [.text("sessionId"), .text("url")])
  static let portalSession = Schema.object("PortalSession", [.text("url")])
}
