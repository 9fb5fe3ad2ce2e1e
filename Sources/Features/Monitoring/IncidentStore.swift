import Basics
import ColdChain
import PostgreSQL

/// The rows of incidents. Within a unit and kind an incident is named by the instant at which it opened.
enum IncidentStore {
  static let columns: SQL = """
    i.opened_at, i.opened_by, i.limit_violated, i.confirmed_at, i.recovered_at, i.closed_at, i.peak_temperature, i.peak_at,
    i.reopened_count, i.masked_microseconds, i.simulated
    """

  /// Nil when the row has none (a left join).
  static func read(_ row: Row, from first: Int) throws(DatabaseError) -> Incident? {
    func at(_ place: Int) -> Column { .index(first + place) }
    guard let openedAt = try row.optionalInstant(at(0)), let peak = try row.optionalHundredths(at(6)) else {
      return nil
    }
    return Incident(
      openedAt: openedAt, openedBy: try row.optionalUUID(at(1)) ?? UUID(high: 0, low: 0),
      side: LimitSide(rawValue: try row.optionalText(at(2)) ?? "") ?? .high,
      confirmedAt: try row.optionalInstant(at(3)),
      recoveredAt: try row.optionalInstant(at(4)), closedAt: try row.optionalInstant(at(5)),
      peak: Temperature(hundredths: Int32(clamping: peak)), peakAt: try row.optionalInstant(at(7)) ?? openedAt,
      reopenings: Int32(clamping: try row.int(at(8))), masked: .microseconds(try row.int(at(9))),
      simulated: try row.bool(at(10)))
  }

  /// The stored incidents that judging again from `instant` can meet: the last one before it, those of that one's day (UTC),
  /// whose doors spent the same mask, and every one since.
  static func known(
    unit: UUID, organization: UUID, around instant: Instant, on connection: Connection
  ) async throws -> [Incident] {
    let rows = try await connection.query(
      "SELECT " + columns
        + """
         FROM incidents i WHERE i.organization_id = $1 AND i.unit_id = $2 AND i.kind = 'temperature'
          AND i.opened_at >= coalesce((
            SELECT date_trunc('day', max(o.opened_at), 'UTC') FROM incidents o
            WHERE o.organization_id = $1 AND o.unit_id = $2 AND o.kind = 'temperature' AND o.opened_at <= $3), '-infinity')
        ORDER BY i.opened_at
        """, [.uuid(organization), .uuid(unit), .timestamp(instant)])
    var incidents: [Incident] = []
    for row in rows { if let incident = try read(row, from: 0) { incidents.append(incident) } }
    return incidents
  }

  /// Writes new incidents and returns their ids, in the order given.
  static func insert(
    _ incidents: [(organization: UUID, unit: UUID, incident: Incident, detectedLate: Bool)], on connection: Connection
  ) async throws -> [UUID] {
    let ids = incidents.map { _ in UUID.v4() }
    _ = try await connection.query(
      """
      INSERT INTO incidents (id, organization_id, unit_id, kind, opened_at, opened_by, limit_violated, confirmed_at,
        recovered_at, closed_at, peak_temperature, peak_at, reopened_count, masked_microseconds, simulated, detected_late)
      SELECT id, organization_id, unit_id, 'temperature', opened_at, opened_by, limit_violated, confirmed_at, recovered_at,
        closed_at, peak_temperature, peak_at, reopened_count, masked_microseconds, simulated, detected_late
      FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::uuid[], $6::text[], $7::timestamptz[],
        $8::timestamptz[], $9::timestamptz[], $10::numeric[], $11::timestamptz[], $12::int4[], $13::int8[], $14::bool[],
        $15::bool[])
        AS n (id, organization_id, unit_id, opened_at, opened_by, limit_violated, confirmed_at, recovered_at, closed_at,
          peak_temperature, peak_at, reopened_count, masked_microseconds, simulated, detected_late)
      """,
      [.uuids(ids), .uuids(incidents.map(\.organization)), .uuids(incidents.map(\.unit))]
        + values(incidents.map(\.incident)) + [.bools(incidents.map(\.detectedLate))])
    return ids
  }

