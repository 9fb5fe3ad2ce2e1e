import Basics
import Runtime
import TestSupport
import Testing

@testable import PostgreSQL

@Suite struct RoundTripTests {
  /// xorshift64*: the same numbers for the same seed.
  struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
      state ^= state >> 12
      state ^= state << 25
      state ^= state >> 27
      return state &* 2_685_821_657_736_338_717
    }
  }

  @Test func `arrays come back as they were sent, with their NULLs`() async throws {
    let seed = SecureRandom.uint64() | 1
    print("seed", seed)
    try await withDatabase { database in
      var random = Seeded(state: seed)
      for count in [0, 1, 2, 7, 100, 3000] {
        func some<T>(_ make: (inout Seeded) -> T) -> [T?] {
          (0..<count).map { _ in Int.random(in: 0..<5, using: &random) == 0 ? nil : make(&random) }
        }
        let bools = some { Bool.random(using: &$0) }
        let int2s = some { Int16.random(in: .min ... .max, using: &$0) }
        let int4s = some { Int32.random(in: .min ... .max, using: &$0) }
        let ints = some { Int64.random(in: .min ... .max, using: &$0) }
        let doubles = some { Double(bitPattern: $0.next()) }.map { $0.map { $0.isNaN ? 1.5 : $0 } }
        let texts = some { random in
          String(
            (0..<Int.random(in: 0..<20, using: &random)).map { _ in
              ["a", "ö", "{", "\"", "\\", ",", "🧊", "NULL"].randomElement(using: &random) ?? ""
            }.joined())
        }
        let byteas = some { random in
          (0..<Int.random(in: 0..<20, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
        }
        let uuids = some { UUID(high: $0.next(), low: $0.next()) }
        let instants = some {
          Instant(microseconds: Int64.random(in: -62_135_596_800_000_000...253_402_300_799_999_999, using: &$0))
        }
        let hundredths = some { Int64.random(in: .min ... .max, using: &$0) >> Int64.random(in: 0..<64, using: &$0) }
        let row = try await database.query(
          """
          SELECT $1::bool[], $2::int2[], $3::int4[], $4::int8[], $5::float8[], $6::text[], $7::bytea[], $8::uuid[],
            $9::timestamptz[], $10::numeric[], (SELECT array_agg(n::text) FROM unnest($10::numeric[]) n)
          """,
          [
            .bools(bools), .int2s(int2s), .int4s(int4s), .ints(ints), .doubles(doubles), .texts(texts), .byteas(byteas),
            .uuids(uuids), .timestamps(instants), .hundredthsArray(hundredths),
          ])[0]
        #expect(try row.bools(0) == bools)
        #expect(try row.ints(1) == int2s.map { $0.map { Int64($0) } })
        #expect(try row.ints(2) == int4s.map { $0.map { Int64($0) } })
        #expect(try row.ints(3) == ints)
        #expect(try row.doubles(4) == doubles)
        #expect(try row.texts(5) == texts)
        #expect(try row.byteas(6) == byteas)
        #expect(try row.uuids(7) == uuids)
        #expect(try row.instants(8) == instants)
        #expect(try row.hundredthsArray(9) == hundredths)
        if count > 0 {
          // What PostgreSQL itself reads is the same decimal number.
          let decimal = hundredths.map { value in
            value.map { value in
              let cents = String(value.magnitude % 100)
              return "\(value < 0 ? "-" : "")\(value.magnitude / 100).\(cents.count < 2 ? "0" : "")\(cents)"
            }
          }
          #expect(try row.texts(10) == decimal)
        }
      }
    }
  }

  @Test func `numbers that JSON does not have are null, and the others are exact`() async throws {
    try await withDatabase { database in
      let json = try await database.jsonArray(
        """
        SELECT 'NaN'::float8 AS a, 'infinity'::float8 AS b, 'NaN'::numeric AS c, '-infinity'::numeric AS d,
          0.1::float8 AS e, 0.1::float4 AS f, 4.50::numeric AS g, 0::numeric AS h, -0.00012345::numeric AS i,
          123456789012345678901234567890.5::numeric AS j, 100::numeric AS k, 1e20::float8 AS l, 9223372036854775807 AS m,
          10000::numeric AS n, 0.5::numeric AS o, 3::float8 AS p, (-32768)::int2 AS q
        """
      ).bytes
      #expect(
        String(decoding: json, as: UTF8.self) == """
          [{"a":null,"b":null,"c":null,"d":null,"e":0.1,"f":0.1,"g":4.5,"h":0,"i":-0.00012345,\
          "j":123456789012345678901234567890.5,"k":100,"l":1e+20,"m":9223372036854775807,"n":10000,"o":0.5,"p":3,"q":-32768}]
          """)
    }
  }

  @Test func `times reach to the ends of what can be written`() async throws {
    try await withDatabase { database in
      let row = try await database.query(
        """
        SELECT 'infinity'::timestamptz, '-infinity'::timestamptz, '4714-11-24 00:00:00+00 BC'::timestamptz,
          '294276-12-31 23:59:59.999999+00'::timestamptz, '1999-12-31 23:59:59.999999+00'::timestamptz
        """)[0]
      #expect(try row.instant(0) == .distantFuture)
      #expect(try row.instant(1) == .distantPast)
      #expect(try row.instant(2) == Instant(microseconds: -210_866_803_200_000_000))
      #expect(try row.instant(3) == .distantFuture)
      #expect(try row.instant(4) == Instant(microseconds: 946_684_799_999_999))
      let json = try await database.jsonObject(
        """
        SELECT 'infinity'::timestamptz AS a, '-infinity'::timestamptz AS b, '1969-12-31 23:59:59.9999+00'::timestamptz AS c,
          '2024-02-29'::date AS d, '07:30:12.5'::time AS e, '2026-01-05 07:30:12.612'::timestamp AS f
        """)
      #expect(
        String(decoding: json ?? [], as: UTF8.self) == """
          {"a":"9999-12-31T23:59:59.999Z","b":"0001-01-01T00:00:00.000Z","c":"1969-12-31T23:59:59.999Z","d":"2024-02-29",\
          "e":"07:30:12.5","f":"2026-01-05T07:30:12.612"}
          """)
      let extremes: [Instant] = [
        .distantPast, .distantFuture, Instant(microseconds: .max), Instant(microseconds: .min),
      ]
      let back = try await database.query(
        "SELECT $1::timestamptz[], $2::timestamptz", [.timestamps(extremes), .timestamp(.distantFuture)])[0]
      #expect(try back.instants(0) == [.distantPast, .distantFuture, Instant(microseconds: .max), .distantPast])
      #expect(try back.instant(1) == .distantFuture)
    }
  }

  @Test func `text is escaped, and json, bytea and arrays keep their form`() async throws {
    try await withDatabase { database in
      let json = try await database.jsonArray(
        """
        SELECT $1::text AS "say \"\"it\"\"", '{"a":[1,null]}'::jsonb AS j, $2::bytea AS b, ARRAY['x', NULL, 'y"z'] AS t,
          ARRAY[true, false] AS f, ARRAY[1.50, 2] AS n, ARRAY[]::int[] AS none
        """, [.text("a\"b\\c\u{1}\n\t\u{7F}ö🧊"), .bytes([0, 1, 255])]
      ).bytes
      #expect(
        String(decoding: json, as: UTF8.self) == """
          [{"say \\"it\\"":"a\\"b\\\\c\\u0001\\n\\t\u{7F}ö🧊","j":{"a": [1, null]},"b":"AAH/","t":["x",null,"y\\"z"],\
          "f":[true,false],"n":[1.5,2],"none":[]}]
          """)
      let empty = try await database.jsonArray("SELECT 1 WHERE false").bytes
      #expect(String(decoding: empty, as: UTF8.self) == "[]")
    }
  }
}
