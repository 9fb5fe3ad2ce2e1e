import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Testing

@Suite("Readings of other senders", .serialized)
struct SampleTests {
  private func send(_ kitchen: Kitchen, _ items: [String]) async throws -> Answer {
    try await kitchen.house.call(
      .post, "/api/ingest/readings", #"{"readings":[\#(items.joined(separator: ","))]}"#,
      headers: [("X-API-Key", kitchen.key)])
  }

  private func item(_ unit: UUID, _ celsius: String, minute: Int, _ more: String = "") -> String {
    let at = (Kitchen.start + .minutes(minute)).rfc3339
    return #"{"unitId":"\#(unit)","temperature":\#(celsius),"recordedAt":"\#(at)"\#(more)}"#
  }

  @Test("each item is answered for itself")
  func items() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let foreign = try await kitchen.house.organization()
    let device = try await kitchen.sensor(of: unit)
    let items = [
      item(unit, "3.125", minute: 0, #","humidity":50,"battery":80,"signalStrength":-90,"source":"manual""#),
      item(foreign.unit, "3", minute: 0),
      item(unit, "41", minute: 10, #","temperatureUnit":"F","deviceId":"\#(device.id)""#),
      item(unit, "3", minute: 20, #","deviceId":"\#(UUID.v4())""#),
      item(unit, "3.125", minute: 0, #","humidity":50,"source":"manual""#),
    ]
    let answer = try await send(kitchen, items)
    #expect(answer.status == 200)
    #expect(answer.json["insertedCount"]?.int == 2)
    let results = try #require(answer.json["results"]).elements
    #expect(results.compactMap { $0["status"]?.string } == ["stored", "refused", "stored", "refused", "duplicate"])
    #expect(results.map { $0["reason"]?.string?.contains("unitId") ?? false } == [false, true, false, false, false])
    let ids = results.map { $0["readingId"]?.string }
    #expect(ids[4] == ids[0])
    #expect(answer.json["readingIds"]?.elements.compactMap(\.string) == [ids[0], ids[2]].compactMap(\.self))
    #expect(
      try await kitchen.lines(
        "SELECT temperature, humidity, battery, signal_strength, source FROM sensor_readings ORDER BY recorded_at")
        == ["3.13 50 80 -90 manual", "5 - - - api"])
    #expect(
      try await kitchen.count(
        "SELECT count(*) FROM sensor_readings WHERE organization_id <> $1", [.uuid(kitchen.organization.id)]) == 0)
  }

  @Test("readings of other organizations only are forbidden")
  func foreign() async throws {
    let kitchen = try await Kitchen()
    let foreign = try await kitchen.house.organization()
    let answer = try await send(kitchen, [item(foreign.unit, "3", minute: 0), item(.v4(), "3", minute: 0)])
    #expect(answer.status == 403)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 0)
    let withoutKey = try await kitchen.house.call(.post, "/api/ingest/readings", #"{"readings":[]}"#)
    #expect(withoutKey.status == 401)
  }

  @Test("every wrong field of every item is named once, and nothing is taken")
  func wrongFields() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let answer = try await send(
      kitchen,
      [
        #"{"unitId":"7","temperature":"warm","recordedAt":"yesterday","humidity":101,"battery":-1}"#,
        #"{"signalStrength":1000,"source":"guess","temperatureUnit":"K","deviceId":1}"#,
        item(unit, "3", minute: 0),
        #"{"unitId":"\#(unit)","temperature":30000,"recordedAt":"2019-01-01T00:00:00Z"}"#,
        item(unit, "-274", minute: 1), "7",
      ])
    #expect(answer.status == 400)
    #expect(answer.errorCode == "VALIDATION_FAILED")
    let expected = [
      "readings/0/battery", "readings/0/humidity", "readings/0/recordedAt", "readings/0/temperature",
      "readings/0/unitId", "readings/1/deviceId", "readings/1/recordedAt", "readings/1/signalStrength",
      "readings/1/source", "readings/1/temperature", "readings/1/temperatureUnit", "readings/1/unitId",
      "readings/3/recordedAt", "readings/3/temperature", "readings/4/temperature",
    ]
    #expect(answer.badFields.filter { !$0.hasPrefix("readings/5") }.sorted() == expected, "\(answer)")
    #expect(answer.badFields.contains { $0.hasPrefix("readings/5") })
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 0)
    #expect(try await send(kitchen, []).badFields == ["readings"])
  }

  @Test("a thousand readings are one request, one more is none")
  func many() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let items = (0..<1000).map { item(unit, "3.\($0 % 10)", minute: $0) }
    let answer = try await send(kitchen, items)
    #expect(answer.status == 200)
    #expect(answer.json["insertedCount"]?.int == 1000)
    #expect(answer.json["results"]?.elements.allSatisfy { $0["status"]?.string == "stored" } == true)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings WHERE unit_id = $1", [.uuid(unit)]) == 1000)
    #expect(try await send(kitchen, items + [item(unit, "3", minute: 1000)]).badFields == ["readings"])
  }

  @Test("a reading that the database refuses is told, and its neighbours are stored")
  func refused() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    try await kitchen.house.sql("ALTER TABLE sensor_readings ADD CONSTRAINT poison CHECK (temperature <> 6.66)")
    let answer = try await send(
      kitchen, [item(unit, "3", minute: 0), item(unit, "6.66", minute: 10), item(unit, "4", minute: 20)])
    #expect(answer.status == 200)
    #expect(
      answer.json["results"]?.elements.compactMap { $0["status"]?.string } == ["stored", "refused", "stored"])
    #expect(try await send(kitchen, [item(unit, "6.66", minute: 30)]).json["insertedCount"]?.int == 0)
  }
}
