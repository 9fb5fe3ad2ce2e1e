import Basics
import ColdChain
import PostgreSQL

/// A unit's state as it lies in the database.
public struct StoredState: Sendable {
  public let unitId: UUID
  public let organizationId: UUID
  public internal(set) var state: UnitState
  public let status: UnitStatus
  /// When the clock looks at the unit again. May be earlier than needed, never later.
  public let nextDueAt: Instant?
  /// What was measured last; nil before the first reading.
  public internal(set) var last: LastValues?
  /// The row's `xmin`: another one once anybody has written the row.
  public var version: UInt32
}

/// What the newest readings of a unit show.
public struct LastValues: Sendable {
  public var recordedAt: Instant
  public var temperature: Temperature?
  public var humidity: Humidity?
  public var device: UUID?

  public init(recordedAt: Instant, temperature: Temperature?, humidity: Humidity?, device: UUID?) {
    self.recordedAt = recordedAt
    self.temperature = temperature
    self.humidity = humidity
    self.device = device
  }

  /// After `known`: what was measured last never goes back in time, and what a reading does not tell stays.
  func following(_ known: LastValues?) -> LastValues {
    guard let known else { return self }
    guard recordedAt >= known.recordedAt else { return known }
    return LastValues(
      recordedAt: recordedAt, temperature: temperature ?? known.temperature, humidity: humidity ?? known.humidity,
      device: device ?? known.device)
  }
}

enum UnitStateStore {
  private static let columns: SQL = """
    SELECT s.unit_id, s.organization_id, s.temp_state, s.temp_state_since, s.qualifying_readings, s.incident_opened_at,
      s.masked_microseconds, s.door_position, s.door_since, s.settled_to, s.link_state, s.last_seen_at,
      s.commissioned_at, s.status, s.next_due_at,
      s.last_reading_at, s.last_temperature, s.last_humidity, s.last_device_id, s.xmin::text::int8,
      i.opened_at, i.opened_by, i.limit_violated, i.confirmed_at, i.recovered_at, i.closed_at, i.peak_temperature,
      i.peak_at, i.reopened_count, i.masked_microseconds, i.simulated
    FROM unit_states s
    LEFT JOIN incidents i ON i.unit_id = s.unit_id AND i.kind = 'temperature' AND i.opened_at = s.incident_opened_at
    """

  /// Locks the rows of these units, in the order of their ids, so that two writers never wait for each other in a circle.
  ///
  /// The rows are read by the next statement: one that waited for a lock sees the new row, but joined to what the other tables
  /// held before it waited.
  static func lock(_ units: [UUID]) -> (SQL, [Value]) {
    ("SELECT FROM unit_states WHERE unit_id = ANY ($1) ORDER BY unit_id FOR NO KEY UPDATE", [.uuids(units)])
  }

  static func read(_ units: [UUID]) -> (SQL, [Value]) {
    (columns + " WHERE s.unit_id = ANY ($1)", [.uuids(units)])
  }

  /// Locks units for which time alone has something to decide, and returns their ids; those that another server looks at are left
  /// to it.
  static func lockDue(at now: Instant, limit: Int) -> (SQL, [Value]) {
    (
      """
      SELECT unit_id FROM unit_states WHERE next_due_at <= $1
      ORDER BY next_due_at LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED
      """, [.timestamp(now), .int(limit)]
    )
  }

  static func read(_ row: Row) throws(DatabaseError) -> StoredState {
    let incident = try IncidentStore.read(row, from: 20)
    let columns = UnitState.Columns(
      temperatureState: .init(rawValue: try row.text(2)) ?? .ok, temperatureSince: try row.optionalInstant(3),
      qualifyingReadings: Int32(clamping: try row.int(4)), incidentOpenedAt: try row.optionalInstant(5),
      maskedMicroseconds: try row.int(6), doorPosition: .init(rawValue: try row.text(7)) ?? .unknown,
      doorSince: try row.optionalInstant(8), settledTo: try row.optionalInstant(9),
      linkState: .init(rawValue: try row.text(10)) ?? .never, lastSeen: try row.optionalInstant(11),
      commissionedAt: try row.optionalInstant(12))
    guard let state = UnitState(columns, incident: incident) else {
      throw DatabaseError(.server, "the state of unit \(try row.uuid(0)) contradicts itself")
    }
    return StoredState(
      unitId: try row.uuid(0), organizationId: try row.uuid(1), state: state,
      status: .init(rawValue: try row.text(13)) ?? .offline, nextDueAt: try row.optionalInstant(14),
      last: try last(row, from: 15), version: UInt32(truncatingIfNeeded: try row.int(19)))
  }

  private static func last(_ row: Row, from first: Int) throws(DatabaseError) -> LastValues? {
    guard let recordedAt = try row.optionalInstant(.index(first)) else { return nil }
    return LastValues(
      recordedAt: recordedAt,
      temperature: try row.optionalHundredths(.index(first + 1)).map { Temperature(hundredths: Int32(clamping: $0)) },
      humidity: try row.optionalHundredths(.index(first + 2)).flatMap { Humidity(hundredths: Int32(clamping: $0)) },
      device: try row.optionalUUID(.index(first + 3)))
  }

  struct Change {
    let old: StoredState
    let state: UnitState
    let nextDueAt: Instant?
    let last: LastValues?
    /// Event time of what changed the status.
    let statusSince: Instant

    /// The row once it is written, but for its version.
    var stored: StoredState {
      StoredState(
        unitId: old.unitId, organizationId: old.organizationId, state: state, status: state.status(),
        nextDueAt: nextDueAt, last: last, version: old.version)
    }
  }

