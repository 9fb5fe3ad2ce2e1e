import Basics
import COpenSSL
import FeatureSupport
import JSON
import PostgreSQL
import Testing

@testable import Notifications

/// A key pair of the test's own.
private struct Account: Sendable {
  let publicKey: String
  private let seed: [UInt8]

  init() {
    seed = SecureRandom.bytes(32)
    let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, 32)
    defer { EVP_PKEY_free(key) }
    var bytes = [UInt8](repeating: 0, count: 32)
    var length = 32
    EVP_PKEY_get_raw_public_key(key, &bytes, &length)
    publicKey = Base64.encode(bytes)
  }

  func sign(_ text: String) -> String {
    let key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, 32)
    let context = EVP_MD_CTX_new()
    defer {
      EVP_MD_CTX_free(context)
      EVP_PKEY_free(key)
    }
    let message = Array(text.utf8)
    var signature = [UInt8](repeating: 0, count: 64)
    var length = 64
    EVP_DigestSignInit(context, nil, nil, nil, key)
    EVP_DigestSign(context, &signature, &length, message, message.count)
    return Base64.encode(signature)
  }
}

/// An organization that was sent a text message.
private struct Scene: Sendable {
  let house: House
  let organization: House.Organization
  let account = Account()
  let delivery: UUID

  init() async throws {
    let keys = TelnyxKeys(base64: [Account().publicKey, account.publicKey])
    house = try await House(providers: .only { $0.telnyx = keys })
    organization = try await house.organization()
    delivery = UUID.v4()
    try await house.sql(
      """
      INSERT INTO notification_deliveries (id, organization_id, occasion, channel, recipient, provider,
        provider_message_id) VALUES ($1, $2, 'test', 'sms', '+12025550143', 'telnyx', 'msg-1')
      """, [.uuid(delivery), .uuid(organization.id)])
  }

  /// As Telnyx writes it, without what does not concern us.
  static func event(_ type: String, _ status: String, id: String = "msg-1", errors: String = "[]") -> String {
    """
    {"data":{"event_type":"\(type)","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",
    "occurred_at":"2026-01-05T20:16:02.574+00:00","payload":{"completed_at":null,"direction":"outbound","encoding":"GSM-7",
    "errors":\(errors),"from":{"carrier":"Telnyx","line_type":"Wireless","phone_number":"+18445550001"},"id":"\(id)",
    "messaging_profile_id":"83d2343b-553f-4c5c-b8c8-fd27004f94bf","parts":1,"record_type":"message","text":"Hi",
    "to":[{"carrier":"T-MOBILE USA, INC.","line_type":"Wireless","phone_number":"+12025550143","status":"\(status)"}],
    "type":"SMS"},"record_type":"event"},"meta":{"attempt":1,"delivered_to":"https://example.com/webhooks"}}
    """
  }

  func send(
    _ body: String, at time: Instant = WallClock.system.now(), signedFor signed: String? = nil
  ) async throws -> Answer {
    let timestamp = "\(time.microseconds / 1_000_000)"
    return try await house.call(
      .post, "/api/webhooks/telnyx", as: nil, body,
      headers: [
        ("telnyx-signature-ed25519", account.sign("\(timestamp)|\(signed ?? body)")), ("telnyx-timestamp", timestamp),
      ])
  }

  func state() async throws -> JSONValue {
    let list = try await house.call(.get, organization.path + "/notifications", as: organization.owner)
    return try #require(list.json[0], "\(list)")
  }
}

@Suite(.serialized) struct TelnyxTests {
  @Test func `a message is sent, then delivered`() async throws {
    let scene = try await Scene()
    #expect(try await scene.state()["status"]?.string == "pending")
    let sent = try await scene.send(Scene.event("message.sent", "sent"))
    #expect(sent.status == 200, "\(sent)")
    #expect(sent.json["received"]?.bool == true)
    #expect(try await scene.state()["status"]?.string == "sent")
    #expect(try await scene.send(Scene.event("message.finalized", "delivered")).status == 200)
    let state = try await scene.state()
    #expect(state["status"]?.string == "delivered")
    #expect(state["deliveredAt"]?.string == "2026-01-05T20:16:02.574Z")
    #expect(state["providerMessageId"]?.string == "msg-1")
  }

  @Test func `what arrives late does not take a message back`() async throws {
    let scene = try await Scene()
    for (type, status) in [
      ("message.finalized", "delivered"), ("message.sent", "sent"), ("message.finalized", "delivery_failed"),
      ("message.finalized", "delivery_unconfirmed"),
    ] {
      #expect(try await scene.send(Scene.event(type, status)).status == 200)
      #expect(try await scene.state()["status"]?.string == "delivered")
    }
  }

  @Test func `a failure says why, and stays one`() async throws {
    let scene = try await Scene()
    let errors = #"[{"code":"40300","title":"Blocked due to STOP message","detail":"Messages cannot be sent"}]"#
    #expect(try await scene.send(Scene.event("message.finalized", "delivery_failed", errors: errors)).status == 200)
    #expect(try await scene.send(Scene.event("message.finalized", "delivered")).status == 200)
    let state = try await scene.state()
    #expect(state["status"]?.string == "failed")
    #expect(state["errorCode"]?.string == "40300")
    #expect(state["error"]?.string == "[40300] Blocked due to STOP message: Messages cannot be sent")
  }

