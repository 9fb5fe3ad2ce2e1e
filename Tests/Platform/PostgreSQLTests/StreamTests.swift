import Basics
import Glibc
import Runtime
import TestSupport
import Testing

@testable import PostgreSQL

@Suite(.serialized) struct StreamTests {
  @Test func `a hundred thousand rows pass through bounded memory`() async throws {
    try await withDatabase { database in
      var seen: Int64 = 0
      var bytes = 0
      var largest = 0
      var chunks = JSONArrayChunks()
      // About 300 MB in all; the whole of it would show.
      let before = residentBytes()
      try await database.stream("SELECT i, repeat('x', 3000) AS pad FROM generate_series(1, 100000) i") { batch in
        for row in batch {
          seen += 1
          guard try row.int(0) == seen else { throw DatabaseError(.usage, "out of order at \(seen)") }
        }
        chunks.append(batch)
        if chunks.count > 30_000 { bytes += chunks.take().count }
        largest = max(largest, residentBytes() - before)
      }
      bytes += chunks.finish().count
      #expect(seen == 100_000)
      #expect(bytes > 300_000_000)
      #expect(largest < 150_000_000)
    }
  }

  @Test func `a consumer that throws ends the stream, and the connection goes on`() async throws {
    struct Enough: Error {}
    try await withDatabase({ $0.connectionsMax = 1 }) { database in
      var batches = 0
      let thrown = await failure(of: Enough.self) {
        try await database.stream("SELECT i FROM generate_series(1, 100000000) i") { _ in
          batches += 1
          if batches == 3 { throw Enough() }
        }
      }
      #expect(thrown != nil)
      #expect(batches == 3)
      let answer = try await database.query("SELECT 1")[0].int(0)
      #expect(answer == 1)
    }
  }

  @Test func `an error in the middle of a stream comes after its rows`() async throws {
    try await withDatabase { database in
      var seen = 0
      let broken = await failure {
        try await database.stream("SELECT 1 / (5000 - i) FROM generate_series(1, 10000) i") { seen += $0.count }
      }
      #expect(broken?.sqlState == SQLState("22012"))
      #expect(seen == 4999)
    }
  }

  @Test func `COPY takes text and binary rows, and more than the socket holds`() async throws {
    try await withDatabase { database in
      try await database.execute("CREATE TABLE t (id int8, name text, at timestamptz, amount numeric)")
      let lines = Array("1\ta\t2026-01-01T00:00:00Z\t1.5\n2\t\\N\t\\N\t\\N\n".utf8)
      let text = try await database.copyIn("COPY t FROM STDIN") { try await $0.write(lines) }
      #expect(text == 2)
      let binary = try await database.copyIn("COPY t FROM STDIN (FORMAT binary)") { writer in
        for id in 0..<50_000 {
          try await writer.row([
            .int(id), .text("unit \(id)"), .timestamp(Instant(seconds: Int64(id))), .hundredths(Int64(id)),
          ])
        }
      }
      #expect(binary == 50_000)
      let row = try await database.query("SELECT count(*), sum(amount), max(at) FROM t")[0]
      #expect(try row.int(0) == 50_002)
      #expect(try row.double(1) == 12_499_751.5)
    }
  }

  @Test func `a COPY that fails leaves nothing, and the connection goes on`() async throws {
    struct Stop: Error {}
    try await withDatabase({ $0.connectionsMax = 1 }) { database in
      try await database.execute("CREATE TABLE t (id int8)")
      let bad = await failure {
        try await database.copyIn("COPY t FROM STDIN") { writer in
          let lines = Array(String(repeating: "1\n", count: 100_000).utf8)
          try await writer.write(lines)
          try await writer.write(Array("no number\n".utf8))
          for _ in 0..<20 { try await writer.write(lines) }
        }
      }
      #expect(bad?.kind == .invalidValue)
      let stopped = await failure(of: Stop.self) {
        try await database.copyIn("COPY t FROM STDIN") { writer in
          try await writer.write(Array("1\n".utf8))
          throw Stop()
        }
      }
      #expect(stopped != nil)
      let absent = await failure { try await database.copyIn("COPY absent FROM STDIN") { _ in } }
      #expect(absent?.sqlState == .undefinedTable)
      let count = try await database.query("SELECT count(*) FROM t")[0].int(0)
      #expect(count == 0)
    }
  }

  @Test func `a transaction may copy, stream and query`() async throws {
    try await withDatabase { database in
      try await database.execute("CREATE TABLE t (id int8)")
      try await database.transaction { connection in
        try await connection.copyIn("COPY t FROM STDIN") { try await $0.write(Array("1\n2\n".utf8)) }
        var sum: Int64 = 0
        try await connection.stream("SELECT id FROM t") { for row in $0 { sum += try row.int(0) } }
        try await connection.execute("INSERT INTO t VALUES ($1)", [.int(sum)])
      }
      let ids = try await database.query("SELECT array_agg(id) FROM t")[0].ints(0)
      #expect(ids == [1, 2, 3])
    }
  }

  @Test func `notifications arrive in order, also after a lost connection`() async throws {
    try await withDatabase { database in
      let heard = Heard()
      let listener = Listener(database.configuration, channels: ["alerts", "Mixed"])
      let task = Reactor.current.spawn { await listener.run { heard.events.append($0) } }
      func until(_ count: Int) async throws {
        while heard.events.count < count { try await Reactor.current.sleep(for: .milliseconds(2)) }
      }
      try await until(1)
      try await database.execute("SELECT pg_notify('alerts', 'one'), pg_notify('Mixed', 'two')")
      try await until(3)
      try await database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'")
      try await until(4)
      try await database.execute("NOTIFY alerts, 'three'")
      try await until(5)
      task.cancel()
      await task.finished()
      #expect(
        heard.events == [
          .connected, .notification(channel: "alerts", payload: "one"), .notification(channel: "Mixed", payload: "two"),
          .connected, .notification(channel: "alerts", payload: "three"),
        ])
    }
  }
}

private final class Heard {
  var events: [Listener.Event] = []
}

private func residentBytes() -> Int {
  guard let file = fopen("/proc/self/statm", "r") else { return 0 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 128)
  guard fgets(&line, 128, file) != nil else { return 0 }
  let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
    separator: " ")
  return fields.count > 1 ? (Int(fields[1]) ?? 0) * 4096 : 0
}
