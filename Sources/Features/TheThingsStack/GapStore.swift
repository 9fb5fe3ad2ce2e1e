import Basics
import PostgreSQL
import Readings

/// The ledger of uplinks: `uplink_sessions` and `uplink_gaps`.
struct GapStore: Sendable {
  let database: Database

  /// Devices in one transaction.
  static let batch = 500
  /// How far back a device is looked at that was never counted.
  private static let firstLook = Duration.days(3)
  /// For so long a late delivery may still settle what was given up.
  private static let secondLook = Duration.hours(6)

  // MARK: - Counting

  /// Counts what the devices after `device` have sent since they were counted last, and opens gaps where frame counters skip.
  /// Returns the last device that was looked at; nil when there was none.
  ///
  /// The frames of a session are taken in the order of time. A counter that falls is a device that started over without a new
  /// session, and no gap. The frames before the first one of a new session are missing only when the device was known before.
  func count(after device: UUID?, at now: Instant, on connection: Connection) async throws -> UUID? {
    let rows = try await connection.query(
      """
      WITH due AS (
        SELECT t.device_id, t.organization_id, w.last_at
        FROM device_states t
        LEFT JOIN LATERAL (
          SELECT s.last_at FROM uplink_sessions s WHERE s.device_id = t.device_id ORDER BY s.last_at DESC LIMIT 1
        ) w ON true
        WHERE t.session_key_id IS NOT NULL AND ($1::uuid IS NULL OR t.device_id > $1)
          AND (w.last_at IS NULL OR t.last_seen_at > w.last_at)
        ORDER BY t.device_id LIMIT $2
      ), fresh AS (
        SELECT due.device_id, due.organization_id, due.last_at AS known_until, r.session_key_id, r.f_cnt,
          min(r.recorded_at) AS at
        FROM due CROSS JOIN LATERAL (
          SELECT * FROM sensor_readings r
          WHERE r.device_id = due.device_id AND r.recorded_at > coalesce(due.last_at, $3::timestamptz)
            AND r.f_cnt IS NOT NULL AND r.session_key_id IS NOT NULL AND r.flags & $5 = 0 AND NOT r.simulated
        ) r GROUP BY 1, 2, 3, 4, 5
      ), following AS (
        SELECT f.*, lag(f.f_cnt) OVER line AS previous, lag(f.at) OVER line AS previous_at
        FROM fresh f WINDOW line AS (PARTITION BY f.device_id, f.session_key_id ORDER BY f.at, f.f_cnt)
      ), placed AS (
        SELECT f.device_id, f.organization_id, f.session_key_id, f.f_cnt, f.at,
          coalesce(f.previous, s.last_f_cnt, CASE WHEN f.known_until IS NOT NULL AND f.f_cnt < 16384 THEN -1 END) AS previous,
          coalesce(f.previous_at, s.last_at, f.known_until) AS previous_at
        FROM following f
        LEFT JOIN uplink_sessions s ON s.device_id = f.device_id AND s.session_key_id = f.session_key_id
      ), opened AS (
        INSERT INTO uplink_gaps (organization_id, device_id, session_key_id, first_f_cnt, last_f_cnt, after_at, before_at,
          detected_at)
        SELECT organization_id, device_id, session_key_id, previous + 1, f_cnt - 1, previous_at, at, $4
        FROM placed WHERE f_cnt > previous + 1
        ON CONFLICT DO NOTHING
      ), counted AS (
        INSERT INTO uplink_sessions AS s (device_id, session_key_id, organization_id, received, first_f_cnt, first_at,
          last_f_cnt, last_at)
        SELECT device_id, session_key_id, organization_id, count(*) FILTER (WHERE f_cnt IS DISTINCT FROM previous),
          (array_agg(f_cnt ORDER BY at, f_cnt))[1], min(at), (array_agg(f_cnt ORDER BY at DESC, f_cnt DESC))[1], max(at)
        FROM placed GROUP BY device_id, session_key_id, organization_id
        ON CONFLICT (device_id, session_key_id) DO UPDATE SET received = s.received + excluded.received,
          last_f_cnt = excluded.last_f_cnt, last_at = excluded.last_at
      )
      SELECT max(device_id::text)::uuid, count(*) FROM due
      """,
      [
        .optional(device), .int(Self.batch), .timestamp(now - Self.firstLook), .timestamp(now),
        .int(Int(Reading.Flags.backfill.rawValue)),
      ])
    return try rows.first?.optionalUUID(0)
  }