  @Test func `STOP and START are remembered, the newest counts`() async throws {
    let scene = try await Scene()
    func receive(_ text: String, at time: String) async throws {
      let event = """
        {"data":{"event_type":"message.received","id":"e","occurred_at":"\(time)","payload":{"direction":"inbound",
        "id":"in-1","from":{"phone_number":"+12025550143"},"to":[{"phone_number":"+18445550001","status":"webhook_delivered"}],
        "text":"\(text)","type":"SMS"},"record_type":"event"}}
        """
      #expect(try await scene.send(event).status == 200)
    }
    func consent() async throws -> String {
      try await scene.house.sql("SELECT sender || ' ' || phone || ' ' || is_given FROM sms_consents").map {
        try $0.text(0)
      }
      .joined(separator: ", ")
    }
    try await receive("When do you open?", at: "2026-01-05T08:00:00Z")
    #expect(try await consent() == "")
    try await receive(" stop ", at: "2026-01-05T10:00:00Z")
    #expect(try await consent() == "+18445550001 +12025550143 false")
    try await receive("START", at: "2026-01-05T12:00:00Z")
    try await receive("Stop all", at: "2026-01-05T11:00:00Z")
    #expect(try await consent() == "+18445550001 +12025550143 true")
    let errors = #"[{"code":"40300","title":"Blocked due to STOP message"}]"#
    #expect(try await scene.send(Scene.event("message.finalized", "sending_failed", errors: errors)).status == 200)
    #expect(try await consent() == "+18445550001 +12025550143 false")
  }

  @Test func `a message that is not known, and an event of another kind, are taken and change nothing`() async throws {
    let scene = try await Scene()
    for event in [
      Scene.event("message.finalized", "delivered", id: "msg-2"), Scene.event("message.received", "webhook_delivered"),
      Scene.event("message.finalized", "something_new"),
    ] { #expect(try await scene.send(event).status == 200) }
    #expect(try await scene.state()["status"]?.string == "pending")
  }

  @Test func `only what Telnyx has signed in the last five minutes is believed`() async throws {
    let scene = try await Scene()
    let event = Scene.event("message.finalized", "delivered")
    let now = WallClock.system.now()
    for answer in [
      try await scene.send(event, signedFor: event + " "), try await scene.send(event, at: now - .seconds(310)),
      try await scene.send(event, at: now + .seconds(310)),
      try await scene.house.call(.post, "/api/webhooks/telnyx", as: nil, event),
      try await scene.house.call(
        .post, "/api/webhooks/telnyx", as: nil, event,
        headers: [("telnyx-signature-ed25519", "!"), ("telnyx-timestamp", "+1")]),
    ] {
      #expect(answer.status == 401, "\(answer)")
    }
    #expect(try await scene.state()["status"]?.string == "pending")
  }

  @Test func `what is no event is a bad request, and without a key nobody is believed`() async throws {
    let scene = try await Scene()
    for body in ["", "[]", "{}", #"{"data":{"event_type":"message.sent","payload":{"id":""}}}"#, "{"] {
      #expect(try await scene.send(body).status == 400)
    }
    let bare = try await House()
    let refused = try await bare.call(
      .post, "/api/webhooks/telnyx", as: nil, "{}",
      headers: [("telnyx-signature-ed25519", "AAAA"), ("telnyx-timestamp", "1767268800")])
    #expect(refused.status == 503)
    #expect(refused.errorCode == "NOT_CONFIGURED")
    #expect(TelnyxKeys(base64: ["AAAA"]) == nil)
    #expect(TelnyxKeys(base64: []) == nil)
  }
}

@Suite(.serialized) struct DeliveryTests {
  @Test func `messages are found by status, channel and alert, and only by their organization`() async throws {
    let scene = try await Scene()
    let (house, organization) = (scene.house, scene.organization)
    try await house.sql(
      """
      INSERT INTO notification_deliveries (organization_id, occasion, channel, recipient, status, suppressed_reason,
        created_at)
      SELECT $1, 'triggered', 'email', 'a' || n || '@b.de', 'suppressed', 'quiet hours', now() - interval '1 hour' * n
      FROM generate_series(1, 3) n
      """, [.uuid(organization.id)])
    func list(_ query: String, as user: House.User? = nil) async throws -> Answer {
      try await house.call(.get, organization.path + "/notifications?" + query, as: user ?? organization.owner)
    }
    #expect(try await list("").json.elements.map { $0["channel"]?.string } == ["sms", "email", "email", "email"])
    let emails = try await list("channel=email&status=suppressed,failed&limit=2&count=true")
    #expect(emails.json.count == 2)
    #expect(emails.headers["x-total-count"] == "3")
    #expect(emails.json[0]?["suppressedReason"]?.string == "quiet hours")
    #expect(try await list("alertId=\(UUID.v4())").json.count == 0)
    #expect(try await list("status=lost").status == 400)
    let other = try await house.organization()
    #expect(try await house.call(.get, other.path + "/notifications", as: other.owner).json.count == 0)
    #expect(try await list("", as: other.owner).status == 403)
  }
}
