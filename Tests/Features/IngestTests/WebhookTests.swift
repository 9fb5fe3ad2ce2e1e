import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Testing

private typealias Uplink = Kitchen.Uplink

/// A sensor's own bytes, and what the network's script makes of them.
private struct Frame: Sendable, CustomTestStringConvertible {
  let model: String
  let port: Int
  let payload: String
  let decoded: String
  /// temperature, probe, humidity, battery, volts
  let row: String

  var testDescription: String { model }

  static let all = [
    Frame(
      model: "lht65n", port: 2, payload: "CC19011601980101387FFF",
      decoded: #"{"BatV":3.097,"TempC_SHT":2.78,"Hum_SHT":40.8,"TempC_DS":3.12}"#, row: "3.12 3.12 40.8 100 3.097"),
    Frame(
      model: "em300-th", port: 85, payload: "01755C03671A00046873",
      decoded: #"{"battery":92,"temperature":2.6,"humidity":57.5}"#, row: "2.6 - 57.5 92 -"),
    Frame(
      model: "ers", port: 5, payload: "01001C0229070E2A", decoded: #"{"temperature":2.8,"humidity":41,"vdd":3626}"#,
      row: "2.8 - 41 - 3.626"),
  ]
}

@Suite("The Things Stack's webhook", .serialized)
struct WebhookTests {
  @Test("an uplink is committed when it is answered, by its decoded fields or by its bytes", arguments: Frame.all)
  private func stored(frame: Frame) async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    for isDecoded in [true, false] {
      let sensor = try await kitchen.sensor(frame.model, of: unit)
      var uplink = Uplink(sensor, at: Kitchen.start)
      // Nanoseconds, as the network writes them.
      uplink.receivedAt = uplink.receivedAt.dropLast(4) + "405678901Z"
      uplink.port = frame.port
      uplink.payload = Hex.decode(frame.payload)
      uplink.decoded = isDecoded ? frame.decoded : nil
      let answer = try await kitchen.send(uplink.json)
      #expect(answer.status == 200)
      #expect(answer.json["success"]?.bool == true)
      #expect(answer.json["status"]?.string == "stored", "\(answer)")
      #expect(answer.json["alertsTriggered"]?.int == 0)
      let id = try #require(answer.json["readingId"]?.string.flatMap { UUID($0) })
      let rows = try await kitchen.lines(
        "SELECT temperature, probe_temperature, humidity, battery, battery_voltage FROM sensor_readings WHERE id = $1",
        [.uuid(id)])
      #expect(rows == [frame.row])
      let how = try #require(
        try await kitchen.house.sql(
          "SELECT unit_id, recorded_at, signal_strength, f_cnt, raw_payload, snr::text, source FROM sensor_readings WHERE id = $1",
          [.uuid(id)]
        ).first)
      #expect(try how.uuid(0) == unit)
      #expect(try how.instant(1) == Kitchen.start + .microseconds(405_678))
      #expect(try how.int(2) == -97)
      #expect(try how.int(3) == 0)
      #expect(try how.bytes(4) == Hex.decode(frame.payload))
      #expect(try how.text(5) == "7.5")
      #expect(try how.text(6) == "ttn")
    }
  }

