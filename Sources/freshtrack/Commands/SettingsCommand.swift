extension Command {
  static let settings = Command(
    name: "settings", summary: "print every setting with its value and where it comes from, without secrets",
    options: [
      .flag("--markdown", "print the page docs/SETTINGS.md instead"),
      .flag("--json", "one JSON object instead, by name"),
    ],
    run: { arguments in
      if arguments.has("--markdown") {
        Terminal.say(Settings.page)
        return
      }
      let settings = try Settings(environment: Settings.processEnvironment)
      Terminal.say(arguments.has("--json") ? settings.json : settings.listing)
    })
}
