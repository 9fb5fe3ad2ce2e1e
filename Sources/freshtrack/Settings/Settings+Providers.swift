import API
import Assets
import Basics
import Billing
import HTTPClient
import Notifications

/// What the operator has agreed with others. Nil where it is not: what needs it answers NOT_CONFIGURED.
extension Settings {
  func providers(_ clock: WallClock) -> Providers {
    let client = HTTPClient(usesProxyEnvironment: true)
    var providers = Providers(stack: stack(clock), client: client)
    providers.telnyx = telnyxKeys
    providers.stripe = stripe
    providers.objects = objectStore(client)
    providers.unsubscribeSecret = text("UNSUBSCRIBE_SECRET")
    return providers
  }

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

  func objectStore(_ client: HTTPClient) -> ObjectStore? {
    guard let endpoint = text("S3_ENDPOINT"), let accessKey = text("S3_ACCESS_KEY"),
      let secretKey = text("S3_SECRET_KEY")
    else { return nil }
    return ObjectStore(
      endpoint: endpoint, publicEndpoint: text("S3_PUBLIC_ENDPOINT"), bucket: text("S3_BUCKET") ?? "assets",
      accessKey: accessKey, secretKey: secretKey, region: text("S3_REGION") ?? "us-east-1", client: client)
  }

  static let endpointProblem: @Sendable (String) -> String? = { value in
    ObjectStore(endpoint: value, bucket: "-", accessKey: "", secretKey: "") == nil
      ? "must be scheme, host and port, nothing behind" : nil
  }
}
