import Basics
import ColdChain
import PostgreSQL

/// How readings get into the table, and back out to be judged again.
public enum ReadingWrites {
  /// Stores readings of which none is there already; fails by 23505 when one is. Of the same device and instant there is one, or,
  /// without a device, of the same unit, source and instant.
  ///
  /// Looking for what is there before each row makes an insert half as expensive again, and is needed for hardly any.
  public static func insert(_ readings: [Reading]) -> (SQL, [Value]) { (inserting, columns(readings)) }

  /// Stores those that are not there already. Returns the ids of the stored ones.
  public static func insertMissing(_ readings: [Reading]) -> (SQL, [Value]) {
    (inserting + " ON CONFLICT DO NOTHING RETURNING id", columns(readings))
  }

  // In the list, not in FROM, where each array would be written to a table of its own first.
  private static let inserting: SQL = """
    INSERT INTO sensor_readings (id, organization_id, unit_id, device_id, recorded_at, received_at, source, temperature,
      probe_temperature, ambient_temperature, humidity, battery, battery_voltage, signal_strength, snr, door_open,
      f_port, f_cnt, session_key_id, raw_payload, simulated, flags)
    SELECT unnest($1::uuid[]), unnest($2::uuid[]), unnest($3::uuid[]), unnest($4::uuid[]), unnest($5::timestamptz[]),
      unnest($6::timestamptz[]), unnest($7::text[]), unnest($8::numeric[]), unnest($9::numeric[]),
      unnest($10::numeric[]), unnest($11::numeric[]), unnest($12::int2[]), unnest($13::int4[]) * 0.001,
      unnest($14::int2[]), unnest($15::numeric[]), unnest($16::bool[]), unnest($17::int2[]), unnest($18::int8[]),
      unnest($19::text[]), unnest($20::bytea[]), unnest($21::bool[]), unnest($22::int2[])
    """

  /// What stands where a reading could not be stored.
  public struct Stored: Sendable {
    public let id: UUID
    /// It says the same as the one that came now.
    public let agrees: Bool
  }

  /// For each of `readings`, all left out by ``insertMissing(_:)``, the stored one. One that says something else is kept as an anomaly.
  public static func settle(_ readings: [Reading], on connection: Connection) async throws -> [UUID: Stored] {
    guard !readings.isEmpty else { return [:] }
    let rows = try await connection.query(
      """
      WITH came AS (
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::timestamptz[], $6::text[],
          $7::numeric[], $8::numeric[], $9::int8[], $10::text[], $11::bytea[], $12::timestamptz[], $13::int2[])
          AS c (id, organization_id, unit_id, device_id, recorded_at, source, temperature, humidity, f_cnt, session,
            payload, received_at, flags)
      ), found AS (
        SELECT c.id, r.id AS stored_id, r.id = c.id
          OR ((r.flags | c.flags) & $14::int8 <> 0
            AND r.f_cnt IS NOT DISTINCT FROM c.f_cnt AND r.session_key_id IS NOT DISTINCT FROM c.session)
          OR (r.temperature IS NOT DISTINCT FROM c.temperature
          AND r.humidity IS NOT DISTINCT FROM c.humidity
          AND coalesce(r.f_cnt = c.f_cnt, true) AND coalesce(r.session_key_id = c.session, true)
          AND coalesce(r.raw_payload = c.payload, true)) AS agrees
        FROM came c JOIN sensor_readings r ON r.organization_id = c.organization_id AND r.recorded_at = c.recorded_at
          AND (r.device_id = c.device_id
            OR c.device_id IS NULL AND r.device_id IS NULL AND r.unit_id = c.unit_id AND r.source = c.source)
      ), kept AS (
        INSERT INTO reading_anomalies (organization_id, unit_id, device_id, recorded_at, received_at, reading_id, source,
          f_cnt, session_key_id, temperature, humidity, raw_payload)
        SELECT c.organization_id, c.unit_id, c.device_id, c.recorded_at, c.received_at, f.stored_id, c.source, c.f_cnt,
          c.session, c.temperature, c.humidity, c.payload
        FROM found f JOIN came c ON c.id = f.id WHERE NOT f.agrees
      ), repeated AS (
        INSERT INTO uplink_duplicates AS u (device_id, session_key_id, organization_id, count, last_at)
        SELECT c.device_id, c.session, c.organization_id, count(*), max(c.received_at)
        FROM found f JOIN came c ON c.id = f.id
        WHERE f.agrees AND f.stored_id <> c.id AND c.device_id IS NOT NULL AND c.session IS NOT NULL
        GROUP BY 1, 2, 3 ORDER BY 1, 2
        ON CONFLICT (device_id, session_key_id)
          DO UPDATE SET count = u.count + excluded.count, last_at = greatest(u.last_at, excluded.last_at)
      )
      SELECT id, stored_id, agrees FROM found
      """,
      [
        .uuids(readings.map(\.id)), .uuids(readings.map(\.organizationId)), .uuids(readings.map(\.unitId)),
        .uuids(readings.map(\.deviceId)), .timestamps(readings.map(\.recordedAt)),
        .texts(readings.map(\.source.rawValue)),
        .hundredthsArray(readings.map { $0.temperature.map { Int64($0.hundredths) } }),
        .hundredthsArray(readings.map { $0.humidity.map { Int64($0.hundredths) } }),
        .ints(readings.map(\.frameCounter)), .texts(readings.map(\.session)), .byteas(readings.map(\.payload)),
        .timestamps(readings.map(\.receivedAt)), .int2s(readings.map(\.flags.rawValue)),
        .int(Int(Reading.Flags.part.rawValue)),
      ])
    var stored: [UUID: Stored] = [:]
    for row in rows { stored[try row.uuid(0)] = Stored(id: try row.uuid(1), agrees: try row.bool(2)) }
    return stored
  }

