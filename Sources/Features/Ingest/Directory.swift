import Basics
import Devices
import Places
import PostgreSQL
import Readings

/// What one loop knows of devices and units, so that an uplink costs no look-up.
///
/// Whatever changes in the directory counts its version up in the same transaction; each flush compares the version within its own
/// transaction and starts over with an empty directory when it has changed. So an uplink is never stored by an assignment
/// that had ended when its transaction began.
final class Directory {
  /// Entries beyond this are forgotten, all at once: about 1 KB each.
  private static let capacity = 200_000

  let marks = RollupMarks()
  private(set) var version: Int64?
  private var devices: [DeviceKey: DeviceEntry?] = [:]
  private var units: [UUID: UnitRules?] = [:]
  private var noted: [UUID: Instant] = [:]

  /// Nil: not a device of the organization. Only for keys that ``fill(devices:units:on:)`` was asked for.
  func device(_ key: DeviceKey) -> DeviceEntry? { devices[key] ?? nil }
  func rules(of unit: UUID) -> UnitRules? { units[unit] ?? nil }

  func knows(_ key: DeviceKey) -> Bool { devices[key] != nil }
  func knows(unit: UUID) -> Bool { units[unit] != nil }

  /// Looks up what is not known yet. Remembers also what there is not.
  func fill(devices keys: Set<DeviceKey>, units ids: Set<UUID>, on connection: Connection) async throws {
    if devices.count > Self.capacity || units.count > Self.capacity { forget() }
    if version == nil { version = try await connection.query(DeviceEntry.directoryVersion).first?.int(0) }
    let missing = keys.filter { devices[$0] == nil }
    if !missing.isEmpty {
      let found = try await DeviceEntry.load(Array(missing), on: connection)
      for key in missing { devices[key] = .some(found[key]) }
    }
    var unknown = ids.filter { units[$0] == nil }
    for key in keys {
      for assignment in device(key)?.assignments ?? [] where units[assignment.unitId] == nil {
        unknown.insert(assignment.unitId)
      }
    }
    if !unknown.isEmpty {
      let found = try await UnitRules.load(Array(unknown), on: connection)
      for id in unknown { units[id] = .some(found[id]) }
    }
  }

  func forget() {
    version = nil
    devices.removeAll(keepingCapacity: true)
    units.removeAll(keepingCapacity: true)
  }

  /// Whether a reading's device is to be written down as heard: at most once a minute, because a second row written for each
  /// reading would cost a third of it.
  func isNews(_ reading: Reading) -> Bool {
    guard let device = reading.deviceId, !reading.flags.contains(.backfill) else { return false }
    guard let last = noted[device] else { return true }
    return last + .minutes(1) <= reading.recordedAt
  }

  /// These are committed.
  func note(_ readings: [Reading]) {
    if noted.count > Self.capacity { noted.removeAll(keepingCapacity: true) }
    for reading in readings {
      if let device = reading.deviceId { noted[device] = max(noted[device] ?? reading.recordedAt, reading.recordedAt) }
    }
  }
}
