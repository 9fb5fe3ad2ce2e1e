import Basics
import FeatureSupport
import PostgreSQL
import Testing

@testable import Alerts
@testable import Identity
@testable import Monitoring
@testable import Overview
@testable import Places
@testable import Readings

/// What runs often must not read a large table from end to end, neither with the values at hand nor with the plan that
/// PostgreSQL keeps for all values.
@Suite(.serialized) struct PlanTests {
  private static let organization = UUID(high: 0x1, low: 0x8000_0000_0000_0001)

  /// 100 organizations with 20,000 units, 200,000 readings, 40,000 alerts and 100,000 entries of the audit log.
  private func fill(_ house: House) async throws {
    try await house.run { database in
      try await database.withConnection { connection in
        for statement in Self.filling { _ = try await connection.query(statement, timeout: .seconds(60)) }
      }
    }
  }

  private static let filling: [SQL] = [
    "SET session_replication_role = replica",
    """
    INSERT INTO organizations (id, name, slug)
    SELECT ('00000000-0000-0001-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'o' || n, 'o' || n
    FROM generate_series(1, 100) n
    """,
    "INSERT INTO sites (organization_id, name) SELECT id, 's' FROM organizations",
    "INSERT INTO areas (organization_id, site_id, name) SELECT organization_id, id, 'a' FROM sites",
    """
    INSERT INTO units (organization_id, area_id, name, unit_type, temp_max)
    SELECT organization_id, id, 'u' || n, 'fridge', 5 FROM areas, generate_series(1, 200) n
    """,
    """
    INSERT INTO unit_limits (organization_id, unit_id, valid_from, temp_max, hysteresis, confirm_seconds_door_closed,
      confirm_seconds_door_open, expected_interval_seconds)
    SELECT organization_id, id, '-infinity', 5, 0.5, 600, 1200, 600 FROM units
    """,
    """
    INSERT INTO unit_states (organization_id, unit_id, next_due_at)
    SELECT organization_id, id, now() + random() * interval '1 day' FROM units
    """,
    """
    INSERT INTO sensor_readings (recorded_at, organization_id, unit_id, device_id, temperature, source)
    SELECT date_trunc('month', now()) + interval '10 days' - n * interval '10 minutes', organization_id, id, id, 4, 'ttn'
    FROM (SELECT * FROM units LIMIT 2000) u, generate_series(1, 100) n
    """,
    """
    INSERT INTO unit_rollups_hourly (unit_id, bucket, organization_id, count, sum_temperature, outside_microseconds,
      judged_microseconds, covered_microseconds)
    SELECT id, date_trunc('hour', now()) - n * interval '1 hour', organization_id, 6, 24, 0, 3600000000, 3600000000
    FROM (SELECT * FROM units LIMIT 2000) u, generate_series(1, 100) n
    """,
    """
    INSERT INTO unit_rollups_daily (unit_id, day, organization_id, starts_at, ends_at, count, sum_temperature,
      outside_microseconds, judged_microseconds, covered_microseconds)
    SELECT id, current_date - n, organization_id, current_date - n, current_date - n + 1, 144, 24, 0, 0, 0
    FROM (SELECT * FROM units LIMIT 2000) u, generate_series(1, 100) n
    """,
    """
    INSERT INTO rollup_marks (unit_id, hour, organization_id, due_at)
    SELECT id, date_trunc('hour', now()) - n * interval '1 hour', organization_id, now()
    FROM (SELECT * FROM units LIMIT 2000) u, generate_series(0, 4) n
    """,
    """
    INSERT INTO alerts (organization_id, unit_id, alert_type, severity, triggered_at, status, resolved_at)
    SELECT organization_id, id, 'door_open', 'warning', now() - n * interval '1 hour',
      CASE n WHEN 1 THEN 'active' ELSE 'resolved' END, CASE n WHEN 1 THEN NULL ELSE now() END
    FROM units, generate_series(1, 2) n
    """,
    """
    INSERT INTO event_logs (organization_id, seq, occurred_at, actor_type, event_type, entity_type, entity_id,
      previous_hash, event_hash)
    SELECT id, n, now(), 'system', 'alert.triggered', 'alert', gen_random_uuid(), '', ''
    FROM organizations, generate_series(1, 1000) n
    """,
    "SET session_replication_role = origin", "ANALYZE",
  ]

