import JSON

extension Command {
  static let healthcheck = Command(
    name: "healthcheck", summary: "ask the server on this machine how it is: exit 0 when it can serve, else 1",
    details: "Asks /health at HOST and PORT. For a container, so that the image needs no curl.",
    options: [.value("--url", "URL", "another server")],
    run: { arguments in
      let settings = try Settings(environment: Settings.processEnvironment)
      let port = settings.int("PORT") ?? 3000
      let url = arguments.text("--url") ?? "http://\(Self.reachable(settings.text("HOST") ?? "")):\(port)"
      do {
        var http = PlainHTTP(try HTTPTarget(url))
        let (status, body) = try http.send("GET", "/health")
        let word = (try? JSONDocument(body))?.root["status"]?.string ?? "status \(status)"
        guard status == 200 else { throw Failure(.failed, word) }
        Terminal.say(word)
      } catch let failure as Failure where failure.code == .unavailable {
        throw Failure(.failed, failure.description)
      }
    })

  /// The address at which a server that listens on `host` is reached from this machine.
  private static func reachable(_ host: String) -> String {
    switch host {
    case "", "0.0.0.0": "127.0.0.1"
    case "::": "[::1]"
    default: host.contains(":") ? "[\(host)]" : host
    }
  }
}
