import Basics
import Devices
import FeatureSupport
import Ingest
import Monitoring
import PostgreSQL
import Readings
import Synchronization
import Telemetry
import Testing

/// A file in pieces of that many bytes.
private final class Text: Sendable {
  private let rest: Mutex<ArraySlice<UInt8>>
  private let size: Int

  init(_ text: String, pieces size: Int) {
    rest = Mutex(Array(text.utf8)[...])
    self.size = size
  }

  func next() -> [UInt8]? {
    rest.withLock { rest in
      let piece = Array(rest.prefix(size))
      rest = rest.dropFirst(piece.count)
      return piece.isEmpty ? nil : piece
    }
  }
}

extension Kitchen {
  fileprivate func bringIn(
    _ text: String, _ format: ReadingImport.Plan.Format = .csv, pieces: Int = 1 << 20, isDryRun: Bool = false,
    fahrenheit: Bool = false
  ) async throws -> ReadingImport.Report {
    let source = Text(text, pieces: pieces)
    let plan = ReadingImport.Plan(
      organizationId: organization.id, format: format, temperatureUnit: fahrenheit ? .fahrenheit : .celsius,
      isDryRun: isDryRun, fileName: "test")
    return try await house.run { database in
      try await ReadingImport(database: database, plan: plan).run(from: { source.next() })
    }
  }
}

@Suite("Readings of the past from a file", .serialized)
struct ImportTests {
  private func at(_ minute: Int) -> String { (Kitchen.start + .minutes(minute)).rfc3339 }

  private func rows(_ kitchen: Kitchen) async throws -> [String] {
    try await kitchen.lines(
      """
      SELECT (extract(epoch FROM recorded_at - $1::timestamptz) / 60)::int::text, temperature, humidity, battery,
        battery_voltage, signal_strength, snr, door_open::text, f_port, f_cnt, encode(raw_payload, 'hex'), source,
        (flags & 512 <> 0)::text
      FROM sensor_readings ORDER BY recorded_at, device_id
      """, [.timestamp(Kitchen.start)])
  }

