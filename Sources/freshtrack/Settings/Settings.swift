import Basics
import Glibc
import HTTP
import JSON

/// The environment, read once and checked whole.
struct Settings: Sendable {
  enum Source: Sendable, Equatable {
    case fallback
    case environment
    case file(String)
  }

  /// What the command is going to do, and so what has to be set.
  enum Need: Sendable {
    case nothing
    case database
    case server
  }

  /// What each setting is and where that came from, in the order of the table.
  let entries: [(setting: Setting, value: String?, source: Source)]

  /// Reads every setting of the table. `NAME_FILE` names a file whose content counts, without its last newline, and
  /// wins over `NAME`. An empty value counts as unset. Throws every problem at once, a line for each.
  init(
    environment: [String: String], for need: Need = .nothing, readFile: (String) -> [UInt8]? = Settings.read,
    table: [Setting] = Settings.table
  ) throws(Failure) {
    var problems: [String] = []
    func find(_ name: String?) -> (value: String?, file: String?) {
      func text(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }
      return name.map { (text($0), text($0 + "_FILE")) } ?? (nil, nil)
    }
    entries = table.map { setting in
      var found = find(setting.name)
      if found.value == nil, found.file == nil { found = find(setting.formerName) }
      var value = found.value
      let file = found.file
      var source = Source.environment
      if let file {
        source = .file(file)
        guard let bytes = readFile(file), let text = String(validating: bytes, as: UTF8.self) else {
          problems.append("\(setting.name)_FILE: the file \(file) cannot be read as text")
          return (setting, nil, source)
        }
        value = text.hasSuffix("\r\n") || text.hasSuffix("\n") ? String(text.dropLast()) : text
      }
      guard let value, !value.isEmpty else { return (setting, setting.fallback, .fallback) }
      if let problem = setting.problem(with: value) {
        // The value itself is not shown: it may be a secret that stands in the wrong place.
        problems.append("\(setting.name) \(problem)")
      }
      return (setting, value, source)
    }
    problems += missing(for: need)
    guard problems.isEmpty else { throw Failure(.settings, problems.joined(separator: "\n")) }
  }

  private static func read(_ path: String) -> [UInt8]? { File.read(path, limit: 1 << 20) }

  private func missing(for need: Need) -> [String] {
    guard need != .nothing else { return [] }
    var missing: [String] = []
    // One whose file cannot be read is told already.
    func isAbsent(_ name: String) -> Bool {
      entries.contains { $0.setting.name == name && $0.value == nil && $0.source == .fallback }
    }
    if isAbsent("DATABASE_URL") {
      missing.append("DATABASE_URL is missing: set it to a URL such as postgresql://user:password@host/freshtrack")
    }
    guard need == .server else { return missing }
    switch text("AUTH_MODE") {
    case "stack" where isAbsent("STACK_AUTH_PROJECT_ID"):
      missing.append("STACK_AUTH_PROJECT_ID is missing: set it, or set AUTH_MODE to oidc or local")
    case "oidc":
      for name in ["AUTH_ISSUER", "AUTH_AUDIENCE", "AUTH_JWKS_URL"] where isAbsent(name) {
        missing.append("\(name) is missing: AUTH_MODE is oidc")
      }
    default: break
    }
    return missing
  }

  func text(_ name: String) -> String? {
    guard let entry = entries.first(where: { $0.setting.name == name }) else {
      preconditionFailure("\(name) is not in the table of settings")
    }
    return entry.value
  }

  func int(_ name: String) -> Int? { text(name).flatMap { ASCII.unsigned(Array($0.utf8)) } }
  func flag(_ name: String) -> Bool { text(name).flatMap(Setting.flag) ?? false }
  func list(_ name: String) -> [String] { text(name).map(Setting.items) ?? [] }

  func duration(_ name: String) -> Duration {
    text(name).flatMap { Duration(setting: $0) } ?? .zero
  }

  func isSet(_ name: String) -> Bool { text(name) != nil }
}

extension Settings {
  /// The environment of this process.
  static var processEnvironment: [String: String] {
    var found: [String: String] = [:]
    var next = environ
    while let entry = next.pointee {
      let text = String(cString: entry)
      if let mark = text.firstIndex(of: "=") { found[String(text[..<mark])] = String(text[text.index(after: mark)...]) }
      next += 1
    }
    return found
  }

  /// `NAME  value  (where from)` for people.
  var listing: String {
    let width = entries.map(\.setting.name.utf8.count).max() ?? 0
    return entries.map { setting, value, source in
      let name = setting.name + String(repeating: " ", count: width - setting.name.utf8.count)
      let shown = value.map { setting.isSecret ? "(secret, set)" : $0 } ?? "(not set)"
      switch source {
      case .fallback: return "\(name)  \(shown)"
      case .environment: return "\(name)  \(shown)  (environment)"
      case .file(let path): return "\(name)  \(shown)  (file \(path))"
      }
    }.joined(separator: "\n")
  }

  /// The page docs/SETTINGS.md.
  static var page: String {
    var lines = [
      "# Settings", "",
      "Settings come from the environment. For each `NAME` there is also `NAME_FILE`: the path of a file that holds the",
      "value, as a Docker secret does; the file wins, and its last newline is not part of the value. An empty value counts",
      "as unset. A wrong value or a missing one stops the start, with one line for each problem, and exit code 78.",
      "`freshtrack settings` prints what is in force. This page is written by `freshtrack settings --markdown`.", "",
    ]
    for setting in table {
      lines.append("## `\(setting.name)`")
      lines.append("")
      lines.append(setting.summary)
      lines.append("")
      lines.append("- value: \(setting.expectation)")
      lines.append("- default: \(setting.fallback.map { "`\($0)`" } ?? "none")")
      if let requirement = setting.requirement { lines.append("- required: \(requirement)") }
      if let former = setting.formerName { lines.append("- `\(former)` counts too, while this is not set") }
      if setting.isSecret { lines.append("- secret: never printed or logged") }
      if setting.name != table.last?.name { lines.append("") }
    }
    return lines.joined(separator: "\n")
  }
}

extension Settings {
  /// One object: each name with its value, null when unset, and `"(secret)"` for a secret that is set.
  var json: String {
    let bytes = JSONWriter.bytes { json in
      json.object { json in
        for (setting, value, _) in entries {
          json.field(setting.name, setting.isSecret ? value.map { _ in "(secret)" } : value)
        }
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
