import Glibc

@main enum Main {
  static func main() {
    // A reader that went away must not end the program: writes say EPIPE instead.
    signal(SIGPIPE, SIG_IGN)
    exit(Command.main(Array(CommandLine.arguments.dropFirst())))
  }
}
