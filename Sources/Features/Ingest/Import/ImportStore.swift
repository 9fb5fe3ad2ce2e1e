import Basics
import Monitoring
import PostgreSQL
import Readings

/// Stores the pieces of one import, and remembers which units they touch.
struct ImportStore {
  let organizationId: UUID
  private(set) var touched: [UUID: ImportChunk.Touch] = [:]
  /// What this import has stored of each device or unit, and whether there was anything before.
  private var known: [ImportChunk.Key: (span: ClosedRange<Instant>?, wasEmpty: Bool)] = [:]
  private var months: Set<Int> = []

  private static let timeout = Duration.minutes(30)

  init(organizationId: UUID) { self.organizationId = organizationId }

  /// Returns how many rows were new.
  mutating func write(_ chunk: ImportChunk, at now: Instant, _ database: Database) async throws -> Int {
    try await ensureMonths(of: chunk, database)
    let isNew = try await isAllNew(chunk, database)
    let stored: Int
    do {
      stored = try await Self.copy(chunk, organizationId, past: !isNew, at: now, database)
    } catch let error as DatabaseError {
      // Somebody else has stored one of them meanwhile.
      guard case .uniqueViolation = error.kind, isNew else { throw error }
      stored = try await Self.copy(chunk, organizationId, past: true, at: now, database)
    }
    for (key, span) in chunk.spans {
      let old = known[key]?.span
      known[key]?.span =
        min(
          old?.lowerBound ?? span.lowerBound, span.lowerBound)...max(
          old?.upperBound ?? span.upperBound, span.upperBound)
    }
    for (unit, touch) in chunk.units {
      if touched[unit] == nil { touched[unit] = touch } else { touched[unit]?.add(touch) }
    }
    return stored
  }

  private mutating func ensureMonths(of chunk: ImportChunk, _ database: Database) async throws {
    guard let first = chunk.spans.values.map(\.lowerBound).min(), let last = chunk.spans.values.map(\.upperBound).max()
    else { return }
    let (from, to) = (CivilDate(first), CivilDate(last))
    for month in from.year * 12 + from.month - 1...to.year * 12 + to.month - 1 where months.insert(month).inserted {
      let name = "\(month / 12)-\(month % 12 < 9 ? "0" : "")\(month % 12 + 1)-01"
      try await database.execute("SELECT ensure_reading_partitions($1::text::date, 1)", [.text(name)])
    }
  }

  /// Whether no row of the chunk can be there already: asked of the database once for a device that has nothing, and for others
  /// by the stretch of time that the chunk holds of them.
  private mutating func isAllNew(_ chunk: ImportChunk, _ database: Database) async throws -> Bool {
    let unknown = chunk.spans.keys.filter { known[$0] == nil }
    let used = try await Self.used(Array(unknown), organizationId, database)
    for key in unknown { known[key] = (nil, !used.contains(key)) }
    if chunk.mayRepeat { return false }
    var asked: [(key: ImportChunk.Key, span: ClosedRange<Instant>)] = []
    for (key, span) in chunk.spans {
      if let stored = known[key]?.span, stored.overlaps(span) { return false }
      if known[key]?.wasEmpty != true { asked.append((key, span)) }
    }
    return try await !Self.overlaps(asked, organizationId, database)
  }

  private static func split(_ keys: [ImportChunk.Key]) -> (devices: [UUID?], units: [UUID?]) {
    (
      keys.map { if case .device(let id) = $0 { id } else { nil } },
      keys.map { if case .unit(let id) = $0 { id } else { nil } }
    )
  }

  /// Those of which there are readings.
  private static func used(
    _ keys: [ImportChunk.Key], _ organization: UUID, _ database: Database
  ) async throws -> Set<ImportChunk.Key> {
    guard !keys.isEmpty else { return [] }
    let (devices, units) = split(keys)
    let rows = try await database.query(
      """
      SELECT k.place FROM unnest($1::uuid[], $2::uuid[]) WITH ORDINALITY AS k (device_id, unit_id, place)
      WHERE EXISTS (SELECT FROM sensor_readings r WHERE r.device_id = k.device_id)
        OR EXISTS (SELECT FROM sensor_readings r WHERE r.unit_id = k.unit_id AND r.device_id IS NULL)
      """, [.uuids(devices), .uuids(units)], timeout: timeout)
    return Set(try rows.map { keys[Int(try $0.int(0)) - 1] })
  }

  private static func overlaps(
    _ asked: [(key: ImportChunk.Key, span: ClosedRange<Instant>)], _ organization: UUID, _ database: Database
  ) async throws -> Bool {
    guard !asked.isEmpty else { return false }
    let (devices, units) = split(asked.map(\.key))
    let rows = try await database.query(
      """
      SELECT EXISTS (
        SELECT FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
          AS k (device_id, unit_id, first, last)
        WHERE EXISTS (SELECT FROM sensor_readings r
            WHERE r.device_id = k.device_id AND r.recorded_at BETWEEN k.first AND k.last)
          OR EXISTS (SELECT FROM sensor_readings r
            WHERE r.unit_id = k.unit_id AND r.device_id IS NULL AND r.recorded_at BETWEEN k.first AND k.last))
      """,
      [
        .uuids(devices), .uuids(units), .timestamps(asked.map(\.span.lowerBound)),
        .timestamps(asked.map(\.span.upperBound)),
      ], timeout: timeout)
    return try rows.first?.bool(0) ?? true
  }

  /// One transaction: the rows, and the marks of the hours that they change. `past`: some of them may be there already.
  private static func copy(
    _ chunk: ImportChunk, _ organization: UUID, past: Bool, at now: Instant, _ database: Database
  ) async throws -> Int {
    try await database.transaction { connection in
      var stored = 0
      if past {
        try await connection.execute(
          "CREATE TEMPORARY TABLE IF NOT EXISTS imported_readings (LIKE sensor_readings INCLUDING DEFAULTS) ON COMMIT DELETE ROWS"
        )
        try await copy(
          chunk, "COPY imported_readings (" + CopyRows.columns + ") FROM STDIN (FORMAT binary)", on: connection)
        stored = try await connection.execute(
          "INSERT INTO sensor_readings (" + CopyRows.columns + ") SELECT " + CopyRows.columns
            + " FROM imported_readings ON CONFLICT DO NOTHING", timeout: timeout)
      } else {
        stored = try await copy(
          chunk, "COPY sensor_readings (" + CopyRows.columns + ") FROM STDIN (FORMAT binary)", on: connection)
      }
      let (sql, values) = marks(of: chunk, organization, at: now)
      try await connection.execute(sql, values, timeout: timeout)
      return stored
    }
  }

  @discardableResult
  private static func copy(_ chunk: ImportChunk, _ sql: SQL, on connection: Connection) async throws -> Int {
    try await connection.copyIn(sql, timeout: timeout) { writer in
      try await writer.write(CopyRows.header)
      try await writer.write(chunk.bytes)
      try await writer.write(CopyRows.trailer)
    }
  }

  private static func marks(of chunk: ImportChunk, _ organization: UUID, at now: Instant) -> (SQL, [Value]) {
    RollupMarks.marking(
      chunk.units.sorted { $0.key < $1.key }.map { ($0.key, $0.value.first, $0.value.last) }, organization, at: now)
  }
}

extension CivilDate {
  fileprivate init(_ instant: Instant) {
    let days = instant.microseconds / 86_400_000_000
    self.init(
      daysSinceEpoch: Int(instant.microseconds < 0 && instant.microseconds % 86_400_000_000 != 0 ? days - 1 : days))
  }
}