  /// Writes the states of locked rows back.
  static func save(_ changes: [Change]) -> (SQL, [Value]) {
    let columns = changes.map(\.state.columns)
    return (
      """
      UPDATE unit_states s SET
        temp_state = n.temp_state, temp_state_since = n.temp_state_since, qualifying_readings = n.qualifying_readings,
        incident_opened_at = n.incident_opened_at, masked_microseconds = n.masked_microseconds,
        door_position = n.door_position, door_since = n.door_since, settled_to = n.settled_to,
        link_state = n.link_state, last_seen_at = n.last_seen_at, commissioned_at = n.commissioned_at,
        next_due_at = n.next_due_at, status = n.status,
        status_since = CASE WHEN s.status = n.status THEN s.status_since ELSE n.status_since END,
        last_reading_at = n.last_at, last_temperature = n.last_temperature, last_humidity = n.last_humidity,
        last_device_id = n.last_device_id
      FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::int4[], $5::timestamptz[], $6::int8[], $7::text[],
        $8::timestamptz[], $9::timestamptz[], $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[],
        $14::text[], $15::timestamptz[], $16::timestamptz[], $17::numeric[], $18::numeric[], $19::uuid[])
        AS n (unit_id, temp_state, temp_state_since, qualifying_readings, incident_opened_at, masked_microseconds,
          door_position, door_since, settled_to, link_state, last_seen_at, commissioned_at, next_due_at, status,
          status_since, last_at, last_temperature, last_humidity, last_device_id)
      WHERE s.unit_id = n.unit_id
      """,
      [
        .uuids(changes.map(\.old.unitId)), .texts(columns.map(\.temperatureState.rawValue)),
        .timestamps(columns.map(\.temperatureSince)), .int4s(columns.map(\.qualifyingReadings)),
        .timestamps(columns.map(\.incidentOpenedAt)), .ints(columns.map(\.maskedMicroseconds)),
        .texts(columns.map(\.doorPosition.rawValue)), .timestamps(columns.map(\.doorSince)),
        .timestamps(columns.map(\.settledTo)), .texts(columns.map(\.linkState.rawValue)),
        .timestamps(columns.map(\.lastSeen)), .timestamps(columns.map(\.commissionedAt)),
        .timestamps(changes.map(\.nextDueAt)), .texts(changes.map { $0.state.status().rawValue }),
        .timestamps(changes.map(\.statusSince)), .timestamps(changes.map(\.last?.recordedAt)),
        .hundredthsArray(changes.map { $0.last?.temperature.map { Int64($0.hundredths) } }),
        .hundredthsArray(changes.map { $0.last?.humidity.map { Int64($0.hundredths) } }),
        .uuids(changes.map(\.last?.device)),
      ]
    )
  }

  /// Writes states that differ from what is stored only by time and by what was measured last, if every row and the directory
  /// still have the version that they were judged by. One row: the version that the rows have then. Fails by FT001 otherwise.
  static func advance(_ states: [StoredState], directoryVersion: Int64) -> (SQL, [Value]) {
    let count = states.count
    var (units, versions, devices) = (BinaryArray.uuids(count), BinaryArray.xids(count), BinaryArray.uuids(count))
    var (settled, seen, read) = (
      BinaryArray.timestamps(count), BinaryArray.timestamps(count), BinaryArray.timestamps(count)
    )
    var (temperatures, humidities) = (BinaryArray.numerics(count), BinaryArray.numerics(count))
    for state in states {
      units.append(state.unitId)
      versions.append(state.version)
      settled.append(state.state.settledTo)
      seen.append(state.state.lastSeen)
      read.append(state.last?.recordedAt)
      temperatures.append(hundredths: state.last?.temperature.map { Int64($0.hundredths) })
      humidities.append(hundredths: state.last?.humidity.map { Int64($0.hundredths) })
      devices.append(state.last?.device)
    }
    return (
      """
      WITH moved AS (
        UPDATE unit_states s SET settled_to = n.settled_to, last_seen_at = n.last_seen_at, last_reading_at = n.last_at,
          last_temperature = n.last_temperature, last_humidity = n.last_humidity, last_device_id = n.last_device_id
        FROM unnest($1::uuid[], $2::xid[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::numeric[],
          $7::numeric[], $8::uuid[])
          AS n (unit_id, version, settled_to, last_seen_at, last_at, last_temperature, last_humidity, last_device_id)
        WHERE s.unit_id = n.unit_id AND s.xmin = n.version RETURNING 1
      )
      SELECT require_unchanged((SELECT count(*) FROM moved), $9, (SELECT version FROM directory_version), $10)
      """,
      [
        .array(units), .array(versions), .array(settled), .array(seen), .array(read), .array(temperatures),
        .array(humidities), .array(devices), .int(states.count), .int(directoryVersion),
      ]
    )
  }

  /// Tells the live subscribers, from the committed event log, which units changed their status.
  static func announce(_ changes: [Change]) -> (SQL, [Value]) {
    (
      """
      INSERT INTO events (organization_id, type, unit_id, payload, occurred_at)
      SELECT n.organization_id, 'unit.status_changed', n.unit_id,
        jsonb_build_object('from', n.was, 'to', n.becomes), n.at
      FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::timestamptz[])
        AS n (organization_id, unit_id, was, becomes, at)
      """,
      [
        .uuids(changes.map(\.old.organizationId)), .uuids(changes.map(\.old.unitId)),
        .texts(changes.map(\.old.status.rawValue)),
        .texts(changes.map { $0.state.status().rawValue }), .timestamps(changes.map(\.statusSince)),
      ]
    )
  }
}
