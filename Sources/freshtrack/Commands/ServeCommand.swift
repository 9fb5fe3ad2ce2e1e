extension Command {
  static let serve = Command(
    name: "serve", summary: "the HTTP server and all background jobs",
    details: """
      Logs one line `listening` with the address when it is ready. SIGTERM: answers 503
      to /health/ready, finishes what it began within SHUTDOWN_GRACE, and exits with 0.
      """,
    options: [
      .flag("--no-jobs", "only answer requests: another process runs the jobs"),
      .flag("--jobs-only", "only run the jobs, and answer /health and /metrics"),
    ],
    run: { arguments in
      guard !(arguments.has("--no-jobs") && arguments.has("--jobs-only")) else {
        throw Failure.usage("--no-jobs and --jobs-only exclude each other")
      }
      let settings = try Settings(environment: Settings.processEnvironment, for: .server)
      let stop = StopSignal()
      let work: Server.Work =
        arguments.has("--no-jobs") ? .requests : arguments.has("--jobs-only") ? .jobs : .everything
      let server = try Server(settings, work: work)
      stop.wait()
      server.stop()
    })
}