  @Test("every column of a CSV file, however it is written", arguments: [1, 7, 100_000])
  func columns(pieces: Int) async throws {
    let kitchen = try await Kitchen()
    let sensor = try await kitchen.sensor(of: try await kitchen.unit())
    let eui = sensor.devEUI
    let text = """
      \u{FEFF}Recorded At,DevEUI,temperature,humidity,battery,Battery_Voltage,rssi,snr,door_open,fPort,f_cnt,raw-payload,note
      \(at(0)),\(eui),3.125,40.8,97,3.097,-97.4,7.5,,2,17,CC19,hello\r
      \(at(10).dropLast(5))Z,\(eui.lowercased()),-18,,,,,,,,,,"a ""quoted"", cell"

      "\(at(20).replacing("Z", with: "+00:00"))","\(eui)",,,,,,,open,,,,
      \(Kitchen.start.microseconds / 1_000_000 + 1800),\(eui),0.005,100,,,,-3.25,0,,,,
      """
    let report = try await kitchen.bringIn(text, pieces: pieces)
    #expect(report.stored == 4 && report.refused == 0 && report.duplicates == 0, "\(report.refusals)")
    #expect(report.ignoredColumns == ["note"] && report.lines == 6)
    #expect(
      try await rows(kitchen) == [
        "0 3.13 40.8 97 3.097 -97 7.5 - 2 17 cc19 import true", "10 -18 - - - - - - - - - import true",
        "20 - - - - - - true - - - import true", "30 0.01 100 - - - -3.3 false - - - import true",
      ])
  }

  @Test("lines of JSON, °F, readings of units without a device")
  func lines() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let text = """
      {"unitId":"\(unit)","recordedAt":"\(at(0))","temperature":41,"battery":null,"extra":{}}
      {"unit_id":"\(unit)","recorded_at":"\(at(10))","temperature":"39.2"}
      {"unit_id":"\(unit)","recorded_at":"\(at(20))","temperature_f":32.0,"door":true}
      [1]
      """
    let report = try await kitchen.bringIn(text, .ndjson, fahrenheit: true)
    #expect(report.stored == 3 && report.refused == 1 && report.refusals.first?.line == 4)
    #expect(try await kitchen.lines("SELECT temperature FROM sensor_readings ORDER BY recorded_at") == ["5", "4", "0"])
    #expect(try await kitchen.bringIn(text, .ndjson, fahrenheit: true).duplicates == 3)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings WHERE unit_id = $1", [.uuid(unit)]) == 3)
  }

  @Test("what is wrong is told with its line, and the rest is taken")
  func refusals() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let foreign = try await kitchen.house.organization()
    let wrong = [
      ("\(unit),yesterday,3", "recorded_at"), ("\(unit),\(at(0)),warm", "temperature"),
      ("\(unit),\(at(0)),+3", "temperature"),
      ("\(unit),\(at(0)),-300", "temperature"), ("\(unit),\(at(0))", "fewer"), ("\(unit),\(at(0)),3,4", "more"),
      ("\(foreign.unit),\(at(0)),3", "unit_id"), ("7,\(at(0)),3", "unit_id"), (",\(at(0)),3", "missing"),
      ("\(unit),\(at(0)),", "neither"), ("\(unit),1999-01-01T00:00:00Z,3", "recorded_at"),
      ("\(unit),2999-01-01T00:00:00Z,3", "recorded_at"), ("\(unit),2026-02-30T00:00:00Z,3", "recorded_at"),
      ("\(unit),\"\(at(0)),3", "quoted"),
    ]
    let text = "unit_id,recorded_at,temperature\n" + wrong.map(\.0).joined(separator: "\n") + "\n\(unit),\(at(0)),3"
    let report = try await kitchen.bringIn(text)
    #expect(report.refusals.map(\.line) == Array(2...wrong.count + 1))
    for (refusal, (line, reason)) in zip(report.refusals, wrong) {
      #expect(refusal.reason.contains(reason), "\(line): \(refusal.reason)")
    }
    #expect(report.stored == 1)
    for header in ["unit_id,temperature", "recorded_at,temperature", "unit_id,recorded_at", "unit_id,unit_id", ""] {
      await #expect(throws: ImportRefusal.self) { try await kitchen.bringIn(header + "\n") }
    }
  }

  @Test("nothing is stored twice, whatever is there, and a dry run stores nothing")
  func again() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    try await kitchen.commit(
      [.init(sensor, at: Kitchen.start + .minutes(20), celsius: 4)], at: Kitchen.start + .minutes(20))
    func file(_ minutes: [Int]) -> String {
      "dev_eui,recorded_at,temperature\n" + minutes.map { "\(sensor.devEUI),\(at($0)),3.5\n" }.joined()
    }
    #expect(try await kitchen.bringIn(file([0, 10, 20, 30]), isDryRun: true).stored == 0)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings") == 1)
    let first = try await kitchen.bringIn(file([0, 10, 20, 30]))
    #expect(first.stored == 3 && first.duplicates == 1)
    let second = try await kitchen.bringIn(file([30, 0, 10, 20, 40, 40]))
    #expect(second.stored == 1 && second.duplicates == 5)
    #expect(
      try await kitchen.lines("SELECT temperature FROM sensor_readings ORDER BY recorded_at")
        == ["3.5", "3.5", "4", "3.5", "3.5"])
    #expect(
      try await kitchen.lines("SELECT event_type FROM event_logs WHERE event_type LIKE 'readings%'")
        == ["readings.imported", "readings.imported"])
  }

  @Test("the units' past is what it would have been, and nobody is woken for it")
  func history() async throws {
    let kitchen = try await Kitchen()
    let (imported, told) = (try await kitchen.unit(), try await kitchen.unit())
    let (first, second) = (try await kitchen.sensor(of: imported), try await kitchen.sensor(of: told))
    let story: [(minute: Int, celsius: Double)] = [
      (0, 3), (10, 3.2), (20, 7), (30, 8.5), (40, 6.2), (50, 4), (60, 3.5), (70, 3), (80, 5.5), (88, 3.8), (100, 3.6),
    ]
    let now = Kitchen.start + .minutes(200)
    for unit in [(first, 110), (second, 110)] {
      try await kitchen.commit([.init(unit.0, at: Kitchen.start + .minutes(unit.1), celsius: 3)], at: now)
    }
    let text =
      "dev_eui,recorded_at,temperature\n"
      + story.map { "\(first.devEUI),\(at($0.minute)),\($0.celsius)\n" }.joined()
    let report = try await kitchen.bringIn(text)
    #expect(report.stored == story.count && report.judgedAgain == 1)
    try await kitchen.commit(
      story.map { .init(second, at: Kitchen.start + .minutes($0.minute), celsius: $0.celsius) }, at: now)
    let incidents = try await kitchen.incidents(of: imported)
    #expect(incidents == ["20 30 50 60 8.50 30 0 high", "80 - 88 100 5.50 80 0 high"])
    #expect(try await kitchen.incidents(of: told) == incidents)
    let alarms = try await kitchen.alerts(of: imported).filter { $0.hasPrefix("alarm_active") }
    #expect(alarms == ["alarm_active critical resolved 20", "alarm_active warning resolved 80"])
    #expect(
      try await kitchen.count("SELECT count(*) FROM incidents WHERE unit_id = $1 AND detected_late", [.uuid(imported)])
        == 2)
    let quiet = try await kitchen.bringIn("dev_eui,recorded_at,temperature\n\(first.devEUI),\(at(105)),3\n")
    #expect(quiet.stored == 1 && quiet.judgedAgain == 0)
    let later = WallClock.system.now() + .minutes(1)
    let hours = try await kitchen.house.run { try await RollupJob(database: $0).run(at: later) }
    #expect(hours > 0)
    #expect(
      try await kitchen.lines(
        "SELECT count, min_temperature, max_temperature FROM unit_rollups_daily WHERE unit_id = $1", [.uuid(imported)])
        == ["13 3 8.5"])
  }
}

