import Basics
import FeatureSupport
import JSON
import Testing

@testable import Ingest

@Suite("Readings in bulk while the database is away", .serialized)
struct LineSpillTests {
  private func reading(_ unit: UUID, _ number: Int, _ more: String = "") -> String {
    #"{"unitId":"\#(unit)","temperature":3.5,"recordedAt":"\#((Kitchen.start + .seconds(number)).rfc3339)"\#(more)}"#
  }

  private func lines(_ unit: UUID, _ numbers: Range<Int>, _ more: String = "") -> String {
    numbers.map { reading(unit, $0, more) + "\n" }.joined()
  }

  private func open(_ kitchen: Kitchen, key: String? = nil) throws -> Wire {
    let wire = try kitchen.house.wire()
    try wire.send(
      """
      POST /api/ingest/readings HTTP/1.1\r\nHost: a\r\nX-API-Key: \(key ?? kitchen.key)\r\n\
      Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n
      """)
    return wire
  }

  /// Sends lines and waits for the answer of the last.
  private func send(_ wire: Wire, _ unit: UUID, _ numbers: Range<Int>) throws {
    try wire.send(chunk: lines(unit, numbers))
    wire.receive { $0.contains("\"line\":\(numbers.upperBound),") || $0.contains("\"error\"") }
  }

  /// The status of each line, from the first.
  private func statuses(_ wire: Wire) -> [String] {
    let answers = wire.text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("{\"line\"") }
      .compactMap { try? JSONDocument(Array($0.utf8)).root }
    #expect(answers.compactMap { $0["line"]?.int } == answers.indices.map { Int64($0 + 1) })
    return answers.compactMap { $0["status"]?.string }
  }

  @Test("a stream goes on when the database goes away and comes back, and every line that was answered is stored once")
  func stream() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let unit = try await kitchen.unit()
    try await kitchen.startReplay()
    let wire = try open(kitchen)
    try send(wire, unit, 0..<300)
    place.cluster.crash()
    try send(wire, unit, 300..<2000)
    // Line 2001 is answered beside those that wait.
    try wire.send(chunk: "nonsense\n" + reading(unit, 2001) + "\n")
    wire.receive { $0.contains("\"line\":2002,") }
    #expect(place.spool.figures.depth > 0)
    try place.cluster.start()
    try await place.untilDrained()
    var number = 2002
    try await place.until("lines are stored at once again") {
      try send(wire, unit, number..<number + 1)
      number += 1
      return statuses(wire).last == "stored"
    }
    try wire.send("0\r\n\r\n")
    wire.receive { $0.hasSuffix("0\r\n\r\n") }
    let told = statuses(wire)
    #expect(told.count == number)
    #expect(Set(told[..<300]) == ["stored"])
    #expect(Set(told[300..<2000]) == ["spooled"])
    #expect(told[2000...2001] == ["refused", "spooled"])
    try await place.untilDrained()
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == number - 1)
    #expect(place.figure("spool_bad_total") == 0)
    try await kitchen.stopReplay()
  }

  @Test("lines of a key that nobody can be asked about are kept, and are worth what the key turns out to be worth")
  func keys() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let unit = try await kitchen.unit()
    place.cluster.crash()
    let right = try open(kitchen)
    let wrong = try open(kitchen, key: kitchen.key.dropLast(4) + "AAAA")
    try send(right, unit, 0..<3)
    // Readings that the other does not send.
    try wrong.send(chunk: lines(unit, 1000..<1003))
    wrong.receive { $0.contains(#""line":3"#) }
    #expect(statuses(right) == ["spooled", "spooled", "spooled"])
    #expect(statuses(wrong) == ["spooled", "spooled", "spooled"])
    try place.cluster.start()
    try await kitchen.startReplay()
    try await place.untilDrained()
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 3)
    #expect(place.figure("spool_bad_total") == 1)
    // The streams are open still.
    try await place.until("who sends is known") {
      try send(right, unit, 3..<4)
      return statuses(right).contains("stored")
    }
    try wrong.send(chunk: lines(unit, 1003..<1004))
    wrong.receive()
    #expect(wrong.text.contains("UNAUTHORIZED"), "\(wrong.text)")
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 4)
    try await kitchen.stopReplay()
  }

  @Test("when the spool is full too the answer says from where on to send again, and what was answered is kept")
  func full() async throws {
    let place = try await Fragile(spoolMax: 4 << 20)
    let kitchen = place.kitchen
    let unit = try await kitchen.unit()
    let wire = try open(kitchen)
    try send(wire, unit, 0..<1)
    place.cluster.crash()
    let padding = #","rawPayload":"\#(String(repeating: "x", count: 4000))""#
    for number in 1..<1500 where !wire.text.contains("\"error\"") {
      try? wire.send(chunk: lines(unit, number..<number + 1, padding))
      wire.receive { $0.contains("\"line\":\(number + 1),") || $0.contains("\"error\"") }
    }
    #expect(wire.text.contains("UNAVAILABLE"))
    let told = statuses(wire)
    #expect(told.count > 300 && Set(told.dropFirst()) == ["spooled"])
    try place.cluster.start()
    try await kitchen.startReplay()
    try await place.untilDrained()
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") >= told.count)
    try await kitchen.stopReplay()
  }

  @Test("requests of a thousand readings are kept whole, and more of them than the writer takes at once are brought in")
  func requests() async throws {
    let place = try await Fragile()
    let kitchen = place.kitchen
    let unit = try await kitchen.unit()
    func send(_ numbers: Range<Int>) async throws -> Answer {
      let items = numbers.map { reading(unit, $0) }.joined(separator: ",")
      return try await kitchen.house.call(
        .post, "/api/ingest/readings", #"{"readings":[\#(items)]}"#, headers: [("X-API-Key", kitchen.key)])
    }
    #expect(try await send(0..<1).status == 200)
    place.cluster.crash()
    for thousand in 0..<12 {
      let answer = try await send(thousand * 1000..<(thousand + 1) * 1000)
      #expect(answer.json["status"]?.string == "spooled")
      let statuses = answer.json["results"]?.elements.compactMap { $0["status"]?.string }
      #expect(statuses == Array(repeating: "spooled", count: 1000))
    }
    try place.cluster.start()
    try await kitchen.startReplay()
    try await place.untilDrained()
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 12_000)
    #expect(place.figure("spool_bad_total") == 0)
    try await kitchen.stopReplay()
  }
}