  // MARK: - Settling

  private static let record: SQL = """
    g.id, g.organization_id, g.device_id, g.session_key_id, g.first_f_cnt, g.last_f_cnt, g.after_at, g.before_at, g.state,
    g.seen, g.is_covered
    """

  /// Looks for readings that fill a gap after all: late deliveries, and what healing has brought. Returns how many gaps it settled.
  @discardableResult
  func settleFound(at now: Instant, on connection: Connection) async throws -> Int {
    let gaps = try await connection.query(
      "SELECT " + Self.record
        + """
         FROM uplink_gaps g
        WHERE (g.state = 'open' OR (g.state IN ('lost_on_air', 'unexplained') AND g.settled_at > $1)) AND EXISTS (
          SELECT FROM sensor_readings r
          WHERE r.device_id = g.device_id AND r.recorded_at BETWEEN g.after_at - interval '5 minutes'
            AND g.before_at + interval '5 minutes'
            AND r.session_key_id = g.session_key_id AND r.f_cnt BETWEEN g.first_f_cnt AND g.last_f_cnt)
        ORDER BY g.device_id, g.after_at LIMIT $2 FOR UPDATE OF g SKIP LOCKED
        """, [.timestamp(now - Self.secondLook), .int(Self.batch)]
    ).map(Gap.init)
    for gap in gaps { try await settle(gap, rest: gap.state, reason: nil, at: now, on: connection) }
    return gaps.count
  }

  /// Settles the gaps of a connection whose storage was read from `start` until `end`.
  ///
  /// A gap that it held a frame beside of, and that was not in it, was lost on the air. One that it held nothing near of is unexplained: the
  /// integration may have been off.
  func settleRead(
    _ connectionId: UUID, from start: Instant, until end: Instant, at now: Instant, on connection: Connection
  ) async throws {
    let gaps = try await connection.query(
      "SELECT " + Self.record
        + """
         FROM uplink_gaps g JOIN devices d ON d.organization_id = g.organization_id AND d.id = g.device_id
        WHERE d.ttn_connection_id = $1 AND g.before_at <= $2 AND (
          g.state = 'open' OR (g.state = 'unexplained' AND g.reason = 'storage_unavailable' AND g.after_at >= $3))
        ORDER BY g.after_at LIMIT 5000 FOR UPDATE OF g
        """, [.uuid(connectionId), .timestamp(end), .timestamp(start)]
    ).map(Gap.init)
    for gap in gaps {
      if gap.isCovered, gap.afterAt >= start {
        try await settle(gap, rest: .lostOnAir, reason: nil, at: now, on: connection)
      } else {
        let reason = gap.afterAt < start ? "out_of_retention" : "not_in_storage"
        try await settle(gap, rest: .unexplained, reason: reason, at: now, on: connection)
      }
    }
  }

  /// The storage cannot be asked: nobody can tell for now.
  func settleUnavailable(_ connectionId: UUID, at now: Instant) async throws {
    try await database.execute(
      """
      UPDATE uplink_gaps g SET state = 'unexplained', reason = 'storage_unavailable', settled_at = $2
      FROM devices d
      WHERE d.organization_id = g.organization_id AND d.id = g.device_id AND d.ttn_connection_id = $1 AND g.state = 'open'
      """, [.uuid(connectionId), .timestamp(now)])
  }

