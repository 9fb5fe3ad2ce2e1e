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

  /// Nil: not a device of the organization. Only for what ``fill(_:on:)`` has looked up.
  func device(_ key: DeviceKey) -> DeviceEntry? { devices[key] ?? nil }
  func rules(of unit: UUID) -> UnitRules? { units[unit] ?? nil }

  /// Looks up what is not known yet. Remembers also what there is not.
  func fill(_ intakes: [Intake], on connection: Connection) async throws {
    if devices.count > Self.capacity || units.count > Self.capacity { forget() }
    if version == nil { version = try await connection.query(DeviceEntry.directoryVersion).first?.int(0) }
    var missing: Set<DeviceKey> = []
    var unknown: Set<UUID> = []
    for intake in intakes {
      if let key = intake.deviceKey, devices[key] == nil { missing.insert(key) }
      if let unit = intake.unitId, units[unit] == nil { unknown.insert(unit) }
    }
    if !missing.isEmpty {
      let found = try await DeviceEntry.load(Array(missing), on: connection)
      for key in missing {
        let device = found[key]
        devices[key] = .some(device)
        for assignment in device?.assignments ?? [] where units[assignment.unitId] == nil {
          unknown.insert(assignment.unitId)
        }
      }
    }
    if !unknown.isEmpty {
      let found = try await UnitRules.load(Array(unknown), on: connection)
      for id in unknown { units[id] = .some(found[id]) }
    }
  }

  /// Forgets everything if anything has changed.
  func renew(on connection: Connection) async throws {
    let now = try await connection.query(DeviceEntry.directoryVersion).first?.int(0)
    if now != version { forget() }
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