  @Test("the key is taken from either header, and nothing else opens the door")
  func keys() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    func status(_ minute: Int, _ headers: [(String, String)]) async throws -> Int {
      try await kitchen.house.call(
        .post, "/api/webhooks/ttn", Uplink(sensor, at: Kitchen.start + .minutes(minute), celsius: 3).json,
        headers: headers
      ).status
    }
    #expect(try await status(0, [("X-API-Key", kitchen.key)]) == 200)
    #expect(try await status(1, [("X-Webhook-Secret", kitchen.key)]) == 200)
    #expect(try await status(2, [("X-API-Key", kitchen.key + "x")]) == 401)
    #expect(try await status(3, [("X-Webhook-Secret", "ft_0000000000000000_secret")]) == 401)
    #expect(try await status(4, []) == 401)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 2)
  }

  @Test("what is no JSON is a bad request, and what is too large is not read")
  func bodies() async throws {
    let kitchen = try await Kitchen()
    let torn = try await kitchen.send(#"{"end_device_ids":{"#)
    #expect(torn.status == 400)
    #expect(torn.errorCode == "INVALID_JSON")
    #expect(try await kitchen.send(#""\#(String(repeating: "x", count: 256 * 1024))""#).status == 413)
    #expect(try await kitchen.send("[]").json["status"]?.string == "quarantined")
  }

  @Test("a message that comes again is the reading that is there")
  func duplicate() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    var uplink = Uplink(sensor, at: Kitchen.start, celsius: 3)
    uplink.payload = [1, 2, 3]
    uplink.counter = 17
    let first = try await kitchen.send(uplink.json)
    let second = try await kitchen.send(uplink.json)
    #expect(second.status == 200)
    #expect(second.json["status"]?.string == "duplicate")
    #expect(second.json["readingId"]?.string == first.json["readingId"]?.string)
    #expect(try await kitchen.count("SELECT count(*) FROM reading_anomalies") == 0)
    uplink.decoded = uplink.decoded?.replacing("\"TempC_DS\":3.0", with: "\"TempC_DS\":9.0")
    uplink.payload = [1, 2, 4]
    let other = try await kitchen.send(uplink.json)
    #expect(other.json["status"]?.string == "duplicate")
    #expect(other.json["readingId"]?.string == first.json["readingId"]?.string)
    #expect(try await kitchen.lines("SELECT temperature FROM sensor_readings") == ["3"])
    #expect(
      try await kitchen.lines(
        "SELECT a.temperature, a.f_cnt FROM reading_anomalies a JOIN sensor_readings r ON r.id = a.reading_id")
        == ["9 17"])
    #expect(try await kitchen.count("SELECT count(*) FROM incidents") == 0)
  }

  @Test("what cannot become a reading is kept as it came, with the reason")
  func quarantine() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    let bound = try await kitchen.sensor(of: unit)
    try await kitchen.house.sql(
      """
      WITH c AS (INSERT INTO ttn_connections (organization_id, application_id) VALUES ($1, 'another') RETURNING id)
      UPDATE devices SET ttn_connection_id = c.id FROM c WHERE devices.id = $2
      """, [.uuid(kitchen.organization.id), .uuid(bound.id)])
    let stranger = Kitchen.Sensor(id: .v4(), devEUI: "0011223344556677")
    let good = Uplink(sensor, at: Kitchen.start, celsius: 3)
    var undecodable = good
    undecodable.decoded = nil
    undecodable.payload = [1, 2, 3]
    var impossible = good
    impossible.receivedAt = "2019-01-01T00:00:00Z"
    var future = good
    future.receivedAt = (WallClock.system.now() + .hours(3)).rfc3339
    // A polled record whose clock was never set.
    var untimed = good
    untimed.decoded = nil
    untimed.payload = Hex.decode("F83001160198410000003C")
    let messages: [(String, String)] = [
      (Uplink(stranger, at: Kitchen.start, celsius: 3).json, "unknown_device"),
      (good.json.replacing(sensor.devEUI, with: "nonsense"), "unknown_device"),
      (Uplink(bound, at: Kitchen.start, celsius: 3).json, "wrong_application"),
      (good.json.replacing("uplink_message", with: "uplink_massage"), "unknown_type"),
      (good.json.replacing("end_device_ids", with: "ids"), "malformed"),
      (good.json.replacing("\"f_port\":2", with: "\"f_port\":256"), "malformed"),
      (good.json.replacing("\"f_port\":2", with: "\"f_port\":2,\"f_cnt\":-1"), "malformed"),
      (undecodable.json, "undecodable"),
      (good.json.replacing("\"f_port\":2", with: "\"f_port\":2,\"frm_payload\":\"?\""), "undecodable"),
      (impossible.json, "impossible_time"), (future.json, "impossible_time"), (untimed.json, "impossible_time"),
    ]
    for (body, reason) in messages {
      let answer = try await kitchen.send(body)
      #expect(answer.status == 200)
      #expect(answer.json["status"]?.string == "quarantined", "\(reason): \(answer)")
      #expect(answer.json["reason"]?.string == reason)
    }
    let kept = try await kitchen.house.sql(
      "SELECT reason, body, api_key_id, organization_id FROM quarantined_uplinks ORDER BY id")
    #expect(
      try kept.map { "\(try $0.text(0)) \(String(decoding: try $0.bytes(1), as: UTF8.self))" }.sorted()
        == messages.map { "\($1) \($0)" }.sorted())
    #expect(try kept.allSatisfy { try $0.uuid(2) == kitchen.keyId && $0.uuid(3) == kitchen.organization.id })
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 0)
    #expect(try await kitchen.send(good.json).json["status"]?.string == "stored")
  }

  @Test("joins and downlink events are recorded on the device")
  func events() async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let ids = Uplink(sensor, at: Kitchen.start).ids
    for type in ["join_accept", "downlink_ack", "downlink_failed"] {
      let message = #"{\#(ids),"received_at":"\#(Kitchen.start.rfc3339)","\#(type)":{"session_key_id":"AY=="}}"#
      for _ in 1...2 {
        let answer = try await kitchen.send(message)
        #expect(answer.status == 200)
        #expect(answer.json["status"]?.string == "ignored", "\(answer)")
      }
    }
    let events = try await kitchen.house.sql(
      "SELECT event_type, device_id, occurred_at, payload FROM device_events ORDER BY event_type")
    #expect(try events.map { try $0.text(0) } == ["downlink_ack", "downlink_failed", "join_accept"])
    #expect(try events.allSatisfy { try $0.uuid(1) == sensor.id && $0.instant(2) == Kitchen.start })
  }

  @Test("a sentinel is no temperature, and moves no unit", arguments: ["327.67", "-327.68", "-127.0", "85.0"])
  func sentinels(text: String) async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    var decoded = Uplink(sensor, at: Kitchen.start)
    decoded.decoded = #"{"BatV":3.097,"TempC_SHT":19.5,"Hum_SHT":40.8,"TempC_DS":\#(text)}"#
    var bytes = Uplink(sensor, at: Kitchen.start + .minutes(10))
    bytes.payload = Hex.decode("CC1901160198017FFF7FFF")
    for message in [decoded.json, bytes.json] {
      #expect(try await kitchen.send(message).json["status"]?.string == "stored")
    }
    #expect(
      try await kitchen.lines("SELECT temperature, probe_temperature, (flags & 1)::text FROM sensor_readings")
        == ["- - 1", "- - 1"])
    #expect(
      try await kitchen.lines("SELECT last_temperature, status FROM unit_states WHERE unit_id = $1", [.uuid(unit)])
        == ["- ok"])
    #expect(try await kitchen.alerts(of: unit).isEmpty)
  }

  @Test("a sensor that has moved measures its new unit with the next uplink")
  func moved() async throws {
    let kitchen = try await Kitchen()
    let (first, second) = (try await kitchen.unit(), try await kitchen.unit())
    let sensor = try await kitchen.sensor(of: first)
    try await kitchen.report(sensor, 3, at: Kitchen.start)
    let moved = try await kitchen.house.call(
      .put, kitchen.organization.path + "/devices/\(sensor.id)", as: kitchen.organization.owner,
      #"{"unitId":"\#(second)","assignedFrom":"\#((Kitchen.start + .minutes(5)).rfc3339)"}"#)
    #expect(moved.status == 200, "\(moved)")
    try await kitchen.report(sensor, 4, at: Kitchen.start + .minutes(10))
    // It was measured before the move and was long on its way.
    try await kitchen.report(sensor, 2, at: Kitchen.start + .minutes(4))
    let units = try await kitchen.house.sql("SELECT unit_id FROM sensor_readings ORDER BY recorded_at")
    #expect(try units.map { try $0.uuid(0) } == [first, first, second])
    // Deleted, it is a stranger.
    let path = kitchen.organization.path + "/devices/\(sensor.id)"
    #expect(try await kitchen.house.call(.delete, path, as: kitchen.organization.owner).status == 204)
    let late = try await kitchen.report(sensor, 2, at: Kitchen.start + .minutes(20))
    #expect(late.json["reason"]?.string == "unknown_device")
  }
}
