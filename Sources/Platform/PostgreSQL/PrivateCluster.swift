import Basics
import CPostgreSQL
import Dispatch
import Glibc
import Synchronization

/// A PostgreSQL server of one's own, for development and tests: on a Unix socket only, and gone with the process that
/// started it.
///
/// PostgreSQL refuses to run as root; started by root, it runs as the user `postgres`.
public final class PrivateCluster: Sendable {
  public struct Failure: Error, Sendable, CustomStringConvertible {
    public let description: String
  }

  public let directory: String
  /// Where the socket lies. Its path may have at most 107 bytes, so it is not under ``directory``.
  public let socketDirectory: String
  private let isDurable: Bool
  private let server = Mutex<Server?>(nil)

  private struct Server {
    let process: Subprocess
    let ended: DispatchSemaphore
  }

  /// - Parameters:
  ///   - directory: holds the data; made when it does not exist. An absolute path.
  ///   - socketDirectory: for the socket and the logs; by default one under `/tmp` that belongs to `directory`.
  ///   - isDurable: false turns fsync off: faster, and lost in a power cut.
  public init(directory: String, socketDirectory: String? = nil, isDurable: Bool = true) {
    self.directory = directory
    self.isDurable = isDurable
    self.socketDirectory = socketDirectory ?? "/tmp/freshtrack-\(Self.fingerprint(directory))"
  }

