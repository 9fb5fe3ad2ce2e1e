import Basics
import Crypto
import FeatureSupport
import HTTP
import Identity
import JSON
import PostgreSQL
import Testing

@testable import StackSupport
@testable import TheThingsStack

@Suite(.serialized) struct ConnectionTests {
  @Test(arguments: [
    ("nam1", "nam1.cloud.thethings.network", 24),
    ("ACME.eu1.cloud.thethings.industries", "acme.eu1.cloud.thethings.industries", 720),
    ("lns.example.com:8443", "lns.example.com:8443", 24),
  ])
  func `a cluster is a short name or a host`(text: String, host: String, hours: Int) throws {
    let cluster = try #require(Cluster(text))
    #expect(cluster.host == host)
    #expect(cluster.storageHours == hours)
  }

  @Test(arguments: [
    "", "us1", "localhost", "10.0.0.1", "http://lns.example.com", "lns.example.com/path", "a@lns.example.com",
    "lns..com",
    "lns.example.com:0", "-a.com", "[::1]",
  ])
  func `what is no cluster is refused`(text: String) { #expect(Cluster(text) == nil) }

  @Test func `the key of a connection is sealed and never shown`() async throws {
    let world = try await World(isConnected: false)
    #expect(try await world.call(.get, world.ttn).status == 404)
    let made = try await world.connect()
    #expect(made.status == 200, "\(made)")
    for answer in [made, try await world.call(.get, world.ttn)] {
      #expect(answer.json["cluster"]?.string == "eu1")
      #expect(answer.json["applicationId"]?.string == FakeState.application)
      #expect(answer.json["hasApiKey"]?.bool == true)
      #expect(answer.json["apiKeyLast4"]?.string == "CDEF")
      #expect(!"\(answer)".contains(FakeState.key))
    }
    let row = try #require(try await world.house.sql("SELECT api_key_encrypted FROM ttn_connections").first)
    #expect(try row.bytes(0).firstRange(of: Array(FakeState.key.utf8)) == nil)
    let logged = try await world.lines("SELECT after::text FROM event_logs WHERE entity_type = 'ttn_connection'")
    #expect(logged.count == 1 && !logged[0].contains("api_key_encrypted"))
  }

  @Test func `a new encryption key takes over, and then the old one can go`() async throws {
    let (old, new) = ([UInt8](repeating: 7, count: 32), [UInt8](repeating: 8, count: 32))
    let world = try await World(isConnected: false, secrets: SecretBox(keys: [old]))
    try await world.connect()
    let both = try #require(SecretBox(keys: [new, old]))
    for expected in [1, 0] {
      let renewed = try await world.house.run {
        try await SealRenewal(of: [.stackKeys], database: $0, box: both, log: .none).run()
      }
      #expect(renewed == expected)
    }
    let row = try #require(try await world.house.sql("SELECT id, api_key_encrypted FROM ttn_connections").first)
    let (id, sealed) = (try row.uuid(0), try row.bytes(1))
    #expect(
      SecretBox(keys: [new])?.open(sealed, context: TTNConnection.keyContext(id)) == Array(FakeState.key.utf8))
  }