  /// Rewrites incidents, each named by the instant at which it was known to open, and returns their ids in the order given.
  static func update(
    _ changes: [(unit: UUID, openedAt: Instant, incident: Incident)], on connection: Connection
  ) async throws -> [UUID] {
    let rows = try await connection.query(
      """
      UPDATE incidents i SET opened_at = n.opened_at, opened_by = n.opened_by, limit_violated = n.limit_violated,
        confirmed_at = n.confirmed_at, recovered_at = n.recovered_at, closed_at = n.closed_at,
        peak_temperature = n.peak_temperature, peak_at = n.peak_at, reopened_count = n.reopened_count,
        masked_microseconds = n.masked_microseconds, simulated = n.simulated, updated_at = now()
      FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::uuid[], $5::text[], $6::timestamptz[],
        $7::timestamptz[], $8::timestamptz[], $9::numeric[], $10::timestamptz[], $11::int4[], $12::int8[], $13::bool[])
        WITH ORDINALITY
        AS n (unit_id, was, opened_at, opened_by, limit_violated, confirmed_at, recovered_at, closed_at,
          peak_temperature, peak_at, reopened_count, masked_microseconds, simulated, place)
      WHERE i.unit_id = n.unit_id AND i.kind = 'temperature' AND i.opened_at = n.was
      RETURNING n.place, i.id
      """,
      [.uuids(changes.map(\.unit)), .timestamps(changes.map(\.openedAt))] + values(changes.map(\.incident)))
    var ids = [UUID?](repeating: nil, count: changes.count)
    for row in rows { ids[Int(try row.int(0)) - 1] = try row.uuid(1) }
    return try ids.map { id in
      guard let id else { throw DatabaseError(.server, "an incident that was read is gone") }
      return id
    }
  }

  private static func values(_ incidents: [Incident]) -> [Value] {
    [
      .timestamps(incidents.map(\.openedAt)), .uuids(incidents.map(\.openedBy)), .texts(incidents.map(\.side.rawValue)),
      .timestamps(incidents.map(\.confirmedAt)), .timestamps(incidents.map(\.recoveredAt)),
      .timestamps(incidents.map(\.closedAt)), .hundredthsArray(incidents.map { Int64($0.peak.hundredths) }),
      .timestamps(incidents.map(\.peakAt)), .int4s(incidents.map(\.reopenings)),
      .ints(incidents.map(\.masked.microseconds)), .bools(incidents.map(\.simulated)),
    ]
  }

  /// Removes incidents that, as late readings show, never happened, with the alerts that nobody has touched.
  /// Returns the ids of those whose alert somebody has worked on: they stay, closed when they opened.
  static func withdraw(_ incidents: [(unit: UUID, openedAt: Instant)], on connection: Connection) async throws -> [UUID]
  {
    try await connection.query(
      """
      WITH gone AS (
        SELECT i.id, i.opened_at, coalesce(a.acknowledged_at IS NOT NULL OR a.resolved_by IS NOT NULL
          OR EXISTS (SELECT FROM alert_notes n WHERE n.alert_id = a.id)
          OR EXISTS (SELECT FROM corrective_actions c WHERE c.alert_id = a.id), false) AS touched
        FROM unnest($1::uuid[], $2::timestamptz[]) AS n (unit_id, opened_at)
        JOIN incidents i ON i.unit_id = n.unit_id AND i.kind = 'temperature' AND i.opened_at = n.opened_at
        LEFT JOIN alerts a ON a.incident_id = i.id
      ), alerts_gone AS (
        DELETE FROM alerts a USING gone WHERE a.incident_id = gone.id AND NOT gone.touched
      ), closed AS (
        UPDATE incidents i SET closed_at = coalesce(i.closed_at, i.opened_at), updated_at = now()
        FROM gone WHERE i.id = gone.id AND gone.touched
      ), removed AS (
        DELETE FROM incidents i USING gone WHERE i.id = gone.id AND NOT gone.touched
      )
      SELECT id FROM gone WHERE touched
      """, [.uuids(incidents.map(\.unit)), .timestamps(incidents.map(\.openedAt))]
    ).map { try $0.uuid(0) }
  }

  /// Opens an incident of silence for each unit that has none open, and returns their ids with the places of their units.
  static func openLink(
    _ units: [(organization: UUID, unit: UUID, at: Instant)], on connection: Connection
  ) async throws -> [(place: Int, id: UUID)] {
    try await connection.query(
      """
      WITH n AS (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) WITH ORDINALITY
          AS n (organization_id, unit_id, at, place)
      ), opened AS (
        INSERT INTO incidents (organization_id, unit_id, kind, opened_at)
        SELECT organization_id, unit_id, 'link', at FROM n ON CONFLICT DO NOTHING RETURNING id, unit_id
      )
      SELECT n.place, opened.id FROM opened JOIN n USING (unit_id)
      """, [.uuids(units.map(\.organization)), .uuids(units.map(\.unit)), .timestamps(units.map(\.at))]
    ).map { (Int(try $0.int(0)) - 1, try $0.uuid(1)) }
  }

  /// Ends the silence of these units and returns the incidents that it closed.
  static func closeLink(_ units: [(unit: UUID, at: Instant)], on connection: Connection) async throws -> [UUID] {
    try await connection.query(
      """
      UPDATE incidents i SET closed_at = greatest(n.at, i.opened_at), updated_at = now()
      FROM unnest($1::uuid[], $2::timestamptz[]) AS n (unit_id, at)
      WHERE i.unit_id = n.unit_id AND i.kind = 'link' AND i.closed_at IS NULL RETURNING i.id
      """, [.uuids(units.map(\.unit)), .timestamps(units.map(\.at))]
    ).map { try $0.uuid(0) }
  }
}
