import Basics
import Runtime
import TestSupport
import Testing

@testable import PostgreSQL

@Suite struct StatementTests {
  @Test func `a query returns typed rows`() async throws {
    try await withDatabase { database in
      let id = UUID.v4()
      let now = Instant(microseconds: 1_700_000_000_123_456)
      let rows = try await database.query(
        """
        SELECT $1::uuid AS id, $2::timestamptz AS at, $3::int8 AS count, $4::float8 AS ratio, $5::text AS name,
          $6::bytea AS data, $7::numeric AS price, $8::bool AS flag, NULL::text AS nothing, 7::int2, 8::int4, 2.5::numeric
        """,
        [
          .uuid(id), .timestamp(now), .int(42), .double(0.1), .text("åäö"), .bytes([0, 255]), .hundredths(-450),
          .bool(true),
        ])
      let row = rows[0]
      #expect(rows.count == 1)
      #expect(try row.uuid("id") == id)
      #expect(try row.instant(1) == now)
      #expect(try row.int("count") == 42)
      #expect(try row.double(3) == 0.1)
      #expect(try row.text("name") == "åäö")
      #expect(try row.bytes(5) == [0, 255])
      #expect(try row.hundredths("price") == -450)
      #expect(try row.bool(7))
      #expect(try row.optionalText(8) == nil)
      #expect(try row.int(9) == 7)
      #expect(try row.int(10) == 8)
      #expect(try row.double(11) == 2.5)
      #expect(throws: DatabaseError.self) { try row.text(8) }
      #expect(throws: DatabaseError.self) { try row.int(4) }
      #expect(throws: DatabaseError.self) { try row.int(12) }
      #expect(throws: DatabaseError.self) { try row.int("absent") }
    }
  }

  @Test func `text fits enumerations and json, and NULL fits everything`() async throws {
    try await withDatabase { database in
      try await database.withConnection { connection in
        try await connection.script(
          """
          CREATE TYPE kind AS ENUM ('fridge', 'freezer');
          CREATE TABLE units (id int PRIMARY KEY, kind kind, data jsonb, limits numeric(5, 2), seen timestamptz, kinds kind[]);
          """)
      }
      let insert: SQL = "INSERT INTO units VALUES ($1, $2, $3, $4, $5, $6::text[]::kind[])"
      let full: [Value] = [
        1, "freezer", .json(Array(#"{"a": 1}"#.utf8)), .numeric("-18.50"), .timestamp(Instant(seconds: 0)),
        .texts(["fridge", nil]),
      ]
      #expect(try await database.execute(insert, full) == 1)
      #expect(try await database.execute(insert, [2, nil, nil, nil, nil, nil]) == 1)
      #expect(try await database.execute(insert, [3, "fridge", nil, .hundredths(400), nil, .texts([])]) == 1)
      let json = try await database.jsonArray("SELECT * FROM units ORDER BY id").bytes
      #expect(
        String(decoding: json, as: UTF8.self) == """
          [{"id":1,"kind":"freezer","data":{"a": 1},"limits":-18.5,"seen":"1970-01-01T00:00:00.000Z","kinds":["fridge",null]},\
          {"id":2,"kind":null,"data":null,"limits":null,"seen":null,"kinds":null},\
          {"id":3,"kind":"fridge","data":null,"limits":4,"seen":null,"kinds":[]}]
          """)
      #expect(try await database.jsonObject("SELECT id FROM units WHERE id = $1", [9]) == nil)
      #expect(try await database.query("SELECT kinds FROM units WHERE id = 1")[0].texts(0) == ["fridge", nil])
    }
  }

  @Test func `the server's errors are told by kind`() async throws {
    try await withDatabase { database in
      try await database.withConnection { connection in
        try await connection.script(
          """
          CREATE TABLE sites (id int CONSTRAINT sites_pk PRIMARY KEY, name text NOT NULL CONSTRAINT short CHECK (length(name) < 5));
          CREATE TABLE areas (site int CONSTRAINT areas_site REFERENCES sites);
          INSERT INTO sites VALUES (1, 'a');
          """)
      }
      func failure(_ sql: SQL, _ parameters: [Value] = []) async -> DatabaseError? {
        await TestSupport.failure { _ = try await database.query(sql, parameters) }
      }
      #expect(await failure("INSERT INTO sites VALUES (1, 'b')")?.kind == .uniqueViolation(constraint: "sites_pk"))
      #expect(await failure("INSERT INTO sites VALUES (2, NULL)")?.kind == .notNullViolation(column: "name"))
      #expect(await failure("INSERT INTO sites VALUES (2, 'too long')")?.kind == .checkViolation(constraint: "short"))
      #expect(
        await failure("INSERT INTO areas VALUES ($1)", [9])?.kind == .foreignKeyViolation(constraint: "areas_site"))
      #expect(await failure("SELECT $1::uuid", ["no"])?.kind == .invalidValue)
      #expect(await failure("SELECT nothing")?.sqlState == SQLState("42703"))
      #expect(await failure("SELECT $1::text", [.text("a\0b")])?.kind == .usage)
      // The connection is as good as new.
      #expect(try await database.query("SELECT 1")[0].int(0) == 1)
    }
  }

