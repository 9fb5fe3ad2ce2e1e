import Basics
import Crypto
import FeatureSupport
import JSON
import PostgreSQL
import Testing

@testable import Billing

/// An organization, and Stripe that tells about it.
struct Shop: Sendable {
  static let configuration = StripeConfiguration(
    secretKey: "sk_test_1", webhookSecret: "whsec_1",
    prices: [.starter: "price_s", .pro: "price_p", .haccp: "price_h"],
    frontend: "https://app.example.com")

  let house: House
  let organization: House.Organization

  init(_ configuration: StripeConfiguration = Shop.configuration) async throws {
    house = try await House(providers: .only { $0.stripe = configuration })
    organization = try await house.organization()
  }

  /// Seconds since the shop opened.
  static func time(_ seconds: Int) -> Int { 1_767_268_800 + seconds }

  func ordered(_ subscription: String, plan: Plan = .pro, at seconds: Int, id: String? = nil) -> String {
    """
    {"id":"\(id ?? "evt_\(UUID.v4())")","object":"event","type":"checkout.session.completed",
    "created":\(Self.time(seconds)),"data":{"object":{"id":"cs_1","object":"checkout.session",
    "client_reference_id":"\(organization.id)","customer":"cus_1","subscription":"\(subscription)","mode":"subscription",
    "metadata":{"organizationId":"\(organization.id)","plan":"\(plan.rawValue)"}}}}
    """
  }

  /// As the API of 2025-03-31 writes it.
  func changed(
    _ subscription: String, _ status: String = "active", price: String = "price_p", at seconds: Int, started: Int = 0,
    type: String = "updated", id: String? = nil
  ) -> String {
    """
    {"id":"\(id ?? "evt_\(UUID.v4())")","object":"event","type":"customer.subscription.\(type)",
    "created":\(Self.time(seconds)),"data":{"object":{"id":"\(subscription)","object":"subscription",
    "created":\(Self.time(started)),"customer":"cus_1","status":"\(status)",
    "canceled_at":\(status == "canceled" ? "\(Self.time(seconds))" : "null"),"trial_end":null,
    "metadata":{"organizationId":"\(organization.id)","plan":"starter"},
    "items":{"object":"list","data":[{"id":"si_1","price":{"id":"\(price)"},
    "current_period_start":\(Self.time(0)),"current_period_end":\(Self.time(2_592_000))}]}}}}
    """
  }

  func unpaid(_ subscription: String, at seconds: Int) -> String {
    """
    {"id":"evt_\(UUID.v4())","object":"event","type":"invoice.payment_failed","created":\(Self.time(seconds)),
    "data":{"object":{"id":"in_1","object":"invoice",
    "parent":{"type":"subscription_details","subscription_details":{"subscription":"\(subscription)"}}}}}
    """
  }

  @discardableResult
  func tell(_ event: String, secret: String = "whsec_1", at now: Instant = WallClock.system.now()) async throws
    -> Answer
  {
    let time = now.microseconds / 1_000_000
    let code = HMAC.sha256(key: Array(secret.utf8), message: Array("\(time).\(event)".utf8))
    return try await house.call(
      .post, "/api/webhooks/stripe", as: nil, event, headers: [("Stripe-Signature", "t=\(time),v1=\(Hex.encode(code))")]
    )
  }

  /// Plan, status, limit and subscription, in one line.
  func state() async throws -> String {
    let answer = try await house.call(.get, organization.path + "/payments/subscription", as: organization.owner)
    guard answer.status == 200 else { return "\(answer.status)" }
    let json = answer.json
    let words = ["plan", "status", "stripeSubscriptionId"].map { json[key: $0]?.string ?? "-" }
    return (words + ["\(json["sensorLimit"]?.int ?? -1)"]).joined(separator: " ")
  }
}

@Suite(.serialized) struct SubscriptionTests {
  @Test func `an order starts a subscription, and its limit of sensors goes with the plan`() async throws {
    let shop = try await Shop()
    #expect(try await shop.state() == "404")
    #expect(try await shop.tell(shop.ordered("sub_1", at: 1)).status == 200)
    #expect(try await shop.state() == "pro active sub_1 25")
    try await shop.tell(shop.changed("sub_1", price: "price_h", at: 10))
    #expect(try await shop.state() == "haccp active sub_1 100")
    try await shop.tell(shop.changed("sub_1", price: "price_s", at: 20))
    #expect(try await shop.state() == "starter active sub_1 5")
    let answer = try await shop.house.call(
      .get, shop.organization.path + "/payments/subscription", as: shop.organization.owner)
    #expect(answer.json["currentPeriodEnd"]?.string == "2026-01-31T12:00:00.000Z")
    #expect(answer.json["currentSensorCount"]?.int == 0)
    #expect(answer.json["stripeCustomerId"]?.string == "cus_1")
  }

