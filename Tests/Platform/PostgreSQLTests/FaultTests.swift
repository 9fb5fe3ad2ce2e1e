import Basics
import Foundation
import Glibc
import Runtime
import TestSupport
import Testing

@testable import PostgreSQL

@Suite struct FaultTests {
  @Test func `a statement that is too slow is cancelled, and its connection goes on`() async throws {
    try await withDatabase({ $0.connectionsMax = 1 }) { database in
      let process = try await database.query("SELECT pg_backend_pid()")[0].int(0)
      let slow = await failure { _ = try await database.query("SELECT pg_sleep(60)", timeout: .milliseconds(50)) }
      #expect(slow?.kind == .timeout)
      #expect(slow?.sqlState == .queryCanceled)
      let answer1 = try await database.query("SELECT pg_backend_pid()")[0].int(0)
      #expect(answer1 == process)
    }
  }

  @Test func `the server ends a statement at the pool's timeout, and a longer one can be asked for`() async throws {
    try await withDatabase({ $0.statementTimeout = .milliseconds(100) }) { database in
      let slow = await failure { _ = try await database.query("SELECT pg_sleep(60)") }
      #expect(slow?.kind == .timeout)
      let longer = try await database.query("SHOW statement_timeout", timeout: .seconds(20))[0].text(0)
      #expect(longer == "20s")
      let usual = try await database.query("SHOW statement_timeout")[0].text(0)
      #expect(usual == "100ms")
    }
  }

  @Test func `a cancelled task cancels its statement on the server`() async throws {
    try await withDatabase({ $0.connectionsMax = 2 }) { database in
      let reactor = Reactor.current
      let outcome = Outcome()
      let task = reactor.spawn {
        outcome.error = await failure { _ = try await database.query("SELECT pg_sleep(60) /* victim */") }
      }
      let running: SQL = """
        SELECT count(*) FROM pg_stat_activity
        WHERE query LIKE '%victim%' AND query NOT LIKE '%activity%' AND state = 'active'
        """
      while try await database.query(running)[0].int(0) == 0 { try await reactor.sleep(for: .milliseconds(5)) }
      task.cancel()
      await task.finished()
      #expect(outcome.error?.kind == .cancelled)
      let answer2 = try await database.query(running)[0].int(0)
      #expect(answer2 == 0)
    }
  }

  @Test func `a server that says nothing does not keep all the threads on which something may block`() async throws {
    let root = "/tmp/freshtrack-silent-\(getpid())"
    let cluster = PrivateCluster(directory: root + "/data", socketDirectory: root, isDurable: false)
    try cluster.start()
    defer {
      for process in cluster.processes() { kill(process, SIGCONT) }
      cluster.stop()
      removeTree(root)
    }
    var configuration = try DatabaseConfiguration(url: cluster.url())
    configuration.connectionsMax = 24
    let place = configuration
    try await onLoop {
      let database = Database(place)
      defer { database.close() }
      let reactor = Reactor.current
      let crowd = Crowd()
      let tasks = (0..<24).map { _ in
        reactor.spawn {
          let error = await failure {
            try await database.withConnection { connection in
              _ = try await connection.query("SELECT 1")
              crowd.connected += 1
              while !crowd.isSilent { try await reactor.sleep(for: .milliseconds(5)) }
              _ = try await connection.query("SELECT 1", timeout: .milliseconds(100))
            }
          }
          if error?.kind == .timeout { crowd.timeouts += 1 }
        }
      }
      while crowd.connected < 24 { try await reactor.sleep(for: .milliseconds(5)) }
      for process in cluster.processes() { kill(process, SIGSTOP) }
      crowd.isSilent = true
      for task in tasks { await task.finished() }
      #expect(crowd.timeouts == 24)
      for _ in 0..<20 {
        let isDone = try await reactor.result(within: .seconds(20)) { try await Blocking.run { true } }
        #expect(isDone == true)
        if isDone == nil { break }
      }
    }
  }

  @Test func `a task that is cancelled already sends nothing`() async throws {
    try await withDatabase { database in
      let outcome = Outcome()
      let task = Reactor.current.spawn {
        outcome.error = await failure { _ = try await database.query("SELECT 1") }
      }
      task.cancel()
      await task.finished()
      #expect(outcome.error?.kind == .cancelled)
    }
  }

  @Test func `an exhausted pool refuses after its time, and serves in order`() async throws {
    try await withDatabase({
      $0.connectionsMax = 1
      $0.waitersMax = 1
      $0.acquireTimeout = .milliseconds(50)
    }) { database in
      let outcome = Outcome()
      while await failure({ try await database.execute("SELECT 1") }) != nil {}
      try await database.withConnection { _ in
        let waiting = Reactor.current.spawn {
          outcome.error = await failure { _ = try await database.query("SELECT 1") }
        }
        try await Reactor.current.sleep(for: .milliseconds(1))
        let refused = await failure { _ = try await database.query("SELECT 1") }
        #expect(refused?.kind == .poolExhausted)
        await waiting.finished()
        #expect(outcome.error?.kind == .poolExhausted)
      }
      let answer3 = try await database.query("SELECT 1")[0].int(0)
      #expect(answer3 == 1)
    }
  }

