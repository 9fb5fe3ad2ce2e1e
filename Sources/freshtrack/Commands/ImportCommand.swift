import Basics
import ColdChain
import Glibc
import Ingest
import JSON
import PostgreSQL
import Synchronization

extension Command {
  static let importReadings = Command(
    name: "import readings", summary: "bring in readings of the past from a file",
    details: """
      Columns of the header, or fields of each object, in any case, with or without _:
        recorded_at     2026-01-05T07:30:00Z, with its zone; or Unix time
        dev_eui         or device_id, or unit_id; a device's unit is what it measured then
        temperature     degrees of --temperature-unit; or temperature_f; or door_open
        humidity, battery, battery_voltage, signal_strength, snr, f_port, f_cnt,
        raw_payload (hexadecimal)

      Lines that cannot be read are told with their numbers and left out; the exit code
      is then 1. What is there already is left as it is: an import that was broken off
      is simply started again.
      """,
    options: [
      .value("--organization", "ID", "whose devices and units they are of", required: true),
      .value("--format", "FORMAT", "csv or ndjson (default: by the name of the file, else csv)"),
      .value("--temperature-unit", "UNIT", "C or F (default C)"),
      .flag("--dry-run", "only read and check"),
      .flag("--json", "print the result as JSON, and no progress"),
    ], operand: "FILE|-",
    run: { arguments in
      guard let organization = try arguments.uuid("--organization") else {
        throw Failure.usage("--organization is missing")
      }
      let path = arguments.operand ?? "-"
      let isLines = path.hasSuffix(".ndjson") || path.hasSuffix(".jsonl")
      let plan = ReadingImport.Plan(
        organizationId: organization,
        format: try arguments.choice("--format", of: ReadingImport.Plan.Format.self) ?? (isLines ? .ndjson : .csv),
        temperatureUnit: try arguments.choice("--temperature-unit", of: TemperatureUnit.self) ?? .celsius,
        isDryRun: arguments.has("--dry-run"), fileName: path)
      let file = try InputFile(path)
      let isJSON = arguments.has("--json")
      let started = MonotonicClock.nanoseconds()
      let report = try onDatabase { database in
        var told = started
        do {
          return try await ReadingImport(database: database, plan: plan).run(from: { try file.next() }) { report in
            guard !isJSON, MonotonicClock.nanoseconds() &- told > 1_000_000_000 else { return }
            told = MonotonicClock.nanoseconds()
            Terminal.complain("\(report.lines) lines, \(report.stored) stored")
          }
        } catch let refusal as ImportRefusal { throw Failure(.usage, refusal.description) }
      }
      let seconds = Double(MonotonicClock.nanoseconds() &- started) / 1e9
      if isJSON { sayJSON { report.write(to: &$0, seconds: seconds) } } else { Terminal.say(report.text(seconds)) }
      for (line, reason) in report.refusals { Terminal.complain("line \(line): \(reason)") }
      guard report.refused == 0 else { throw Failure(.failed, "\(report.refused) lines were left out") }
    })
}

extension ReadingImport.Report {
  fileprivate func text(_ seconds: Double) -> String {
    let rate = seconds > 0 ? Int(Double(stored + duplicates) / seconds) : 0
    var lines = ["\(stored) stored, \(duplicates) there already, \(refused) left out; \(rate) a second"]
    if !ignoredColumns.isEmpty { lines.append("columns that were not read: \(ignoredColumns.joined(separator: ", "))") }
    if judgedAgain > 0 { lines.append("units judged again from their readings: \(judgedAgain)") }
    return lines.joined(separator: "\n")
  }

  fileprivate func write(to json: inout JSONWriter, seconds: Double) {
    json.field("lines", lines)
    json.field("stored", stored)
    json.field("duplicates", duplicates)
    json.field("refused", refused)
    json.field("judgedAgain", judgedAgain)
    json.field("seconds", seconds)
    json.array("ignoredColumns") { json in for name in ignoredColumns { json.string(name) } }
    json.array("refusals") { json in
      for (line, reason) in refusals {
        json.object { json in
          json.field("line", line)
          json.field("reason", reason)
        }
      }
    }
  }
}

/// A file, or standard input, piece by piece.
private final class InputFile: Sendable {
  private let descriptor: CInt
  private let path: String

  init(_ path: String) throws(Failure) {
    self.path = path
    descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Failure(.system, "\(path) cannot be read: \(systemError())") }
  }

  deinit { if descriptor != STDIN_FILENO { close(descriptor) } }

  func next() throws -> [UInt8]? {
    while true {
      var count = 0
      let piece = [UInt8](unsafeUninitializedCapacity: 1 << 20) { buffer, filled in
        count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        filled = max(0, count)
      }
      if count > 0 { return piece }
      if count == 0 { return nil }
      guard errno == EINTR else { throw Failure(.system, "\(path) cannot be read: \(systemError())") }
    }
  }
}
