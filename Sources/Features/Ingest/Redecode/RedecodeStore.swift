import Basics
import ColdChain
import Devices
import Monitoring
import PostgreSQL
import Readings

/// A stored reading with the frame that it came from.
struct StoredFrame {
  var id: UUID
  var unitId: UUID?
  var recordedAt: Instant
  var receivedAt: Instant
  var port: UInt8
  var payload: [UInt8]
  var flags: Reading.Flags
  /// Hundredths.
  var temperature: Int64?
  var probe: Int64?
  var ambient: Int64?
  var humidity: Int64?
  var battery: Int64?
  var millivolts: Int64?
  var doorOpen: Bool?

  /// What the decoder says of it now. Nil when it cannot be read, or holds no sample of that instant.
  func redecoded(of device: DeviceEntry) -> StoredFrame? {
    let samples = try? PayloadDecoder.decode(payload, port: port, model: device.model, receivedAt: receivedAt)
    guard let samples else { return nil }
    let isFromMemory = flags.contains(.backfill)
    let sample =
      samples.first { $0.sampledAt == recordedAt && ($0.kind != .live) == isFromMemory }
      ?? (isFromMemory ? nil : samples.first { $0.kind == .live })
    guard let sample else { return nil }
    let measured = device.temperature(of: sample, device.assignment(at: recordedAt), at: recordedAt)
    var new = self
    new.temperature = measured.temperature.map { Int64($0.hundredths) }
    new.probe = sample.probe.map { Int64($0.hundredths) }
    new.ambient = sample.ambient.map { Int64($0.hundredths) }
    new.humidity = (sample.humidity ?? sample.probeHumidity).map { Int64($0.hundredths) }
    new.doorOpen = sample.doorOpen
    // A frame without its battery says nothing about it.
    if let voltage = sample.batteryVoltage {
      new.millivolts = Int64(voltage.millivolts)
      let chemistry = device.model.flatMap { PayloadDecoder.named($0)?.chemistry }
      if let percent = sample.batteryPercent ?? chemistry?.percent(of: voltage) { new.battery = Int64(percent.value) }
    } else if let percent = sample.batteryPercent {
      new.battery = Int64(percent.value)
    }
    new.flags = Reading.Flags(rawValue: flags.rawValue & ~0xFF).subtracting(.calibrated)
      .union(Reading.Flags(sample.flags)).union(measured.isCalibrated ? .calibrated : [])
    return new
  }

  func differences(to new: StoredFrame) -> [(field: String, before: String, after: String)] {
    var changes: [(field: String, before: String, after: String)] = []
    func compare<T: Equatable>(_ field: String, _ before: T?, _ after: T?, _ text: (T) -> String) {
      guard before != after else { return }
      changes.append((field, before.map(text) ?? "none", after.map(text) ?? "none"))
    }
    func degrees(_ hundredths: Int64) -> String { "\(Temperature(hundredths: Int32(clamping: hundredths)))" }
    compare("temperature", temperature, new.temperature, degrees)
    compare("probeTemperature", probe, new.probe, degrees)
    compare("ambientTemperature", ambient, new.ambient, degrees)
    compare("humidity", humidity, new.humidity) { "\(Double($0) / 100) %" }
    compare("battery", battery, new.battery) { "\($0) %" }
    compare("batteryVoltage", millivolts, new.millivolts) { "\($0) mV" }
    compare("doorOpen", doorOpen, new.doorOpen) { $0 ? "open" : "closed" }
    compare("flags", flags.rawValue, new.flags.rawValue) { "\($0)" }
    return changes
  }
}

enum RedecodeStore {
  /// Frames in one transaction.
  private static let batch = 1000

  /// The devices that may have frames in the range, by organization and DevEUI.
  static func devices(_ filter: Redecode.Filter, _ database: Database) async throws -> [DeviceKey] {
    try await database.query(
      """
      SELECT id, organization_id FROM devices
      WHERE deleted_at IS NULL AND ($1::uuid IS NULL OR organization_id = $1) AND ($2::text IS NULL OR dev_eui = $2)
      ORDER BY organization_id, dev_eui
      """, [.optional(filter.organizationId), .optional(filter.devEUI?.description)]
    ).map { .id(try $0.uuid(0), organization: try $0.uuid(1)) }
  }

