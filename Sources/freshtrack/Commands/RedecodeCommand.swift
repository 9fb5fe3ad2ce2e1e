import Basics
import Devices
import Ingest
import JSON
import PostgreSQL

extension Command {
  static let redecode = Command(
    name: "redecode", summary: "run the decoders over stored frames, and show what would change",
    details: """
      After a decoder was put right. --dry-run only shows the difference; --apply also
      stores it, in batches, and judges the units' past again. Device and time of a
      reading never change. Frames that no decoder reads stay as they are; so do readings
      that came without their frames.
      """,
    options: [
      .value("--org", "ID", "only of this organization"),
      .value("--device", "DEVEUI", "only of this device"),
      .value("--model", "NAME", "only of this model, or of those that are read like it"),
      .value("--from", "TIME", "recorded since, such as 2026-01-05"),
      .value("--to", "TIME", "recorded before"),
      .flag("--dry-run", "show only"),
      .flag("--apply", "store what has changed"),
      .flag("--json", "as JSON, and no progress"),
    ],
    run: { arguments in
      guard arguments.has("--dry-run") != arguments.has("--apply") else {
        throw Failure.usage("say either --dry-run or --apply")
      }
      let devEUI = try arguments.text("--device").map { text throws(Failure) in
        guard let eui = EUI64(text.filter { $0 != ":" && $0 != "-" }) else {
          throw .usage("--device takes 16 hexadecimal digits, not '\(text)'")
        }
        return eui
      }
      let filter = Redecode.Filter(
        organizationId: try arguments.uuid("--org"), devEUI: devEUI, model: arguments.text("--model"),
        from: try arguments.instant("--from"), to: try arguments.instant("--to"))
      let (isJSON, applies) = (arguments.has("--json"), arguments.has("--apply"))
      let report = try onDatabase { database in
        var told = MonotonicClock.nanoseconds()
        return try await Redecode(database: database).run(filter, apply: applies) { report in
          guard !isJSON, MonotonicClock.nanoseconds() &- told > 1_000_000_000 else { return }
          told = MonotonicClock.nanoseconds()
          Terminal.complain("\(report.devices) devices, \(report.frames) frames, \(report.changed) changed")
        }
      }
      if isJSON {
        sayJSON { report.write(to: &$0, applied: applies) }
      } else {
        Terminal.say(report.text(applied: applies))
      }
    })
}

extension Redecode.Report {
  fileprivate func text(applied: Bool) -> String {
    var lines: [String] = []
    for (model, figures) in models.sorted(by: { $0.key < $1.key }) {
      lines.append(
        "\(model): \(figures.frames) frames, \(figures.same) the same, \(figures.changed) "
          + "\(applied ? "changed" : "would change"), \(figures.undecodable) that no decoder reads")
      for (field, count) in figures.fields.sorted(by: { $0.key < $1.key }) { lines.append("  \(field): \(count)") }
      for sample in figures.samples {
        let changes = sample.changes.map { "\($0.field) \($0.before) -> \($0.after)" }.joined(separator: ", ")
        lines.append("  \(sample.devEUI) \(sample.recordedAt): \(changes)")
      }
    }
    return lines.isEmpty ? "There are no such frames." : lines.joined(separator: "\n")
  }

  fileprivate func write(to json: inout JSONWriter, applied: Bool) {
    json.field("applied", applied)
    json.field("devices", devices)
    json.field("frames", frames)
    json.field("changed", changed)
    json.array("models") { json in
      for (model, figures) in models.sorted(by: { $0.key < $1.key }) {
        json.object { figures.write(to: &$0, model) }
      }
    }
  }
}

extension Redecode.Figures {
  fileprivate func write(to json: inout JSONWriter, _ model: String) {
    json.field("model", model)
    json.field("frames", frames)
    json.field("same", same)
    json.field("changed", changed)
    json.field("undecodable", undecodable)
    json.object("fields") { json in
      for (field, count) in fields.sorted(by: { $0.key < $1.key }) { json.field(field, count) }
    }
    json.array("samples") { json in
      for sample in samples {
        json.object { json in
          json.field("readingId", sample.readingId)
          json.field("devEui", sample.devEUI.description)
          json.field("recordedAt", sample.recordedAt)
          json.object("before") { json in for one in sample.changes { json.field(one.field, one.before) } }
          json.object("after") { json in for one in sample.changes { json.field(one.field, one.after) } }
        }
      }
    }
  }
}