  @Test func `the same event has one effect`() async throws {
    let shop = try await Shop()
    let order = shop.ordered("sub_1", at: 1, id: "evt_1")
    for _ in 0..<3 { #expect(try await shop.tell(order).json["received"]?.bool == true) }
    let rows = try await shop.house.sql("SELECT event_id, organization_id FROM stripe_events")
    #expect(rows.count == 1)
    #expect(try rows.first?.uuid(1) == shop.organization.id)
    let log = try await shop.house.sql("SELECT 1 FROM event_logs WHERE entity_type = 'subscription'")
    #expect(log.count == 1)
  }

  /// Every order in which the events of a subscription's life may come.
  @Test func `in whatever order events come, the end is the same`() async throws {
    let shop = try await Shop()
    for (number, order) in permutations(of: [0, 1, 2, 3]).enumerated() {
      let subscription = "sub_\(number)"
      let own = Shop(house: shop.house, organization: try await shop.house.organization())
      let events = [
        own.ordered(subscription, at: 2), own.changed(subscription, at: 1, type: "created"),
        own.changed(subscription, "past_due", at: 50),
        own.changed(subscription, "canceled", price: "price_h", at: 100, type: "deleted"),
      ]
      for place in order { #expect(try await own.tell(events[place]).status == 200) }
      #expect(try await own.state() == "haccp canceled \(subscription) 100", "order \(order)")
    }
  }

  @Test func `of two events of one second, the end counts`() async throws {
    let shop = try await Shop()
    try await shop.tell(shop.changed("sub_1", "canceled", at: 5, type: "deleted"))
    try await shop.tell(shop.changed("sub_1", "active", at: 5))
    #expect(try await shop.state() == "pro canceled sub_1 25")
  }

  @Test func `a new subscription takes the place of a cancelled one, and no old event brings that back`() async throws {
    let shop = try await Shop()
    let late = shop.ordered("sub_1", at: 1)
    try await shop.tell(shop.changed("sub_1", "active", at: 2))
    try await shop.tell(shop.changed("sub_1", "canceled", at: 100, type: "deleted"))
    try await shop.tell(shop.ordered("sub_2", plan: .haccp, at: 201))
    #expect(try await shop.state() == "haccp active sub_2 100")
    try await shop.tell(late)
    try await shop.tell(shop.changed("sub_1", "past_due", at: 300))
    try await shop.tell(shop.changed("sub_1", "canceled", at: 301, type: "deleted"))
    try await shop.tell(shop.changed("sub_2", price: "price_h", at: 200, started: 200, type: "created"))
    #expect(try await shop.state() == "haccp active sub_2 100")
  }

  @Test func `an unpaid invoice is owed, until a newer event says otherwise`() async throws {
    let shop = try await Shop()
    try await shop.tell(shop.changed("sub_1", at: 10))
    #expect(try await shop.tell(shop.unpaid("sub_1", at: 20)).status == 200)
    #expect(try await shop.state() == "pro past_due sub_1 25")
    try await shop.tell(shop.changed("sub_1", at: 15))
    #expect(try await shop.state() == "pro past_due sub_1 25")
    try await shop.tell(shop.changed("sub_1", at: 30))
    try await shop.tell(shop.unpaid("sub_1", at: 20))
    #expect(try await shop.state() == "pro active sub_1 25")
  }

  @Test(arguments: [
    ("trialing", "trial"), ("incomplete", "trial"), ("unpaid", "past_due"), ("incomplete_expired", "canceled"),
    ("paused", "paused"), ("new_word", "active"),
  ]) func `Stripe's words for a status become ours`(word: String, status: String) async throws {
    #expect(SubscriptionStatus(stripe: word).rawValue == status)
  }

  @Test func `an event that is none of ours is taken and changes nothing`() async throws {
    let shop = try await Shop()
    for event in [
      #"{"id":"evt_a","type":"charge.refunded","created":1767268800,"data":{"object":{}}}"#,
      #"{"id":"evt_b","type":"checkout.session.completed","created":1767268800,"data":{"object":{"subscription":"s"}}}"#,
      shop.changed("sub_9", at: 1).replacing("\(shop.organization.id)", with: "\(UUID.v4())"),
      shop.unpaid("sub_9", at: 1),
    ] {
      let answer = try await shop.tell(event)
      #expect(answer.status == 200, "\(answer)")
    }
    #expect(try await shop.state() == "404")
  }

  @Test func `only what Stripe has signed in the last five minutes is believed`() async throws {
    let shop = try await Shop()
    let order = shop.ordered("sub_1", at: 1)
    let now = WallClock.system.now()
    for answer in [
      try await shop.tell(order, secret: "whsec_2"), try await shop.tell(order, at: now - .seconds(310)),
      try await shop.house.call(.post, "/api/webhooks/stripe", as: nil, order),
      try await shop.tell("{}"), try await shop.tell("{"),
    ] { #expect(answer.status == 400, "\(answer)") }
    #expect(try await shop.state() == "404")
    let bare = try await Shop(StripeConfiguration())
    let refused = try await bare.tell(bare.ordered("sub_1", at: 1))
    #expect(refused.status == 503)
    #expect(refused.errorCode == "NOT_CONFIGURED")
  }

  @Test func `what Stripe tells is in the audit log, and the chain holds`() async throws {
    let shop = try await Shop()
    try await shop.tell(shop.ordered("sub_1", at: 1))
    try await shop.tell(shop.changed("sub_1", price: "price_h", at: 10))
    let path = shop.organization.path + "/audit/verify"
    #expect(try await shop.house.call(.get, path, as: shop.organization.owner).json["valid"]?.bool == true)
    let log = try await shop.house.sql(
      """
      SELECT event_type, actor_type, before->>'plan', after->>'plan' FROM event_logs
      WHERE entity_type = 'subscription' ORDER BY seq
      """)
    #expect(try log.map { try $0.text(0) } == ["subscription.started", "subscription.updated"])
    #expect(try log.last?.text(2) == "pro")
    #expect(try log.last?.text(3) == "haccp")
    #expect(try log.last?.text(1) == "system")
  }

  private func permutations(of items: [Int]) -> [[Int]] {
    guard items.count > 1 else { return [items] }
    return items.indices.flatMap { place in
      var rest = items
      let first = rest.remove(at: place)
      return permutations(of: rest).map { [first] + $0 }
    }
  }
}

extension Shop {
  init(house: House, organization: House.Organization) {
    self.house = house
    self.organization = organization
  }
}
