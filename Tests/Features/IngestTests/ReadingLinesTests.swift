import Basics
import FeatureSupport
import JSON
import PostgreSQL
import Testing

import class Foundation.Thread

@testable import Ingest

struct LineSplitterTests {
  private func lines(_ text: String, pieces size: Int) -> [String] {
    var split = LineSplitter(lineMax: 8)
    var found: [String] = []
    func take() {
      while let line = split.next() {
        found.append("\(line.number):" + (line.bytes.map { String(decoding: $0, as: UTF8.self) } ?? "too long"))
      }
    }
    let bytes = Array(text.utf8)
    for start in stride(from: 0, to: bytes.count, by: size) {
      split.append(Array(bytes[start..<min(start + size, bytes.count)]))
      take()
    }
    split.finish()
    take()
    return found
  }

  @Test("lines are the same however they are cut into pieces", arguments: [1, 2, 3, 7, 100])
  func pieces(size: Int) {
    #expect(lines("a\nbb\r\n\nccc", pieces: size) == ["1:a", "2:bb", "3:", "4:ccc"])
    #expect(lines("12345678\n123456789\nx\n", pieces: size) == ["1:12345678", "2:too long", "3:x"])
    #expect(lines("0123456789abcdef0123456789abcdef", pieces: size) == ["1:too long"])
    #expect(lines("0123456789abcdef\n\n", pieces: size) == ["1:too long", "2:"])
    #expect(lines("", pieces: size) == [])
  }
}

@Suite("Readings, one on each line", .serialized)
struct ReadingLinesTests {
  private func line(_ unit: UUID, _ celsius: String, minute: Int) -> String {
    #"{"unitId":"\#(unit)","temperature":\#(celsius),"recordedAt":"\#((Kitchen.start + .minutes(minute)).rfc3339)"}"#
      + "\n"
  }

  private func open(_ kitchen: Kitchen, key: String? = nil, _ more: String = "") throws -> Wire {
    let wire = try kitchen.house.wire()
    try wire.send(
      """
      POST /api/ingest/readings HTTP/1.1\r\nHost: a\r\nX-API-Key: \(key ?? kitchen.key)\r\n\
      Content-Type: application/x-ndjson; charset=utf-8\r\nAccept-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\
      \(more)\r\n
      """)
    return wire
  }

  /// The answers that are lines of their own.
  private func answers(_ wire: Wire) -> [JSONValue] {
    wire.text.split(whereSeparator: \.isNewline).filter { $0.hasPrefix("{\"line\"") }.compactMap {
      try? JSONDocument(Array($0.utf8)).root
    }
  }

  @Test("each line is answered as soon as it is stored, while more are sent")
  func duplex() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let foreign = try await kitchen.house.organization()
    let wire = try open(kitchen)
    try wire.send(chunk: line(unit, "3", minute: 0) + "\n" + line(foreign.unit, "3", minute: 0))
    wire.receive { $0.contains(#""line":3"#) }
    #expect(wire.text.hasPrefix("HTTP/1.1 200"))
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 1)
    let torn = line(unit, "4", minute: 10)
    try wire.send(chunk: String(torn.prefix(50)))
    try wire.send(
      chunk: torn.dropFirst(50) + line(unit, "3", minute: 0) + "nonsense\n" + line(unit, "-274", minute: 20)
        + String(repeating: "x", count: ReadingLines.lineMax + 1) + "\n" + line(unit, "5", minute: 30).dropLast())
    try wire.send("0\r\n\r\n")
    wire.receive { $0.hasSuffix("0\r\n\r\n") }
    let answers = answers(wire)
    #expect(answers.compactMap { $0["line"]?.int } == [1, 3, 4, 5, 6, 7, 8, 9])
    #expect(
      answers.compactMap { $0["status"]?.string } == [
        "stored", "refused", "stored", "duplicate", "refused", "refused", "refused", "stored",
      ])
    #expect(answers[5]["details"]?[0]?["path"]?.string == "temperature")
    #expect(answers[3]["readingId"]?.string == answers[0]["readingId"]?.string)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 3)
  }

  @Test("what was answered is stored, when the sender goes away in the middle")
  func cutOff() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let wire = try open(kitchen)
    for start in stride(from: 0, to: 3000, by: 300) {
      try wire.send(chunk: (start..<start + 300).map { line(unit, "3.\($0 % 10)", minute: $0) }.joined())
      wire.receive { $0.contains("\"line\":\(start + 100),") }
      if start == 1500 { break }
    }
    wire.reset()
    let told = answers(wire).filter { $0["status"]?.string == "stored" }
    #expect(told.count >= 1600)
    let stored = try await kitchen.lines(
      "SELECT count(*) FROM sensor_readings WHERE id = ANY ($1)",
      [.uuids(told.map { $0["readingId"]?.string.flatMap { UUID($0) } })])
    #expect(stored == ["\(told.count)"])
    // The whole again: what is there is a duplicate.
    let again = try open(kitchen)
    try again.send(chunk: (0..<1700).map { line(unit, "3.\($0 % 10)", minute: $0) }.joined())
    try again.send("0\r\n\r\n")
    again.receive { $0.hasSuffix("0\r\n\r\n") }
    #expect(answers(again).count == 1700)
    #expect(try await kitchen.count("SELECT count(*) FROM reading_anomalies") == 0)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings WHERE temperature IS NOT NULL") >= 1700)
  }

  @Test("a sender that does not read its answers is held back, and gets them all when it reads")
  func backPressure() async throws {
    let kitchen = try await Kitchen()
    let wire = try open(kitchen)
    // Refused without the database, so that the answers are the only brake: more than the buffers of a socket take.
    let sender = Thread {
      for _ in 0..<60 { try? wire.send(chunk: String(repeating: "{}\n", count: 1000)) }
      try? wire.send("0\r\n\r\n")
    }
    sender.start()
    #expect(try await kitchen.house.call(.get, "/probe/ingest", headers: [("X-API-Key", kitchen.key)]).status == 200)
    wire.receive { $0.hasSuffix("0\r\n\r\n") }
    #expect(answers(wire).count == 60_000)
  }

  @Test("without a key nothing is read, and a bad length is refused")
  func refused() async throws {
    let kitchen = try await Kitchen()
    let wire = try open(kitchen, key: "ft_0000000000000000_secret")
    wire.receive { $0.contains("requestId") }
    #expect(wire.text.hasPrefix("HTTP/1.1 401"))
    let gzipped = try open(kitchen, "Content-Encoding: gzip\r\n")
    gzipped.receive { $0.contains("requestId") }
    #expect(gzipped.text.hasPrefix("HTTP/1.1 415"))
  }

  @Test("when the database takes nothing, the answer says so and ends")
  func unavailable() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let wire = try open(kitchen)
    try wire.send(chunk: line(unit, "3", minute: 0))
    wire.receive { $0.contains(#""line":1"#) }
    let house = kitchen.house
    let (locked, done) = (Gate(), Gate())
    async let blocker: Void = house.run { database in
      try await database.transaction { connection in
        _ = try await connection.query("LOCK TABLE sensor_readings")
        locked.open()
        await done.pass()
      }
    }
    await locked.pass()
    try wire.send(chunk: line(unit, "3", minute: 10))
    wire.receive { $0.contains("UNAVAILABLE") }
    done.open()
    try await blocker
    #expect(wire.text.contains("UNAVAILABLE") && !wire.text.contains(#""line":2"#), "\(wire.text)")
  }
}
