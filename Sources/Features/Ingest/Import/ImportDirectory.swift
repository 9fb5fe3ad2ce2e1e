import Basics
import ColdChain
import Devices
import Places
import PostgreSQL

/// The devices and units of one organization as they are when an import begins.
struct ImportDirectory: Sendable {
  let organizationId: UUID
  private(set) var devices: [DeviceEntry] = []
  private var byEUI: [EUI64: Int] = [:]
  private var byId: [UUID: Int] = [:]
  private(set) var units: [UUID: UnitRules] = [:]

  func device(eui: EUI64) -> DeviceEntry? { byEUI[eui].map { devices[$0] } }
  func device(id: UUID) -> DeviceEntry? { byId[id].map { devices[$0] } }

  static func load(_ organization: UUID, on connection: Connection) async throws -> ImportDirectory {
    var directory = ImportDirectory(organizationId: organization)
    let ids = try await connection.query(
      "SELECT id FROM devices WHERE organization_id = $1 AND deleted_at IS NULL ORDER BY id", [.uuid(organization)])
    let keys = try ids.map { DeviceKey.id(try $0.uuid(0), organization: organization) }
    directory.devices = try await DeviceEntry.load(keys, on: connection).values.sorted { $0.deviceId < $1.deviceId }
    for (place, device) in directory.devices.enumerated() {
      directory.byId[device.deviceId] = place
      directory.byEUI[device.devEUI] = place
    }
    let units = try await connection.query(
      "SELECT id FROM units WHERE organization_id = $1 AND deleted_at IS NULL", [.uuid(organization)])
    directory.units = try await UnitRules.load(try units.map { try $0.uuid(0) }, on: connection)
    return directory
  }
}
