import Glibc

/// One command of the program: its help, its options, and what it does.
struct Command: Sendable {
  /// One or two words: `serve`, `org create`.
  let name: String
  let summary: String
  /// What the help says below the options. Lines of at most 80 columns.
  var details = ""
  var options: [Option] = []
  /// Returns when the command is done. Throws a ``Failure`` to end with its code.
  let run: @Sendable (Arguments) throws -> Void

  static let all: [Command] = [
    serve, dev, migrate, healthcheck, token, orgCreate, apiKeyCreate, simulate, settings,
    adminGrant,
    signingKeyRotate,
  ]

  var help: String {
    var lines = ["freshtrack \(name): \(summary)", ""]
    let usage = options.map { option in
      let text = option.value.map { "\(option.name) \($0)" } ?? option.name
      return option.isRequired ? text : "[\(text)]"
    }
    lines += Self.wrapped(usage, after: "  freshtrack \(name)")
    if !options.isEmpty {
      lines.append("")
      let names = options.map { option in option.value.map { "\(option.name) \($0)" } ?? option.name }
      lines += Self.columns(zip(names, options.map(\.summary)).map { ($0, $1) })
    }
    if !details.isEmpty { lines += ["", details] }
    return lines.joined(separator: "\n")
  }

  /// The words behind `start`, on lines of at most 80 columns.
  private static func wrapped(_ words: [String], after start: String) -> [String] {
    var lines = [start]
    for word in words {
      if lines[lines.count - 1].utf8.count + 1 + word.utf8.count > 80 { lines.append("     ") }
      lines[lines.count - 1] += " " + word
    }
    return lines
  }

  static var overview: String {
    let lines =
      [
        "FreshTrack: cold-chain monitoring for LoRaWAN sensors.", "", "  freshtrack <command> [options]", "",
      ] + columns(all.map { ($0.name, $0.summary) } + [("help", "this page; <command> --help says more")]) + [
        "", "Settings come from the environment: see `freshtrack settings`.",
      ]
    return lines.joined(separator: "\n")
  }

  static func columns(_ rows: [(String, String)]) -> [String] {
    let width = rows.map(\.0.utf8.count).max() ?? 0
    return rows.map { "  \($0)\(String(repeating: " ", count: width - $0.utf8.count))  \($1)" }
  }
}

extension Command {
  /// The command that `words` name, and what follows it.
  static func find(_ words: [String]) throws(Failure) -> (command: Command, rest: ArraySlice<String>) {
    for count in [2, 1] where words.count >= count {
      let name = words[..<count].joined(separator: " ")
      if let command = all.first(where: { $0.name == name }) { return (command, words[count...]) }
    }
    let first = words[0]
    let family = all.filter { $0.name.hasPrefix("\(first) ") }.map(\.name)
    guard family.isEmpty else { throw .usage("say `\(family.joined(separator: "` or `"))`") }
    throw .usage("there is no command '\(first)'; `freshtrack help` lists them")
  }

  /// The whole program: returns its exit code.
  static func main(_ words: [String]) -> CInt {
    guard let first = words.first, !["help", "--help", "-h"].contains(first) else { return help(words.dropFirst()) }
    var name = "freshtrack"
    do throws(Failure) {
      let (command, rest) = try find(words)
      name += " \(command.name)"
      if rest.contains("--help") || rest.contains("-h") {
        Terminal.say(command.help)
        return 0
      }
      let arguments = try Arguments(rest, for: command.options)
      do { try command.run(arguments) } catch let failure as Failure { throw failure } catch {
        throw Failure(.fault, String(describing: error))
      }
      return 0
    } catch {
      var text = error.description
      if error.code == .usage, name != "freshtrack" { text += " (see \(name) --help)" }
      for line in text.split(separator: "\n") { Terminal.complain("\(name): \(line)") }
      return error.code.rawValue
    }
  }

  private static func help(_ words: ArraySlice<String>) -> CInt {
    guard !words.isEmpty else {
      Terminal.say(overview)
      return 0
    }
    do throws(Failure) {
      Terminal.say(try find(Array(words)).command.help)
      return 0
    } catch {
      Terminal.complain("freshtrack: \(error)")
      return error.code.rawValue
    }
  }
}

enum Terminal {
  /// One line on standard output, or several.
  static func say(_ text: String) { put(text, STDOUT_FILENO) }

  /// One line on standard error.
  static func complain(_ line: String) { put(line, STDERR_FILENO) }

  private static func put(_ text: String, _ descriptor: CInt) {
    let bytes = Array("\(text)\n".utf8)
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written) }
      guard count > 0 || errno == EINTR else { return }
      written += max(0, count)
    }
  }

  static var isInteractive: Bool { isatty(STDOUT_FILENO) == 1 }
}