@Suite("Decoders over stored frames", .serialized)
struct RedecodeTests {
  private func run(_ kitchen: Kitchen, _ filter: Redecode.Filter = .init(), apply: Bool) async throws -> Redecode.Report
  {
    try await kitchen.house.run { try await Redecode(database: $0).run(filter, apply: apply) }
  }

  @Test("the difference is shown first; applied, the readings and the unit's past are right")
  func difference() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    // 3.12 °C at the probe; and from 30 minutes on -20.00 °C in polled records.
    for minute in [0, 10, 20] {
      var uplink = Kitchen.Uplink(sensor, at: Kitchen.start + .minutes(minute))
      uplink.payload = Hex.decode("CC19011601980101387FFF")
      uplink.counter = minute
      try await kitchen.commit([uplink], at: Kitchen.start + .minutes(minute))
    }
    // As an earlier decoder had them.
    try await kitchen.house.sql(
      "UPDATE sensor_readings SET temperature = 9.12, probe_temperature = 9.12 WHERE recorded_at >= $1",
      [.timestamp(Kitchen.start + .minutes(10))])
    let shown = try await run(kitchen, apply: false)
    let figures = try #require(shown.models["lht65n"])
    #expect(figures.frames == 3 && figures.same == 1 && figures.changed == 2 && figures.undecodable == 0)
    #expect(figures.fields == ["temperature": 2, "probeTemperature": 2])
    #expect(
      figures.samples.first?.changes.first?.before == "9.12 °C"
        && figures.samples.first?.changes.first?.after == "3.12 °C")
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings WHERE temperature = 9.12") == 2)

    try await kitchen.house.sql("UPDATE unit_limits SET temp_max = 3 WHERE unit_id = $1", [.uuid(unit)])
    #expect(try await run(kitchen, apply: true).changed == 2)
    #expect(try await run(kitchen, apply: false).changed == 0)
    #expect(try await kitchen.lines("SELECT DISTINCT temperature FROM sensor_readings") == ["3.12"])
    #expect(try await kitchen.incidents(of: unit).first?.hasPrefix("10 20 - - 3.12 10") == true)
    #expect(try await kitchen.count("SELECT count(*) FROM event_logs WHERE event_type = 'readings.redecoded'") == 1)
    #expect(try await kitchen.count("SELECT count(*) FROM rollup_marks") > 0)
  }

  @Test("only what the filter names is looked at")
  func filters() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let (probe, other) = (try await kitchen.sensor(of: unit), try await kitchen.sensor("em300-th", of: unit))
    for (minute, sensor, payload, port) in [
      (0, probe, "CC19011601980101387FFF", 2), (10, other, "017564036702FF04684B", 85), (20, other, "01", 85),
    ] {
      var uplink = Kitchen.Uplink(sensor, at: Kitchen.start + .minutes(minute))
      uplink.payload = Hex.decode(payload)
      uplink.port = port
      uplink.decoded = payload == "01" ? #"{"temperature":3}"# : nil
      try await kitchen.commit([uplink], at: Kitchen.start + .minutes(minute))
    }
    #expect(try await run(kitchen, apply: false).frames == 3)
    #expect(try await run(kitchen, .init(devEUI: EUI64(probe.devEUI)), apply: false).frames == 1)
    let milesight = try await run(kitchen, .init(model: "EM300-MCS"), apply: true)
    #expect(milesight.devices == 1 && milesight.frames == 2 && milesight.models["em300-th"]?.undecodable == 1)
    #expect(try await run(kitchen, .init(from: Kitchen.start + .minutes(10)), apply: false).frames == 2)
    #expect(try await run(kitchen, .init(to: Kitchen.start + .minutes(10)), apply: false).frames == 1)
    #expect(try await run(kitchen, .init(organizationId: .v4()), apply: false).frames == 0)
    #expect(try await kitchen.count("SELECT count(*) FROM sensor_readings WHERE temperature = 3") == 1)
  }
}
