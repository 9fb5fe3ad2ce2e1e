import Basics
import FeatureSupport
import HTTP
import JSON
import Synchronization
import Testing

@testable import Billing

/// Stripe as far as a test needs it: one effect for each idempotency key.
private struct FakeStripe: Sendable {
  let provider: Provider
  private let failing: Failing

  private final class Failing: Sendable {
    let status = Mutex<UInt16?>(nil)
  }

  init() throws {
    let failing = Failing()
    self.failing = failing
    @Sendable func answer(_ text: String) -> Response {
      guard let status = failing.status.withLock({ $0 }) else { return .json(bytes: Array(text.utf8)) }
      return .json(
        Status(status), bytes: Array(#"{"error":{"type":"card_error","code":"x","message":"sk_test_1"}}"#.utf8))
    }
    provider = try Provider([
      (
        .post, "/v1/checkout/sessions",
        { _ in answer(#"{"id":"cs_1","object":"checkout.session","url":"https://checkout.stripe.com/c/cs_1"}"#) }
      ),
      (
        .post, "/v1/billing_portal/sessions", { _ in answer(#"{"id":"bps_1","url":"https://billing.stripe.com/p/1"}"#) }
      ),
    ])
  }

  func fail(_ status: UInt16) { failing.status.withLock { $0 = status } }

  var configuration: StripeConfiguration {
    var configuration = Shop.configuration
    configuration.baseURL = provider.url
    return configuration
  }

  /// The fields of the forms it was sent.
  var forms: [[String: String]] {
    provider.requests.map { request in
      Dictionary(
        request.body.split(separator: UInt8(ascii: "&")).compactMap { pair in
          let parts = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
          guard parts.count == 2, let name = PercentEncoding.decode(parts[0]),
            let value = PercentEncoding.decode(parts[1])
          else { return nil }
          return (name, value)
        }, uniquingKeysWith: { first, _ in first })
    }
  }
}

@Suite(.serialized) struct CheckoutTests {
  private func checkout(
    _ shop: Shop, _ body: String = #"{"plan":"pro"}"#, as user: House.User? = nil, headers: [(String, String)] = []
  ) async throws -> Answer {
    try await shop.house.call(
      .post, shop.organization.path + "/payments/checkout", as: user ?? shop.organization.owner, body, headers: headers)
  }

  @Test func `an owner is sent to the till, and the order knows whose it is`() async throws {
    let stripe = try FakeStripe()
    let shop = try await Shop(stripe.configuration)
    let answer = try await checkout(shop)
    #expect(answer.status == 200, "\(answer)")
    #expect(answer.json["url"]?.string == "https://checkout.stripe.com/c/cs_1")
    #expect(answer.json["sessionId"]?.string == "cs_1")
    let form = try #require(stripe.forms.first)
    let organization = shop.organization.id.description
    #expect(form["mode"] == "subscription")
    #expect(form["line_items[0][price]"] == "price_p")
    #expect(form["client_reference_id"] == organization)
    #expect(form["subscription_data[metadata][organizationId]"] == organization)
    #expect(form["metadata[plan]"] == "pro")
    #expect(form["customer_email"] == "\(shop.organization.owner.id)@example.com")
    #expect(form["success_url"] == "https://app.example.com/settings/billing?session_id={CHECKOUT_SESSION_ID}")
    #expect(form["cancel_url"] == "https://app.example.com/settings/billing?canceled=true")
    let request = try #require(stripe.provider.requests.first)
    #expect(request.header("Authorization") == "Bearer sk_test_1")
    #expect(request.header("Content-Type") == "application/x-www-form-urlencoded")
    let log = try await shop.house.sql("SELECT 1 FROM event_logs WHERE event_type = 'subscription.checkout_started'")
    #expect(log.count == 1)
  }

  @Test func `a request that is repeated is one order`() async throws {
    let stripe = try FakeStripe()
    let shop = try await Shop(stripe.configuration)
    for id in ["a", "a", "b"] { _ = try await checkout(shop, headers: [("X-Request-Id", id)]) }
    let keys = stripe.provider.requests.map { $0.header("Idempotency-Key") }
    #expect(keys.count == 3 && keys[0] != nil)
    #expect(keys[0] == keys[1])
    #expect(keys[1] != keys[2])
  }

  @Test func `nobody pays twice: who has a subscription changes it in the portal`() async throws {
    let stripe = try FakeStripe()
    let shop = try await Shop(stripe.configuration)
    let path = shop.organization.path + "/payments/portal"
    #expect(try await shop.house.call(.post, path, as: shop.organization.owner).status == 404)
    try await shop.tell(shop.ordered("sub_1", at: 1))
    #expect(try await checkout(shop).status == 409)
    let portal = try await shop.house.call(.post, path, as: shop.organization.owner, "{}")
    #expect(portal.json["url"]?.string == "https://billing.stripe.com/p/1", "\(portal)")
    #expect(stripe.forms.last?["customer"] == "cus_1")
    #expect(stripe.forms.last?["return_url"] == "https://app.example.com/settings/billing")
    try await shop.tell(shop.changed("sub_1", "canceled", at: 10, type: "deleted"))
    #expect(try await checkout(shop).status == 200)
    #expect(stripe.forms.last?["customer"] == "cus_1")
  }

  @Test func `only an owner spends the organization's money`() async throws {
    let stripe = try FakeStripe()
    let shop = try await Shop(stripe.configuration)
    let admin = try await shop.house.member(.admin, of: shop.organization.id)
    #expect(try await checkout(shop, as: admin).status == 403)
    #expect(try await shop.house.call(.post, shop.organization.path + "/payments/portal", as: admin).status == 403)
    #expect(stripe.provider.requests.isEmpty)
    let plans = try await shop.house.call(.get, shop.organization.path + "/payments/plans", as: admin)
    #expect(plans.json.elements.map { $0["sensorLimit"]?.int } == [5, 25, 100, 100_000])
    #expect(plans.json.elements.map { $0["available"]?.bool } == [true, true, true, false])
  }

  @Test(arguments: [
    "https://evil.example.com/", "https://app.example.com.evil.com/", "https://app.example.com@evil.com/",
    "javascript:alert(1)", "https://app.example.com\\\\@evil.com",
  ]) func `the till leads back to us and to nowhere else`(url: String) async throws {
    let stripe = try FakeStripe()
    let shop = try await Shop(stripe.configuration)
    #expect(try await checkout(shop, #"{"plan":"pro","successUrl":"\#(url)"}"#).badFields == ["successUrl"])
    #expect(try await checkout(shop, #"{"plan":"pro","cancelUrl":"\#(url)"}"#).badFields == ["cancelUrl"])
    let own = #"{"plan":"pro","successUrl":"https://app.example.com/done?a=b"}"#
    #expect(try await checkout(shop, own).status == 200)
    #expect(stripe.forms.last?["success_url"] == "https://app.example.com/done?a=b")
  }

  @Test func `when Stripe refuses or is away, the answer says so and nothing of the inside`() async throws {
    let stripe = try FakeStripe()
    let shop = try await Shop(stripe.configuration)
    stripe.fail(402)
    let refused = try await checkout(shop)
    #expect(refused.status == 502)
    #expect(refused.errorCode == "PROVIDER_FAILED")
    #expect(!refused.description.contains("sk_test"))
    var away = stripe.configuration
    away.baseURL = "http://127.0.0.1:1"
    let lost = try await checkout(try await Shop(away))
    #expect(lost.status == 503)
    #expect(lost.errorCode == "UNAVAILABLE")
  }

  @Test func `without Stripe there are no payments, and the rest works`() async throws {
    let shop = try await Shop(StripeConfiguration())
    #expect(try await checkout(shop).errorCode == "NOT_CONFIGURED")
    #expect(
      try await shop.house.call(.post, shop.organization.path + "/payments/portal", as: shop.organization.owner).status
        == 503)
    #expect(try await checkout(shop, #"{"plan":"enterprise"}"#).badFields == ["plan"])
    #expect(try await shop.state() == "404")
  }
}