  /// A unit's readings from `start` on, in the order in which they are judged.
  public static func judged(
    unit: UUID, organization: UUID, from start: Instant, on connection: Connection
  ) async throws -> [UnitReading] {
    try await connection.query(
      """
      SELECT id, device_id, recorded_at, temperature, door_open, flags, simulated FROM sensor_readings
      WHERE organization_id = $1 AND unit_id = $2 AND recorded_at >= $3
      """, [.uuid(organization), .uuid(unit), .timestamp(start)]
    ).map { row in
      let flags = Reading.Flags(rawValue: Int16(truncatingIfNeeded: try row.int(5)))
      let isPrimary = !flags.contains(.secondary)
      return UnitReading(
        id: try row.uuid(0), device: try row.optionalUUID(1) ?? Reading.noDevice, recordedAt: try row.instant(2),
        temperature: isPrimary
          ? try row.optionalHundredths(3).map { Temperature(hundredths: Int32(clamping: $0)) } : nil,
        doorOpen: try row.optionalBool(4), checksIn: isPrimary && !flags.contains(.backfill),
        simulated: try row.bool(6))
    }.sorted(by: UnitReading.inOrder)
  }

  /// What the door readings before `instant` say: the last position, and when it was first seen in it.
  public static func door(
    unit: UUID, organization: UUID, before instant: Instant, on connection: Connection
  ) async throws -> Door {
    let rows = try await connection.query(
      """
      WITH door AS (
        SELECT recorded_at, door_open FROM sensor_readings
        WHERE organization_id = $1 AND unit_id = $2 AND recorded_at < $3 AND door_open IS NOT NULL
      ), newest AS (
        SELECT door_open FROM door ORDER BY recorded_at DESC LIMIT 1
      ), other AS (
        SELECT max(recorded_at) AS at FROM door, newest WHERE door.door_open <> newest.door_open
      )
      SELECT newest.door_open, other.at IS NOT NULL, min(door.recorded_at)
      FROM newest, other, door WHERE door.recorded_at > coalesce(other.at, '-infinity')
      GROUP BY 1, 2
      """, [.uuid(organization), .uuid(unit), .timestamp(instant)])
    guard let row = rows.first else { return .unknown }
    let open = try row.bool(0)
    // A door that was never seen open has no instant at which it closed.
    let changed = try row.bool(1)
    let since = open || changed ? try row.instant(2) : nil
    return Door(open ? .open : .closed, since: since)
  }

  /// Readings turned by ninety degrees, in one pass: a pass for each column would count the references of every reading again.
  private static func columns(_ readings: [Reading]) -> [Value] {
    let count = readings.count
    var ids = BinaryArray.uuids(count)
    var organizations = BinaryArray.uuids(count)
    var units = BinaryArray.uuids(count)
    var devices = BinaryArray.uuids(count)
    var recorded = BinaryArray.timestamps(count)
    var received = BinaryArray.timestamps(count)
    var sources = BinaryArray.texts(count)
    var temperatures = BinaryArray.numerics(count)
    var probes = BinaryArray.numerics(count)
    var ambients = BinaryArray.numerics(count)
    var humidities = BinaryArray.numerics(count)
    var batteries = BinaryArray.int2s(count)
    var millivolts = BinaryArray.int4s(count)
    var signals = BinaryArray.int2s(count)
    var snrs = BinaryArray.numerics(count)
    var doors = BinaryArray.bools(count)
    var ports = BinaryArray.int2s(count)
    var frameCounters = BinaryArray.ints(count)
    var sessions = BinaryArray.texts(count)
    var payloads = BinaryArray.byteas(count)
    var simulated = BinaryArray.bools(count)
    var flags = BinaryArray.int2s(count)
    for reading in readings {
      ids.append(reading.id)
      organizations.append(reading.organizationId)
      units.append(reading.unitId)
      devices.append(reading.deviceId)
      recorded.append(reading.recordedAt)
      received.append(reading.receivedAt)
      sources.append(reading.source.rawValue)
      temperatures.append(hundredths: reading.temperature.map { Int64($0.hundredths) })
      probes.append(hundredths: reading.probe.map { Int64($0.hundredths) })
      ambients.append(hundredths: reading.ambient.map { Int64($0.hundredths) })
      humidities.append(hundredths: reading.humidity.map { Int64($0.hundredths) })
      batteries.append(reading.batteryPercent)
      millivolts.append(reading.batteryVoltage?.millivolts)
      signals.append(reading.signalStrength)
      snrs.append(hundredths: reading.snr)
      doors.append(reading.doorOpen)
      ports.append(reading.port)
      frameCounters.append(reading.frameCounter)
      sessions.append(reading.session)
      payloads.append(reading.payload)
      simulated.append(reading.simulated)
      flags.append(reading.flags.rawValue)
    }
    return [
      ids, organizations, units, devices, recorded, received, sources, temperatures, probes, ambients, humidities,
      batteries, millivolts, signals, snrs, doors, ports, frameCounters, sessions, payloads, simulated, flags,
    ].map(Value.array)
  }
}
