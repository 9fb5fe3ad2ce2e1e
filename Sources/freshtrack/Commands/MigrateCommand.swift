import JSON
import PostgreSQL
import Runtime
import Telemetry

extension Command {
  static let migrate = Command(
    name: "migrate", summary: "bring the schema of the database to the version of this program",
    details: """
      Safe to run twice and from many places at once: one applies, the others wait.
      --status exits with 65 when something is to apply.
      """,
    options: [
      .flag("--status", "only say what is applied and what is to apply"),
      .flag("--dry-run", "only say what would be applied"),
      .flag("--json", "as JSON"),
    ],
    run: { arguments in
      let settings = try Settings(environment: Settings.processEnvironment, for: .database)
      let database = try settings.database(settings.log, Metrics())
      let isJSON = arguments.has("--json")
      if arguments.has("--status") || arguments.has("--dry-run") {
        let status = try EventLoop.run { try await Schema.status(on: database) }
        Terminal.say(isJSON ? MigrationReport.json(status) : MigrationReport.text(status))
        if arguments.has("--status"), !status.pending.isEmpty {
          throw Failure(.schema, "\(status.pending.count) to apply: run `freshtrack migrate`")
        }
        return
      }
      let applied = try EventLoop.run {
        do { return try await Schema.migrator.apply(on: database) } catch let error as DatabaseError {
          throw Failure(error, database)
        }
      }
      if isJSON {
        Terminal.say(MigrationReport.json(applied: applied))
      } else if applied.isEmpty {
        Terminal.say("The schema is at version \(Schema.migrator.migrations.last?.version ?? 0): nothing to apply.")
      } else {
        for migration in applied { Terminal.say("applied \(migration.version) \(migration.name)") }
      }
    })
}

private enum MigrationReport {
  static func text(_ status: Migrator.Status) -> String {
    let lines =
      status.applied.map { "applied  \($0.version) \($0.name)  \($0.appliedAt)" }
      + status.pending.map { "pending  \($0.version) \($0.name)" }
      + status.unknown.map { "newer    \($0.version) \($0.name)  \($0.appliedAt)" }
    return lines.isEmpty ? "no migrations" : lines.joined(separator: "\n")
  }

  static func json(_ status: Migrator.Status) -> String {
    json { json in
      list("applied", status.applied.map { ($0.version, $0.name) }, &json)
      list("pending", status.pending.map { ($0.version, $0.name) }, &json)
      list("newer", status.unknown.map { ($0.version, $0.name) }, &json)
    }
  }

  static func json(applied: [Migration]) -> String {
    json { json in list("applied", applied.map { ($0.version, $0.name) }, &json) }
  }

  private static func list(_ name: String, _ entries: [(Int, String)], _ json: inout JSONWriter) {
    json.array(name) { json in
      for (version, name) in entries {
        json.object { json in
          json.field("version", version)
          json.field("name", name)
        }
      }
    }
  }

  private static func json(_ body: (inout JSONWriter) -> Void) -> String {
    String(decoding: JSONWriter.bytes { json in json.object { json in body(&json) } }, as: UTF8.self)
  }
}