  @Test func `what is not named stays, and another cluster needs the key again`() async throws {
    let world = try await World(isConnected: false)
    try await world.connect()
    let off = try await world.call(.put, world.ttn, #"{"isEnabled":false,"storageHours":720}"#)
    #expect(off.json["isEnabled"]?.bool == false)
    #expect(off.json["storageHours"]?.int == 720)
    #expect(off.json["hasApiKey"]?.bool == true)
    let moved = try await world.call(.put, world.ttn, #"{"cluster":"lns.evil.example"}"#)
    #expect(moved.badFields == ["apiKey"])
    #expect(try await world.lines("SELECT cluster FROM ttn_connections") == ["eu1"])
    #expect(try await world.lines("SELECT count(*)::text FROM ttn_connections") == ["1"])
  }

  @Test func `bad settings are all named, and only admins change them`() async throws {
    let world = try await World(isConnected: false)
    let bad = try await world.call(
      .put, world.ttn, #"{"cluster":"x","applicationId":"No Such","apiKey":"short","storageHours":0}"#)
    #expect(Set(bad.badFields) == ["cluster", "applicationId", "apiKey", "storageHours"])
    #expect(try await world.call(.put, world.ttn, "{}").badFields == ["applicationId"])
    let manager = try await world.house.member(.manager, of: world.organization.id)
    for (method, path) in [(Method.put, ""), (.post, "/test"), (.post, "/webhook"), (.get, "/provisioning-logs")] {
      let answer = try await world.call(method, world.ttn + path, as: manager, method == .put ? "{}" : nil)
      #expect(answer.status == 403, "\(path)")
    }
  }

  @Test func `without a key of the operator no key can be stored`() async throws {
    let world = try await World(isConnected: false, secrets: nil)
    let answer = try await world.connect()
    #expect(answer.status == 503)
    #expect(answer.errorCode == "NOT_CONFIGURED")
    #expect(try await world.lines("SELECT 1 FROM ttn_connections").isEmpty)
  }

  @Test func `a test of the connection says what the key lacks`() async throws {
    let world = try await World()
    let good = try await world.call(.post, world.ttn + "/test")
    #expect(good.json["success"]?.bool == true, "\(good)")
    #expect(good.json["webhookHealthy"]?.bool == true)
    world.fake.state.with { $0.rights = ["RIGHT_APPLICATION_DEVICES_READ", "RIGHT_APPLICATION_SETTINGS_BASIC"] }
    let poor = try await world.call(.post, world.ttn + "/test")
    #expect(poor.json["success"]?.bool == false)
    #expect(poor.json["missingRights"]?.count == 4)
    _ = try await world.call(.put, world.ttn, #"{"apiKey":"NNSXS.WRONG.0123456789"}"#)
    let wrong = try await world.call(.post, world.ttn + "/test")
    #expect(wrong.status == 200)
    #expect(wrong.json["message"]?.string == "api key not found")
    let kept = try await world.call(.get, world.ttn)
    #expect(kept.json["lastTestSucceeded"]?.bool == false)
  }

  @Test func `a connection that is not set up is said to be so`() async throws {
    let world = try await World(isConnected: false)
    for path in ["/test", "/webhook"] {
      let answer = try await world.call(.post, world.ttn + path)
      #expect(answer.status == 400)
      #expect(answer.errorCode == "INVALID_INPUT")
      #expect("\(answer)".contains("TTN connection not configured"))
    }
  }

  @Test func `the webhook that is registered is the one that takes messages`() async throws {
    let world = try await World(isConnected: false)
    try await world.connect()
    let answer = try await world.call(.post, world.ttn + "/webhook")
    #expect(answer.status == 200, "\(answer)")
    #expect(answer.json["webhookUrl"]?.string == World.publicURL + "/api/webhooks/ttn")
    let webhook = try #require(world.fake.state.with { $0.webhooks["freshtrack"] })
    #expect(webhook.base == World.publicURL)
    #expect(Set(webhook.paths.values) == ["/api/webhooks/ttn"])
    #expect(Set(webhook.paths.keys) == Set(StackClient.messageTypes))
    #expect(Array(webhook.headers.keys) == ["X-API-Key"])
    let sensor = try await world.sensor()
    let stored = try await world.deliver(world.uplink(sensor, 1))
    #expect(stored.json["status"]?.string == "stored", "\(stored)")
  }

  @Test func `a webhook that is registered anew has a new key, and the old one ends`() async throws {
    let world = try await World()
    let old = try #require(world.fake.state.with { $0.webhooks["freshtrack"] })
    #expect(try await world.call(.post, world.ttn + "/webhook").status == 200)
    let new = try #require(world.fake.state.with { $0.webhooks["freshtrack"] })
    #expect(old.headers != new.headers)
    #expect(
      try await world.lines("SELECT (revoked_at IS NULL)::text FROM api_keys ORDER BY created_at") == ["false", "true"])
  }

  @Test func `a webhook that is refused leaves no key behind`() async throws {
    let world = try await World(isConnected: false)
    try await world.connect()
    world.fake.state.with { $0.failures["PUT /as/webhooks"] = 403 }
    let answer = try await world.call(.post, world.ttn + "/webhook")
    #expect(answer.status == 400)
    #expect(try await world.lines("SELECT 1 FROM api_keys WHERE revoked_at IS NULL").isEmpty)
    #expect(try await world.lines("SELECT webhook_url FROM ttn_connections") == ["-"])
    let log = try await world.call(.get, world.ttn + "/provisioning-logs")
    #expect(log.json[0]?["step"]?.string == "webhook")
    #expect(log.json[0]?["status"]?.string == "failure")
    #expect(log.json[0]?["ttnHttpStatus"]?.int == 403)
  }

  @Test func `health tells of a feed that was never set up, and of one that is`() async throws {
    let world = try await World(isConnected: false)
    #expect(try await world.call(.get, world.ttn + "/health").json["isConfigured"]?.bool == false)
    try await world.connect()
    _ = try await world.call(.post, world.ttn + "/webhook")
    let sensor = try await world.sensor()
    try await world.deliver(sensor, [1, 2, 5])
    try await world.deliver(world.uplink(Kitchen.Sensor(id: .v4(), devEUI: "0011223344556677"), 1))
    try await world.count(at: world.at(5))
    let health = try await world.call(.get, world.ttn + "/health").json
    #expect(health["isConfigured"]?.bool == true)
    #expect(health["lastUplinkAt"]?.string == world.at(5).rfc3339)
    #expect(health["gaps"]?["openFrames"]?.int == 2)
    #expect(health["quarantine"]?["unknown_device"]?.int == 1)
    #expect(health["devices"]?["total"]?.int == 1)
  }
}
