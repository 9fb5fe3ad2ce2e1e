/// What the operator has agreed with Stripe.
public struct StripeConfiguration: Sendable {
  /// Without a slash at its end.
  public var baseURL: String
  public var secretKey: String?
  public var webhookSecret: String?
  public var prices: [Plan: String]
  /// Where people come back to, without a slash at its end: `https://app.example.com`.
  public var frontend: String?
  /// Further origins that a checkout may lead back to.
  public var otherOrigins: [String] = []

  public init(
    baseURL: String = "https://api.stripe.com", secretKey: String? = nil, webhookSecret: String? = nil,
    prices: [Plan: String] = [:], frontend: String? = nil, otherOrigins: [String] = []
  ) {
    self.baseURL = Self.bare(baseURL)
    self.secretKey = secretKey
    self.webhookSecret = webhookSecret
    self.prices = prices
    self.frontend = frontend.map(Self.bare)
    self.otherOrigins = otherOrigins.map(Self.bare)
  }

  private static func bare(_ url: String) -> String { url.last == "/" ? String(url.dropLast()) : url }

  /// The page that people come back to when they do not say which.
  var billingPage: String? { frontend.map { $0 + "/settings/billing" } }

  func plan(ofPrice id: String) -> Plan? { prices.first { $0.value == id }?.key }

  /// A page of ours: nobody is sent from the till to somewhere else.
  func isOurs(_ url: String) -> Bool {
    guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != 0x5C }) else { return false }
    return ([frontend].compactMap(\.self) + otherOrigins).contains { origin in
      url == origin || ["/", "?", "#"].contains { url.hasPrefix(origin + $0) }
    }
  }
}
