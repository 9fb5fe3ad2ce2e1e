import Basics
import ColdChain
import PostgreSQL

/// What an uplink needs to know of the device that sent it.
public final class DeviceEntry: Sendable {
  /// Which unit the device measured, from `from` until before `to`.
  public struct Assignment: Sendable {
    public let unitId: UUID
    public let channel: TemperatureChannel?
    public let isPrimary: Bool
    public let from: Instant
    public let to: Instant?
  }

  public let deviceId: UUID
  public let organizationId: UUID
  public let devEUI: EUI64
  public let model: String?
  /// The application of the TTN connection that the device was set up for, when it was.
  public let applicationID: String?
  /// By `from`, ascending.
  public let assignments: [Assignment]
  /// By `from`, ascending.
  public let calibrations: [Calibration]

  private init(_ row: Row, _ assignments: [Assignment], _ calibrations: [Calibration]) throws(DatabaseError) {
    deviceId = try row.uuid(1)
    organizationId = try row.uuid(2)
    guard let eui = EUI64(try row.text(3)) else {
      throw DatabaseError(.server, "the device \(try row.uuid(1)) has no DevEUI")
    }
    devEUI = eui
    model = try row.optionalText(4)
    applicationID = try row.optionalText(5)
    self.assignments = assignments
    self.calibrations = calibrations
  }

  /// The assignment that held when a sample was taken.
  public func assignment(at instant: Instant) -> Assignment? {
    assignments.last { $0.from <= instant && ($0.to.map { instant < $0 } ?? true) }
  }
}

/// Names a device within its organization: by its DevEUI or by its id here.
public enum DeviceKey: Hashable, Sendable {
  case devEUI(EUI64, organization: UUID)
  case id(UUID, organization: UUID)
}

extension DeviceEntry {
  /// The count that every change of devices, assignments, calibrations, connections, units and their limits raises.
  public static let directoryVersion: SQL = "SELECT version FROM directory_version"

  /// The devices of these keys; unknown, deleted and inactive ones are left out.
  public static func load(_ keys: [DeviceKey], on connection: Connection) async throws -> [DeviceKey: DeviceEntry] {
    guard !keys.isEmpty else { return [:] }
    var organizations: [UUID?] = []
    var euis: [String?] = []
    var ids: [UUID?] = []
    for key in keys {
      switch key {
      case .devEUI(let eui, let organization):
        organizations.append(organization)
        euis.append(eui.description)
        ids.append(nil)
      case .id(let id, let organization):
        organizations.append(organization)
        euis.append(nil)
        ids.append(id)
      }
    }
    let rows = try await connection.query(
      """
      SELECT k.place, d.id, d.organization_id, d.dev_eui, d.model, c.application_id, g.unit_id, g.channel,
        g.is_primary, g.assigned_from, g.assigned_to
      FROM unnest($1::uuid[], $2::text[], $3::uuid[]) WITH ORDINALITY AS k (organization_id, dev_eui, id, place)
      CROSS JOIN LATERAL (
        SELECT * FROM devices n
        WHERE n.organization_id = k.organization_id AND n.dev_eui = k.dev_eui AND n.deleted_at IS NULL
        UNION ALL
        SELECT * FROM devices n
        WHERE n.organization_id = k.organization_id AND n.id = k.id AND n.deleted_at IS NULL
      ) d
      LEFT JOIN ttn_connections c ON c.organization_id = d.organization_id AND c.id = d.ttn_connection_id
      LEFT JOIN device_assignments g ON g.organization_id = d.organization_id AND g.device_id = d.id
      WHERE d.is_active
      ORDER BY k.place, g.assigned_from
      """, [.uuids(organizations), .texts(euis), .uuids(ids)])
    let calibrations = try await calibrations(of: try Set(rows.map { try $0.uuid(1) }).sorted(), on: connection)
    var found: [DeviceKey: DeviceEntry] = [:]
    var start = rows.startIndex
    while start < rows.endIndex {
      let place = try rows[start].int(0)
      var end = start
      var assignments: [Assignment] = []
      while end < rows.endIndex, try rows[end].int(0) == place {
        if let assignment = try Assignment(rows[end]) { assignments.append(assignment) }
        end += 1
      }
      found[keys[Int(place) - 1]] = try DeviceEntry(
        rows[start], assignments, calibrations[try rows[start].uuid(1)] ?? [])
      start = end
    }
    return found
  }
}

extension DeviceEntry.Assignment {
  /// Nil for a device that was never assigned.
  fileprivate init?(_ row: Row) throws(DatabaseError) {
    guard let unitId = try row.optionalUUID(6) else { return nil }
    self.unitId = unitId
    channel = try row.optionalText(7).flatMap(TemperatureChannel.init(rawValue:))
    isPrimary = try row.bool(8)
    from = try row.instant(9)
    to = try row.optionalInstant(10)
  }
}