  /// Cuts the gap into stretches of one fate each.
  private func settle(
    _ gap: Gap, rest: GapState, reason: String?, at now: Instant, on connection: Connection
  ) async throws {
    let readings = try await connection.query(
      """
      SELECT r.f_cnt, bool_or(r.flags & $6 <> 0) FROM sensor_readings r
      WHERE r.device_id = $1 AND r.session_key_id = $2 AND r.f_cnt BETWEEN $3 AND $4
        AND r.recorded_at BETWEEN $5::timestamptz - interval '5 minutes' AND $7::timestamptz + interval '5 minutes'
      GROUP BY r.f_cnt LIMIT 20000
      """,
      [
        .uuid(gap.deviceId), .text(gap.session), .int(gap.frames.lowerBound), .int(gap.frames.upperBound),
        .timestamp(gap.afterAt), .int(Int(Reading.Flags.healed.rawValue)), .timestamp(gap.beforeAt),
      ])
    var found: [Int64: Bool] = [:]
    for row in readings { found[try row.int(0)] = try row.bool(1) }
    let stretches = gap.stretches(found: found, rest: rest)
    // Deleted first: the first stretch has the gap's own place in the unique index.
    _ = try await connection.query("DELETE FROM uplink_gaps WHERE id = $1", [.uuid(gap.id)])
    _ = try await connection.query(
      """
      INSERT INTO uplink_gaps (organization_id, device_id, session_key_id, first_f_cnt, last_f_cnt, after_at, before_at, state,
        reason, seen, is_covered, detected_at, settled_at)
      SELECT $1, $2, $3, s.first, s.last, $4, $5, s.state, CASE WHEN s.state = 'unexplained' THEN $6 END,
        CASE WHEN s.state = 'open' THEN $7::bigint[] ELSE '{}' END, $8, $9, CASE WHEN s.state <> 'open' THEN $9 END
      FROM unnest($10::int8[], $11::int8[], $12::text[]) AS s (first, last, state)
      ON CONFLICT DO NOTHING
      """,
      [
        .uuid(gap.organizationId), .uuid(gap.deviceId), .text(gap.session), .timestamp(gap.afterAt),
        .timestamp(gap.beforeAt), .optional(reason), .ints(gap.seen.map { $0 }), .bool(gap.isCovered), .timestamp(now),
        .ints(stretches.map(\.frames.lowerBound)), .ints(stretches.map(\.frames.upperBound)),
        .texts(stretches.map(\.state.rawValue)),
      ])
  }

  // MARK: - What the storage had

  /// The gaps of a connection that a reading of the storage may explain, by device and session.
  func pending(_ connectionId: UUID) async throws -> [Pending] {
    try await database.query(
      """
      SELECT d.dev_eui, g.session_key_id, g.id, g.first_f_cnt, g.last_f_cnt
      FROM uplink_gaps g JOIN devices d ON d.organization_id = g.organization_id AND d.id = g.device_id
      WHERE d.ttn_connection_id = $1
        AND (g.state = 'open' OR (g.state = 'unexplained' AND g.reason = 'storage_unavailable'))
      ORDER BY g.after_at LIMIT 5000
      """, [.uuid(connectionId)]
    ).map { row in
      Pending(
        devEUI: try row.text(0), session: try row.text(1), id: try row.uuid(2), first: try row.int(3),
        last: try row.int(4))
    }
  }

  struct Pending: Sendable {
    let devEUI: String
    let session: String
    let id: UUID
    let first: Int64
    let last: Int64
  }

  /// Kept at once, so that a reading of the storage can go on after a restart.
  func noteSeen(covered: [UUID], frames: [(gap: UUID, frame: Int64)]) async throws {
    guard !covered.isEmpty || !frames.isEmpty else { return }
    try await database.execute(
      """
      UPDATE uplink_gaps g SET is_covered = g.is_covered OR g.id = ANY ($1), seen = (
        SELECT coalesce(array_agg(DISTINCT f), '{}') FROM (
          SELECT unnest(g.seen) AS f UNION SELECT s.frame FROM unnest($2::uuid[], $3::int8[]) AS s (gap, frame)
          WHERE s.gap = g.id) together)
      WHERE g.id = ANY ($1) OR g.id = ANY ($2)
      """, [.uuids(covered), .uuids(frames.map(\.gap)), .ints(frames.map(\.frame))])
  }
}

extension Gap {
  fileprivate init(_ row: Row) throws {
    let (first, last) = (try row.int(4), try row.int(5))
    self.init(
      id: try row.uuid(0), organizationId: try row.uuid(1), deviceId: try row.uuid(2), session: try row.text(3),
      frames: first...max(first, last), afterAt: try row.instant(6), beforeAt: try row.instant(7),
      state: GapState(rawValue: try row.text(8)) ?? .open, seen: try row.ints(9).compactMap(\.self),
      isCovered: try row.bool(10))
  }
}
