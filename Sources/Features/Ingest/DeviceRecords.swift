import Basics
import PostgreSQL
import Readings

/// Joins and downlink events of a device.
enum DeviceEventStore {
  static func insert(_ events: [(event: DeviceEvent, deviceId: UUID, organizationId: UUID)]) -> (SQL, [Value]) {
    (
      """
      INSERT INTO device_events (organization_id, device_id, event_type, occurred_at, payload)
      SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::jsonb[])
      ON CONFLICT DO NOTHING
      """,
      [
        .uuids(events.map(\.organizationId)), .uuids(events.map(\.deviceId)), .texts(events.map(\.event.type)),
        .timestamps(events.map(\.event.occurredAt)), .jsons(events.map(\.event.payload)),
      ]
    )
  }
}

/// When each device was heard last, and how.
enum DeviceStateStore {
  /// Notes the newest of these readings of each device. An older one than what is noted changes nothing.
  static func note(_ readings: [Reading]) -> (SQL, [Value]) {
    var newest: [UUID: Reading] = [:]
    for reading in readings {
      guard let device = reading.deviceId else { continue }
      if let known = newest[device], known.recordedAt >= reading.recordedAt { continue }
      newest[device] = reading
    }
    let heard = newest.sorted { $0.key < $1.key }.map(\.value)
    return (
      """
      INSERT INTO device_states AS s (device_id, organization_id, last_seen_at, battery, battery_voltage, signal_strength,
        snr, session_key_id, f_cnt)
      SELECT n.device_id, n.organization_id, n.last_seen_at, n.battery, n.millivolts * 0.001, n.signal_strength, n.snr,
        n.session, n.f_cnt
      FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::int2[], $5::int4[], $6::int2[], $7::numeric[], $8::text[],
        $9::int8[])
        AS n (device_id, organization_id, last_seen_at, battery, millivolts, signal_strength, snr, session, f_cnt)
      ON CONFLICT (device_id) DO UPDATE SET last_seen_at = excluded.last_seen_at,
        battery = coalesce(excluded.battery, s.battery),
        battery_voltage = coalesce(excluded.battery_voltage, s.battery_voltage),
        signal_strength = coalesce(excluded.signal_strength, s.signal_strength), snr = coalesce(excluded.snr, s.snr),
        session_key_id = excluded.session_key_id, f_cnt = excluded.f_cnt
      WHERE s.last_seen_at < excluded.last_seen_at
      """,
      [
        .uuids(heard.map(\.deviceId)), .uuids(heard.map(\.organizationId)), .timestamps(heard.map(\.recordedAt)),
        .int2s(heard.map(\.batteryPercent)), .int4s(heard.map { $0.batteryVoltage?.millivolts }),
        .int2s(heard.map(\.signalStrength)), .hundredthsArray(heard.map(\.snr)), .texts(heard.map(\.session)),
        .ints(heard.map(\.frameCounter)),
      ]
    )
  }
}