  /// FNV-1a: a short name that the same directory always gets.
  private static func fingerprint(_ text: String) -> String {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in text.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return Hex.encode((0..<8).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0))) })
  }

  public func url(database: String = "postgres") -> String {
    "host=\(socketDirectory) user=postgres dbname=\(database)"
  }

  /// Blocks until the server takes connections. Not on an event loop's thread.
  public func start() throws(Failure) {
    let programs = try Self.programs()
    try prepareDirectories()
    // Ours would end at once, and the other one would be taken for it.
    guard PQping(url()) == PQPING_NO_RESPONSE else {
      throw Failure(description: "another program runs a server in \(directory) already: stop that one first")
    }
    if !Self.exists("\(directory)/PG_VERSION") { try initialize(programs) }
    let settings = [
      "listen_addresses=", "unix_socket_directories=\(socketDirectory)", "unix_socket_permissions=0700",
      "logging_collector=off", "timezone=UTC", "log_timezone=UTC", "max_connections=200", "shared_buffers=64MB",
    ]
    let haste = isDurable ? [] : ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    var arguments = ["\(programs)/postgres", "-D", directory]
    for setting in settings + haste { arguments += ["-c", setting] }
    let log = Log(of: "\(socketDirectory)/server.log")
    try launch(asServerUser(arguments, diesWithParent: true), log: log.path)
    try waitUntilReady(log)
  }

  /// Disconnects everybody and ends the server in order. Blocks until it has ended.
  public func stop() { end(SIGINT) }

  /// Ends the server as a crash would: for tests.
  public func crash() { end(SIGQUIT) }

  private func end(_ signal: CInt) {
    guard let server = server.withLock({ server in server.take() }) else { return }
    kill(server.process.id, signal)
    server.ended.wait()
  }

  // MARK: - Steps

  private func prepareDirectories() throws(Failure) {
    for path in [socketDirectory, directory] {
      if mkdir(path, 0o700) != 0, errno != EEXIST {
        throw Failure(description: "cannot make \(path): \(String(cString: strerror(errno)))")
      }
      guard getuid() == 0 else {
        var status = stat()
        guard stat(path, &status) == 0, status.st_uid == getuid() else {
          throw Failure(description: "\(path) belongs to another user: remove it, or start as that user")
        }
        continue
      }
      guard let user = getpwnam("postgres") else {
        throw Failure(description: "running as root needs the user postgres: apt-get install postgresql")
      }
      guard chown(path, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
        throw Failure(description: "cannot give \(path) to the user postgres: \(String(cString: strerror(errno)))")
      }
    }
  }

  private func initialize(_ programs: String) throws(Failure) {
    let log = Log(of: "\(socketDirectory)/initdb.log")
    let arguments = [
      "\(programs)/initdb", "-D", directory, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
      isDurable ? "--data-checksums" : "--no-sync",
    ]
    let status = try Subprocess.spawn(asServerUser(arguments, diesWithParent: false), log: log.path).wait()
    guard status == 0 else {
      throw Failure(
        description:
          "initdb failed with status \(status)\(log.reason). Its user must be able to reach \(directory)")
    }
  }

  /// The server dies with the *thread* that started it (PR_SET_PDEATHSIG), so that thread waits for its end.
  private func launch(_ arguments: [String], log: String) throws(Failure) {
    let started = DispatchSemaphore(value: 0)
    let ended = DispatchSemaphore(value: 0)
    let outcome = Mutex<Result<Subprocess, Failure>?>(nil)
    DispatchQueue(label: "postgres").async {
      do throws(Failure) {
        let process = try Subprocess.spawn(arguments, log: log)
        outcome.withLock { $0 = .success(process) }
        started.signal()
        _ = process.wait()
      } catch {
        outcome.withLock { $0 = .failure(error) }
        started.signal()
      }
      ended.signal()
    }
    started.wait()
    guard let result = outcome.withLock({ $0 }) else { return }
    let process = try result.get()
    server.withLock { $0 = Server(process: process, ended: ended) }
  }

  private func waitUntilReady(_ log: Log) throws(Failure) {
    let url = url()
    for _ in 0..<3000 {
      if PQping(url) == PQPING_OK { return }
      let hasEnded = server.withLock { server in
        guard let ended = server?.ended, ended.wait(timeout: .now()) == .success else { return server == nil }
        server = nil
        return true
      }
      if hasEnded {
        throw Failure(description: "the private PostgreSQL ended at once\(log.reason)")
      }
      usleep(10_000)
    }
    stop()
    throw Failure(description: "the private PostgreSQL was not ready within 30 s\(log.reason)")
  }

  private func asServerUser(_ arguments: [String], diesWithParent: Bool) -> [String] {
    let user = getuid() == 0 ? ["--reuid=postgres", "--regid=postgres", "--init-groups"] : []
    let death = diesWithParent ? ["--pdeathsig", "INT"] : []
    return user.isEmpty && death.isEmpty ? arguments : ["setpriv"] + user + death + ["--"] + arguments
  }

  /// Where a program writes, from what is there already.
  private struct Log {
    let path: String
    private let start: Int

    init(of path: String) {
      self.path = path
      var status = stat()
      start = stat(path, &status) == 0 ? status.st_size : 0
    }

    /// Why the program gave up, as far as it said so, and where the rest stands.
    var reason: String {
      guard let file = fopen(path, "re") else { return "" }
      defer { fclose(file) }
      fseek(file, start, SEEK_SET)
      var reason = ""
      var last = ""
      var buffer = [CChar](repeating: 0, count: 1024)
      while fgets(&buffer, CInt(buffer.count), file) != nil {
        let line = String(decoding: buffer.prefix { $0 != 0 && $0 != 10 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        if !line.isEmpty { last = line }
        let words = line.split(separator: " ")
        if let mark = words.firstIndex(where: { ["FATAL:", "PANIC:", "error:"].contains($0) }) {
          reason = words[(mark + 1)...].joined(separator: " ")
        }
      }
      let told = reason.isEmpty ? last : reason
      return (told.isEmpty ? "" : ": \(told)") + " (log: \(path))"
    }
  }

  // MARK: - Finding PostgreSQL

  /// The directory with `initdb` and `postgres`: of the newest version that Debian's packages installed, or on the
  /// PATH.
  private static func programs() throws(Failure) -> String {
    let root = "/usr/lib/postgresql"
    let versions = entries(of: root).compactMap { ASCII.unsigned(Array($0.utf8)) }.sorted(by: >)
    var candidates = versions.map { "\(root)/\($0)/bin" }
    if let path = getenv("PATH") { candidates += String(cString: path).split(separator: ":").map(String.init) }
    candidates += ["/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql/bin"]
    guard let found = candidates.first(where: { exists("\($0)/initdb") && exists("\($0)/postgres") }) else {
      throw Failure(description: "PostgreSQL is not installed: apt-get install postgresql")
    }
    return found
  }

  private static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  private static func entries(of directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) {
          $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        })
    }
    return names
  }
}
