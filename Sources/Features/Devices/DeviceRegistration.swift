import Basics
import Forms
import HTTP
import Identity
import JSON
import PostgreSQL

/// What an organization says of a sensor that was heard before anyone had told of it.
public struct DeviceRegistration: Sendable {
  /// 16 upper-case hexadecimal digits.
  public let devEUI: String
  public let name: String?
  public let model: String?
  /// At The Things Stack.
  public let deviceID: String?
  public let unitId: UUID?
  public let channel: String?

  public init(devEUI: String, name: String?, model: String?, deviceID: String?, unitId: UUID?, channel: String?) {
    self.devEUI = devEUI
    self.name = name
    self.model = model
    self.deviceID = deviceID
    self.unitId = unitId
    self.channel = channel
  }

  /// The device of that DevEUI, made when the organization has none. One that is there keeps what it is, and gets the unit
  /// when one is named.
  ///
  /// Throws ``InvalidFields`` for a unit of others, 403 at the sensor limit, and 409 when another request makes it now.
  public func findOrMake(
    in scope: OrganizationScope, for request: Request, database: Database
  ) async throws -> (id: UUID, isNew: Bool) {
    let store = DeviceStore(database: database)
    let assignment = unitId.map { DeviceAssignment(unitId: $0, channel: channel, from: nil) }
    let known = try await database.query(
      "SELECT id FROM devices WHERE organization_id = $1 AND dev_eui = $2 AND deleted_at IS NULL",
      [.uuid(scope.organizationId), .text(devEUI)]
    ).first?.uuid(0)
    if let known {
      if assignment != nil { _ = try await store.update(known, .json(Array("{}".utf8)), assignment, scope, request) }
      return (known, false)
    }
    do {
      let made = try await store.create(row, assignment, scope, request)
      guard let id = try made.first?.uuid(0) else { throw HTTPError.notFound("Device") }
      return (id, true)
    } catch let error as DatabaseError where error.violated == "devices_dev_eui" {
      throw HTTPError.conflict("A device with this devEui exists already")
    }
  }

  private var row: Value {
    .json(
      JSONWriter.bytes { json in
        json.object { json in
          json.field("name", name ?? devEUI)
          json.field("dev_eui", devEUI)
          json.field("model", model)
          json.field("device_id", deviceID.flatMap { $0.utf8.count <= 36 ? $0 : nil })
          json.field("status", DeviceStatus.active.rawValue)
          json.field("is_active", true)
        }
      })
  }
}