  @Test func `a connection that the server ends under a statement is replaced`() async throws {
    try await withDatabase({ $0.connectionsMax = 2 }) { database in
      let lost = await failure { _ = try await database.query("SELECT pg_terminate_backend(pg_backend_pid())") }
      #expect(lost?.kind == .connectionLost)
      #expect(lost?.sqlState == .adminShutdown)
      // An idle one that dies is noticed before it is lent.
      let process = try await database.query("SELECT pg_backend_pid()")[0].int(0)
      try await database.withConnection { connection in
        try await connection.execute("SELECT 1")
        try await database.execute(
          "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND pid <> pg_backend_pid()",
          [.int(process)])
      }
      try await Reactor.current.sleep(for: .milliseconds(50))
      let answer4 = try await database.query("SELECT 1")[0].int(0)
      #expect(answer4 == 1)
    }
  }

  @Test func `a connection lost during COMMIT leaves the outcome open`() async throws {
    try await withDatabase { database in
      try await database.withConnection { connection in
        try await connection.script(
          """
          CREATE TABLE t (id int);
          CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1); RETURN NULL; END $$;
          CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die();
          """)
      }
      let lost = await failure {
        _ = try await database.transaction { try await $0.execute("INSERT INTO t VALUES (1)") }
      }
      #expect(lost?.kind == .commitUnknown)
    }
  }

  @Test func `a lock that is not granted in time is told apart`() async throws {
    try await withDatabase { database in
      try await database.execute("CREATE TABLE t (id int)")
      try await database.transaction { holder in
        try await holder.execute("LOCK TABLE t")
        let blocked = await failure {
          try await database.transaction { connection in
            try await connection.execute("SET LOCAL lock_timeout = '20ms'")
            try await connection.execute("INSERT INTO t VALUES (1)")
          }
        }
        #expect(blocked?.kind == .lockTimeout)
      }
    }
  }

  @Test func `a server that crashes and comes back is found again`() async throws {
    let root = "/tmp/freshtrack-crash-\(getpid())"
    let cluster = PrivateCluster(directory: root + "/data", socketDirectory: root, isDurable: false)
    try cluster.start()
    defer {
      cluster.stop()
      removeTree(root)
    }
    let second = PrivateCluster(directory: root + "/data", socketDirectory: root, isDurable: false)
    #expect(throws: PrivateCluster.Failure.self) { try second.start() }
    let configuration = try DatabaseConfiguration(url: cluster.url())
    try await onLoop {
      let database = Database(configuration)
      defer { database.close() }
      try await database.execute("SELECT 1")
      try await Blocking.run { cluster.crash() }
      while let error = await failure({ try await database.execute("SELECT 1") }), error.kind == .connectionLost {}
      let away = await failure { try await database.execute("SELECT 1") }
      #expect(away?.kind == .unavailable)
      try await Blocking.run { try cluster.start() }
      while await failure({ try await database.execute("SELECT 1") }) != nil {
        try await Reactor.current.sleep(for: .milliseconds(5))
      }
    }
  }

  @Test func `a server that does not answer is unavailable, and no pool exhausted`() async throws {
    try await onLoop {
      let socket = try Socket.listen(on: #require(SocketAddress(host: "127.0.0.1", port: 0)), sharingPort: false)
      defer { Socket.close(socket) }
      let port = try #require(Socket.localAddress(socket)).port
      var configuration = try DatabaseConfiguration(url: "postgresql://u@127.0.0.1:\(port)/x?sslmode=disable")
      configuration.acquireTimeout = .milliseconds(20)
      let database = Database(configuration)
      defer { database.close() }
      let silent = await failure { try await database.execute("SELECT 1") }
      #expect(silent?.kind == .unavailable)
    }
  }

  @Test func `a private server that cannot start says why in one line`() throws {
    let root = "/tmp/freshtrack-broken-\(getpid())"
    let data = root + "/data"
    try FileManager.default.createDirectory(
      atPath: data, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    defer { removeTree(root) }
    // What a newer PostgreSQL finds of an older one.
    try "9.6\n".write(toFile: data + "/PG_VERSION", atomically: false, encoding: .utf8)
    try "".write(toFile: data + "/postgresql.conf", atomically: false, encoding: .utf8)
    let cluster = PrivateCluster(directory: data, socketDirectory: root, isDurable: false)
    let failure = #expect(throws: PrivateCluster.Failure.self) { try cluster.start() }
    let line = failure?.description ?? ""
    #expect(line.contains("database files are incompatible with server"))
    #expect(!line.contains("\n"))
  }

  @Test func `a wrong address is unavailable and names no password`() async throws {
    let configuration = try DatabaseConfiguration(url: "postgresql://u:secret@127.0.0.1:1/x")
    try await onLoop {
      let database = Database(configuration)
      defer { database.close() }
      let refused = await failure { try await database.execute("SELECT 1") }
      #expect(refused?.kind == .unavailable)
      #expect(refused.map { !"\($0)".contains("secret") } == true)
    }
    #expect(!"\(configuration)".contains("secret"))
    let typo = #expect(throws: DatabaseError.self) { try DatabaseConfiguration(url: "postgres//u:secret@h/x") }
    #expect(typo.map { !"\($0)".contains("secret") } == true)
  }
}

/// What a task on the same loop found out.
private final class Outcome {
  var error: DatabaseError?
}

private final class Crowd {
  var connected = 0
  var isSilent = false
  var timeouts = 0
}
