import Basics
import FeatureSupport
import PostgreSQL
import Testing

/// Messages as ChirpStack 4 writes them.
private struct Message {
  let devEUI: String
  var at = Kitchen.start
  var counter: Int? = 7
  var payload: [UInt8]?
  var object: String?

  private var head: String {
    """
    "deduplicationId":"\(UUID.v4())","time":"\(at.rfc3339.dropLast())123456+00:00","deviceInfo":{"tenantId":"52f14cd4",
    "tenantName":"Diner","applicationId":"17c82e96-be03-4f38-aef3-f83d48582d97","applicationName":"cold","deviceProfileId":
    "14855bf7","deviceProfileName":"Dragino LHT65N","deviceName":"walk-in","devEui":"\(devEUI.lowercased())","tags":{}},
    "devAddr":"00189440"
    """
  }

  var up: String {
    let optional = [
      counter.map { #""fCnt":\#($0),"# }, payload.map { #""data":"\#(Base64.encode($0))","# },
      object.map { #""object":\#($0),"# },
    ].compactMap(\.self).joined()
    return """
      {\(head),"adr":true,"dr":3,"fPort":2,"confirmed":false,\(optional)
      "rxInfo":[{"gatewayId":"0016c001f153a14c","uplinkId":4217106255,"rssi":-101,"snr":2.25,"channel":1},
      {"gatewayId":"0016c001f153a14d","uplinkId":4217106256,"nsTime":"\(at.rfc3339)","rssi":-48,"snr":9.5}],
      "txInfo":{"frequency":868500000,"modulation":{"lora":{"bandwidth":125000,"spreadingFactor":7}}}}
      """
  }

  func event(_ more: String) -> String { "{\(head),\(more)}" }
}

@Suite("ChirpStack's webhook", .serialized)
struct ChirpStackTests {
  private func send(_ kitchen: Kitchen, _ body: String, _ query: String = "?event=up") async throws -> Answer {
    try await kitchen.house.call(
      .post, "/api/webhooks/chirpstack\(query)", body, headers: [("X-API-Key", kitchen.key)])
  }

  private static let frame: [UInt8] = [0xCC, 0x19, 0x01, 0x16, 0x01, 0x98, 0x01, 0x01, 0x38, 0x7F, 0xFF]

  @Test("an uplink is stored by its object or its bytes, and once", arguments: ["?event=up", ""])
  func uplinks(query: String) async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    // Without a model of its own, by the name of its profile.
    let sensor = try await kitchen.sensor(nil, of: unit)
    var message = Message(devEUI: sensor.devEUI, payload: Self.frame)
    let first = try await send(kitchen, message.up, query)
    #expect(first.status == 200)
    #expect(first.json["status"]?.string == "stored", "\(first)")
    let again = try await send(kitchen, message.up, query)
    #expect(again.json["status"]?.string == "duplicate")
    #expect(again.json["readingId"]?.string == first.json["readingId"]?.string)
    message.at = Kitchen.start + .minutes(10)
    message.object = #"{"TempC_DS":4.5,"TempC_SHT":20}"#
    message.counter = nil
    #expect(try await send(kitchen, message.up, query).json["status"]?.string == "stored")
    let rows = try await kitchen.lines(
      """
      SELECT temperature, ambient_temperature, f_cnt, f_port, signal_strength, snr, session_key_id, (unit_id = $1)::text,
        (recorded_at = $2::timestamptz + interval '123 microseconds')::text FROM sensor_readings ORDER BY recorded_at
      """, [.uuid(unit), .timestamp(Kitchen.start)])
    #expect(rows == ["3.12 2.78 7 2 -48 9.5 00189440 true true", "4.5 20 0 2 -48 9.5 00189440 true false"], "\(rows)")
    #expect(try await kitchen.count("SELECT count(*) FROM reading_anomalies") == 0)
  }

  @Test("what happens to the device beside its uplinks is recorded on it")
  func events() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let message = Message(devEUI: sensor.devEUI)
    let events = [
      ("join", #""relayRxInfo":null"#, "join_accept"),
      ("ack", #""queueItemId":"1","acknowledged":true"#, "downlink_ack"),
      ("ack", #""queueItemId":"1""#, "downlink_nack"), ("txack", #""queueItemId":"1","fCntDown":3"#, "downlink_sent"),
      ("status", #""margin":10,"batteryLevel":75.2"#, "device_status"),
      ("log", #""level":"ERROR","code":"UPLINK_F_CNT_RESET","description":"reset""#, "network_log"),
      ("location", #""location":{"latitude":41.1,"longitude":-81.5}"#, "location_solved"),
    ]
    for (event, more, _) in events {
      let answer = try await send(kitchen, message.event(more), "?event=\(event)")
      #expect(answer.json["status"]?.string == "ignored", "\(answer)")
    }
    let types = try await kitchen.lines("SELECT event_type FROM device_events ORDER BY 1")
    #expect(types == events.map(\.2).sorted())
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 0)
  }

  @Test("what cannot be understood is kept, and only a wrong key is refused")
  func unusable() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let message = Message(devEUI: sensor.devEUI, payload: Self.frame)
    let reasons = [
      ("{}", "?event=up", "malformed"), (message.event(#""x":1"#), "?event=party", "unknown_type"),
      (message.up.replacing("\"fCnt\":7", with: "\"fCnt\":-7"), "?event=up", "malformed"),
      (message.up.replacing(Base64.encode(Self.frame), with: "*"), "?event=up", "undecodable"),
      (Message(devEUI: "00000000000000AA", payload: Self.frame).up, "?event=up", "unknown_device"),
      (Message(devEUI: sensor.devEUI, at: Kitchen.start - .days(60)).up, "?event=up", "impossible_time"),
    ]
    for (body, query, reason) in reasons {
      let answer = try await send(kitchen, body, query)
      #expect(answer.status == 200)
      #expect(answer.json["reason"]?.string == reason, "\(answer)")
    }
    #expect(try await kitchen.count("SELECT count(*) FROM quarantined_uplinks") == reasons.count)
    let answer = try await kitchen.house.call(
      .post, "/api/webhooks/chirpstack?event=up", message.up, headers: [("X-API-Key", kitchen.key + "x")])
    #expect(answer.status == 401)
  }
}

@Suite("One frame in several messages", .serialized)
struct NormalizedTests {
  @Test("the normalized part of a frame beside the whole is no anomaly", arguments: [true, false])
  func part(wholeFirst: Bool) async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(nil, of: try await kitchen.unit())
    var whole = Kitchen.Uplink(sensor, at: Kitchen.start, celsius: 3)
    whole.counter = 17
    var part = Kitchen.Uplink(sensor, at: Kitchen.start)
    part.counter = 17
    let normalized = part.json.replacing("\"uplink_message\"", with: "\"uplink_normalized\"")
      .replacing(#""f_port":2,"#, with: #""f_port":2,"normalized_payload":{"air":{"temperature":19.5}},"#)
    let (first, second) = wholeFirst ? (whole.json, normalized) : (normalized, whole.json)
    #expect(try await kitchen.send(first).json["status"]?.string == "stored")
    #expect(try await kitchen.send(second).json["status"]?.string == "duplicate")
    #expect(try await kitchen.count("SELECT count(*) FROM reading_anomalies") == 0)
    whole.counter = 18
    _ = try await kitchen.send(whole.json.replacing("\"TempC_DS\":3.0", with: "\"TempC_DS\":9.0"))
    #expect(try await kitchen.count("SELECT count(*) FROM reading_anomalies") == 1)
  }
}
