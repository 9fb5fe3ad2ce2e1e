import Testing

@testable import freshtrack

private let options: [Option] = [
  .value("--port", "PORT", ""), .value("--name", "NAME", "", required: true), .flag("--json", ""),
]

private func refusal(_ words: String...) -> String? {
  do {
    _ = try Arguments(words, for: options)
    return nil
  } catch { return "\(error)" }
}

@Suite("Commands")
struct CommandTests {
  @Test("an option takes its value from the next word or after an equals sign")
  func values() throws {
    for words in [["--name", "x", "--port", "80"], ["--name=x", "--port=80"]] {
      let arguments = try Arguments(words, for: options)
      #expect(arguments.text("--name") == "x")
      #expect(try arguments.int("--port", in: 1...100) == 80)
      #expect(!arguments.has("--json"))
    }
  }

  @Test("wrong use is told in one line that names the word")
  func wrongUse() {
    #expect(refusal("--name", "x", "extra") == "'extra' is not expected here")
    #expect(refusal("--name", "x", "--nope") == "there is no option --nope")
    #expect(refusal("--name", "x", "--por", "1") == "there is no option --por; did you mean --port?")
    #expect(refusal("--name") == "--name needs a value: --name NAME")
    #expect(refusal("--name", "x", "--json=1") == "--json takes no value")
    #expect(refusal("--name", "x", "--name", "y") == "--name is given twice")
    #expect(refusal("--json") == "--name NAME is missing")
  }

  @Test("numbers are whole and in range", arguments: ["0", "101", "-1", "+5", "5x", ""])
  func numbers(text: String) throws {
    let arguments = try Arguments(["--name", "x", "--port", text], for: options)
    #expect(throws: Failure.self) { try arguments.int("--port", in: 1...100) }
  }

  @Test("a command of two words is found before one of one, and half of one says the rest")
  func find() throws {
    #expect(try Command.find(["org", "create", "--json"]).command.name == "org create")
    #expect(try Command.find(["org", "create", "--json"]).rest == ["--json"])
    #expect(throws: Failure.self) { try Command.find(["org"]) }
    #expect(throws: Failure.self) { try Command.find(["nope"]) }
  }

  @Test("every command has a help that fits a terminal and names all of its options")
  func help() {
    for command in Command.all {
      for option in command.options { #expect(command.help.contains("  \(option.name)"), "\(command.name)") }
      #expect(command.details.split(separator: "\n").allSatisfy { $0.count <= 90 }, "\(command.name)")
      #expect(Command.overview.contains(command.name))
    }
    #expect(Set(Command.all.map(\.name)).count == Command.all.count)
  }
}