  @Test func `a pipeline is one transaction, and names the statement that failed`() async throws {
    try await withDatabase { database in
      try await database.execute("CREATE TABLE t (id int PRIMARY KEY)")
      let results = try await database.pipeline([
        ("INSERT INTO t VALUES ($1)", [1]), ("INSERT INTO t VALUES ($1)", [2]), ("SELECT count(*) FROM t", []),
      ])
      #expect(results.map(\.affected) == [1, 1, 1])
      #expect(try results[2][0].int(0) == 2)
      do throws(DatabaseError) {
        _ = try await database.pipeline([
          ("INSERT INTO t VALUES ($1)", [3]), ("INSERT INTO t VALUES ($1)", [1]),
          ("INSERT INTO t VALUES ($1 + 1)", [4]),
        ])
        Issue.record("the second statement violates the key")
      } catch {
        #expect(error.kind == .uniqueViolation(constraint: "t_pkey"))
        #expect(error.statementIndex == 1)
      }
      #expect(try await database.query("SELECT count(*) FROM t")[0].int(0) == 2)
      #expect(try await database.execute("INSERT INTO t VALUES ($1 + 1)", [4]) == 1)
    }
  }

  @Test func `a transaction commits, and rolls back when its body throws`() async throws {
    struct Refused: Error {}
    try await withDatabase { database in
      try await database.execute("CREATE TABLE t (id int PRIMARY KEY)")
      try await database.transaction { connection in
        try await connection.execute("INSERT INTO t VALUES (1)")
        try await connection.execute("INSERT INTO t VALUES (2)")
      }
      let refused = await failure(of: Refused.self) {
        try await database.transaction { connection in
          try await connection.execute("INSERT INTO t VALUES (3)")
          throw Refused()
        }
      }
      #expect(refused != nil)
      // An error that the body swallows must not pass for a commit.
      let swallowed = await failure {
        try await database.transaction { connection in
          try await connection.execute("INSERT INTO t VALUES (4)")
          _ = try? await connection.execute("INSERT INTO t VALUES (1)")
        }
      }
      #expect(swallowed?.kind == .server)
      try await database.transaction { _ in }
      #expect(try await database.query("SELECT array_agg(id ORDER BY id) FROM t")[0].ints(0) == [1, 2])
    }
  }

  @Test func `a serialization failure is tried again`() async throws {
    try await withDatabase { database in
      var attempts = 0
      let answer = try await database.transaction(retries: 2) { connection in
        attempts += 1
        try await connection.execute("SELECT 1")
        if attempts < 3 {
          try await connection.execute("DO $$ BEGIN RAISE EXCEPTION 'again' USING ERRCODE = '40001'; END $$")
        }
        return attempts
      }
      #expect(answer == 3)
    }
  }

  @Test func `statements survive a change of their table, and eviction`() async throws {
    try await withDatabase({ $0.connectionsMax = 1 }) { database in
      try await database.execute("CREATE TABLE t (id int)")
      try await database.execute("INSERT INTO t VALUES (1)")
      #expect(try await database.query("SELECT * FROM t")[0].count == 1)
      try await database.execute("ALTER TABLE t ADD COLUMN name text DEFAULT 'x'")
      #expect(try await database.query("SELECT * FROM t")[0].count == 2)
      for number in 0..<600 {
        #expect(try await database.query(SQL(unchecked: "SELECT \(number)"))[0].int(0) == Int64(number))
      }
      #expect(try await database.query("SELECT count(*) FROM pg_prepared_statements")[0].int(0) <= 257)
      try await database.execute("DEALLOCATE ALL")
      #expect(try await database.query("SELECT * FROM t")[0].count == 2)
    }
  }

  @Test func `without prepared statements nothing stays on the server`() async throws {
    try await withDatabase({
      $0.connectionsMax = 1
      $0.preparedStatements = false
    }) { database in
      for number in 0..<3 {
        #expect(try await database.query("SELECT $1::int8", [.int(number)])[0].int(0) == Int64(number))
      }
      let sums = try await database.pipeline([("SELECT $1::int8 + 1", [1]), ("SELECT $1::text", ["a"])])
      #expect(try sums[0][0].int(0) == 2)
      #expect(try await database.query("SELECT count(*) FROM pg_prepared_statements")[0].int(0) == 0)
    }
  }
}