  /// What is asked often: a name, the statement, its values.
  private func statements(_ unit: UUID, _ now: Instant) -> [(String, SQL, [Value])] {
    let organization = Value.uuid(Self.organization)
    let span: [Value] = [.timestamp(now - .days(1)), .timestamp(now), 100, 0]
    let readings: [Value] = [organization, .uuid(unit), .null] + span
    let alerts: [Value] = [organization] + Array(repeating: .null, count: 9) + [100, 0]
    let ofUnit: [Value] = alerts.enumerated().map { $0.offset == 4 ? .uuid(unit) : $0.element }
    let place: [Value] = [.timestamp(now), .uuid(unit)]
    let rolledUp: [Value] = [.uuid(unit), organization, .timestamp(now - .days(30)), .timestamp(now), .double(3600)]
    return [
      ("readings of a unit", ReadingStore.page(descending: false, next: false), readings),
      ("readings of a unit, newest first", ReadingStore.page(descending: true, next: false), readings),
      ("more readings of a unit", ReadingStore.page(descending: false, next: true), readings + place),
      (
        "temperatures of a unit", RollupStore.temperatures,
        [organization, .uuid(unit), .timestamp(now - .days(1)), .timestamp(now), 256]
      ),
      ("hours of a unit", BucketStore.rolledUp(.hour) ?? "", rolledUp),
      ("days of a unit", BucketStore.rolledUp(.day) ?? "", rolledUp),
      ("alerts", AlertReads.page(ofUnit: false, next: false), alerts),
      ("more alerts", AlertReads.page(ofUnit: false, next: true), alerts + place),
      ("alerts of a unit", AlertReads.page(ofUnit: true, next: false), ofUnit),
      ("units", UnitStore.listing, [organization, .null, .null, .null]),
      ("due units", UnitStateStore.lockDue(at: now, limit: 500).0, [.timestamp(now), 500]),
      ("statistics", OverviewStore.statistics, [organization, .timestamp(now)]),
      ("overview", OverviewStore.overview, [organization, .timestamp(now)]),
      (
        "audit log", AuditStore.listing, [organization] + Array(repeating: .null, count: 11) + [100]
      ),
    ]
  }

  private static let large: Set<Substring> = [
    "units", "unit_states", "unit_limits", "alerts", "event_logs", "unit_rollups_hourly", "unit_rollups_daily",
    "rollup_marks",
  ]

  /// The large tables that a plan reads from end to end.
  private func readWhole(_ plan: Rows) throws -> [String] {
    try plan.map { try $0.text(0) }.compactMap { line in
      guard let scan = line.firstRange(of: "Seq Scan on ") else { return nil }
      let table = line[scan.upperBound...].prefix { $0 != " " }
      return Self.large.contains(table) || table.hasPrefix("sensor_readings_20") ? String(table) : nil
    }
  }

  @Test func `no statement that runs often reads a large table from end to end`() async throws {
    let house = try await House()
    try await fill(house)
    let newest = try await house.sql(
      """
      SELECT unit_id, recorded_at FROM sensor_readings WHERE organization_id = $1 ORDER BY recorded_at DESC LIMIT 1
      """, [.uuid(Self.organization)]
    ).first
    let reading = try #require(newest)
    let asked = statements(try reading.uuid(0), try reading.instant(1))
    for (name, sql, values) in asked {
      let plan = try await house.sql("EXPLAIN " + sql, values)
      let text = try plan.map { try $0.text(0) }.joined(separator: "\n")
      #expect(try readWhole(plan) == [], "\(name): \(text)")
    }
    for (number, (name, sql, values)) in asked.enumerated() {
      let plan = try await house.run { database in
        try await database.transaction { connection in
          let statement = SQL.identifier("plan_\(number)")
          _ = try await connection.query("SET LOCAL plan_cache_mode = force_generic_plan")
          _ = try await connection.query("PREPARE " + statement + " AS " + sql)
          let literals = values.map(\.literal).joined(separator: ", ")
          return try await connection.query(
            "EXPLAIN EXECUTE " + statement + SQL(unchecked: "(\(literals))"))
        }
      }
      let text = try plan.map { try $0.text(0) }.joined(separator: "\n")
      #expect(try readWhole(plan) == [], "any \(name): \(text)")
    }
  }

  @Test func `a plan that reads a large table from end to end is found`() async throws {
    let house = try await House()
    try await fill(house)
    #expect(try readWhole(try await house.sql("EXPLAIN SELECT * FROM alerts WHERE severity = 'info'")) == ["alerts"])
    let readings = try await house.sql("EXPLAIN SELECT * FROM sensor_readings WHERE temperature = 9")
    #expect(try !readWhole(readings).isEmpty)
  }
}

extension Value {
  /// As it stands in the text of a statement. Only for what the tests above use.
  fileprivate var literal: String {
    switch self {
    case .uuid(let id): "'\(id)'"
    case .timestamp(let instant): "'\(instant.rfc3339)'"
    case .int(let number): "\(number)"
    case .double(let number): "\(number)"
    default: "NULL"
    }
  }
}
