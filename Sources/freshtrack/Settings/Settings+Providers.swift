import Billing
import Notifications

/// What the operator has agreed with others. Nil where it is not: what needs it answers NOT_CONFIGURED.
extension Settings {
  var telnyxKeys: TelnyxKeys? { TelnyxKeys(base64: list("TELNYX_PUBLIC_KEY")) }

  var stripe: StripeConfiguration {
    var prices: [Plan: String] = [:]
    prices[.starter] = text("STRIPE_PRICE_STARTER")
    prices[.pro] = text("STRIPE_PRICE_PRO")
    prices[.haccp] = text("STRIPE_PRICE_HACCP")
    return StripeConfiguration(
      baseURL: text("STRIPE_API_URL") ?? "https://api.stripe.com", secretKey: text("STRIPE_SECRET_KEY"),
      webhookSecret: text("STRIPE_WEBHOOK_SECRET"), prices: prices, frontend: text("FRONTEND_URL"),
      otherOrigins: list("CORS_ORIGINS"))
  }
}
