import Glibc

/// A program that is started, and waited for by the thread that started it.
struct Subprocess {
  let id: pid_t

  /// Standard input and output are closed; standard error goes to `log`, or nowhere.
  static func spawn(_ arguments: [String], log: String?) throws(PrivateCluster.Failure) -> Subprocess {
    guard let program = arguments.first else { throw PrivateCluster.Failure(description: "no program named") }
    var files = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&files)
    defer { posix_spawn_file_actions_destroy(&files) }
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&files, 1, log ?? "/dev/null", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    posix_spawn_file_actions_adddup2(&files, 1, 2)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A process group of its own: Ctrl-C at the terminal is for us, and we stop the server in order. What the parent
    // blocks or ignores is not passed on.
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETPGROUP) | Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF))
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    sigfillset(&signals)
    posix_spawnattr_setsigdefault(&attributes, &signals)
    var argv: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
    defer { for argument in argv { free(argument) } }
    var id: pid_t = 0
    let code = posix_spawnp(&id, program, &files, &attributes, &argv, environ)
    guard code == 0 else {
      throw PrivateCluster.Failure(description: "cannot start \(program): \(String(cString: strerror(code)))")
    }
    return Subprocess(id: id)
  }

  /// Its exit status, or 128 and the signal that ended it.
  func wait() -> CInt {
    var status: CInt = 0
    while waitpid(id, &status, 0) < 0 { if errno != EINTR { return -1 } }
    return status & 0x7F == 0 ? status >> 8 & 0xFF : 128 + status & 0x7F
  }
}