  static func frames(
    of device: DeviceEntry, after: Instant, before: Instant, _ database: Database
  ) async throws -> [StoredFrame] {
    try await database.query(
      """
      SELECT id, unit_id, recorded_at, received_at, f_port, raw_payload, flags, temperature, probe_temperature,
        ambient_temperature, humidity, battery, (battery_voltage * 1000)::int8, door_open
      FROM sensor_readings
      WHERE organization_id = $1 AND device_id = $2 AND recorded_at > $3 AND recorded_at < $4 AND source = 'ttn'
        AND raw_payload IS NOT NULL AND f_port IS NOT NULL
      ORDER BY recorded_at LIMIT $5
      """,
      [
        .uuid(device.organizationId), .uuid(device.deviceId), .timestamp(after), .timestamp(before), .int(batch),
      ]
    ).map { row in
      StoredFrame(
        id: try row.uuid(0), unitId: try row.optionalUUID(1), recordedAt: try row.instant(2),
        receivedAt: try row.instant(3), port: UInt8(clamping: try row.int(4)), payload: try row.bytes(5),
        flags: Reading.Flags(rawValue: Int16(truncatingIfNeeded: try row.int(6))),
        temperature: try row.optionalHundredths(7), probe: try row.optionalHundredths(8),
        ambient: try row.optionalHundredths(9), humidity: try row.optionalHundredths(10),
        battery: try row.optionalInt(11), millivolts: try row.optionalInt(12), doorOpen: try row.optionalBool(13))
    }
  }

  static func update(_ frames: [StoredFrame], of device: DeviceEntry) -> (SQL, [Value]) {
    (
      """
      UPDATE sensor_readings r SET temperature = n.temperature, probe_temperature = n.probe,
        ambient_temperature = n.ambient, humidity = n.humidity, battery = n.battery,
        battery_voltage = n.millivolts * 0.001, door_open = n.door_open, flags = n.flags
      FROM unnest($3::uuid[], $4::timestamptz[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[], $9::int2[],
        $10::int8[], $11::bool[], $12::int2[])
        AS n (id, recorded_at, temperature, probe, ambient, humidity, battery, millivolts, door_open, flags)
      WHERE r.organization_id = $1 AND r.device_id = $2 AND r.recorded_at = n.recorded_at AND r.id = n.id
      """,
      [
        .uuid(device.organizationId), .uuid(device.deviceId), .uuids(frames.map(\.id)),
        .timestamps(frames.map(\.recordedAt)), .hundredthsArray(frames.map(\.temperature)),
        .hundredthsArray(frames.map(\.probe)), .hundredthsArray(frames.map(\.ambient)),
        .hundredthsArray(frames.map(\.humidity)), .int2s(frames.map { $0.battery.map { Int16(clamping: $0) } }),
        .ints(frames.map(\.millivolts)), .bools(frames.map(\.doorOpen)), .int2s(frames.map(\.flags.rawValue)),
      ]
    )
  }

  /// What was measured last of each unit.
  static func newest(of units: [UUID], on connection: Connection) async throws -> [UUID: LastValues] {
    let rows = try await connection.query(
      """
      SELECT u.id, r.recorded_at, r.temperature, r.humidity, r.device_id FROM unnest($1::uuid[]) AS u (id)
      CROSS JOIN LATERAL (
        SELECT * FROM sensor_readings s WHERE s.unit_id = u.id AND s.flags & $2::int2 = 0
        ORDER BY s.recorded_at DESC LIMIT 1) r
      """, [.uuids(units), .int(Int64(Reading.Flags.secondary.rawValue))])
    var newest: [UUID: LastValues] = [:]
    for row in rows {
      newest[try row.uuid(0)] = LastValues(
        recordedAt: try row.instant(1),
        temperature: try row.optionalHundredths(2).map { Temperature(hundredths: Int32(clamping: $0)) },
        humidity: try row.optionalHundredths(3).flatMap { Humidity(hundredths: Int32(clamping: $0)) },
        device: try row.optionalUUID(4))
    }
    return newest
  }
}
