import Basics
import Devices
import Identity
import JSON
import PostgreSQL

/// What a caller says of a new device that he has the keys of.
struct NewTTNDevice: Sendable {
  let registration: DeviceRegistration
  let unitId: UUID?

  init(_ fields: inout Fields) throws {
    let id = fields.stackID("deviceId")
    let devEUI = fields.eui("devEui")
    let joinEUI = fields.eui("joinEui")
    let appKey = fields.string("appKey", 32...32)
    let key = Hex.decode(appKey).map { Hex.encode($0).uppercased() }
    if key == nil { fields.problem("appKey", "must be 32 hexadecimal digits") }
    registration = DeviceRegistration(
      id: id, devEUI: devEUI, joinEUI: joinEUI, appKey: key ?? "", name: fields.optionalString("name", 1...256),
      description: fields.optionalString("description", 0...2048),
      frequencyPlan: fields.choice("frequencyPlanId", default: FrequencyPlan.US_902_928_FSB_2),
      macVersion: fields.choice("lorawanVersion", default: MACVersion.MAC_V1_0_3),
      phyVersion: fields.choice("lorawanPhyVersion", default: PHYVersion.PHY_V1_0_3_REV_A))
    unitId = fields.optionalUUID("unitId")
  }
}

/// What a caller says of a new device that gets its EUIs and its key here, for a sensor that can be programmed.
struct BootstrappedTTNDevice: Sendable {
  let registration: DeviceRegistration
  let unitId: UUID?
  let siteId: UUID?

  init(_ fields: inout Fields) throws {
    let name = fields.string("name", 1...256)
    let suffix = Hex.encode(SecureRandom.bytes(3))
    let given = fields.optionalString("deviceId", 3...36)
    let id = given.map { StackID($0) } ?? StackID(naming: name, suffix: suffix)
    if given != nil, id == nil { fields.problem("deviceId", StackID.rule) }
    registration = DeviceRegistration(
      id: id ?? StackID(naming: name, suffix: suffix), devEUI: Self.localEUI(), joinEUI: Self.localEUI(),
      appKey: Hex.encode(SecureRandom.bytes(16)).uppercased(), name: name,
      description: fields.optionalString("description", 0...2048),
      frequencyPlan: fields.choice("frequencyPlanId", default: FrequencyPlan.US_902_928_FSB_2),
      macVersion: fields.choice("lorawanVersion", default: MACVersion.MAC_V1_0_3),
      phyVersion: fields.choice("lorawanPhyVersion", default: PHYVersion.PHY_V1_0_3_REV_A))
    unitId = fields.optionalUUID("unitId")
    siteId = fields.optionalUUID("siteId")
  }

  /// Random, marked as locally administered and no group: it cannot be the EUI of another's hardware (IEEE 802, clause 8.4).
  private static func localEUI() -> String {
    var bytes = SecureRandom.bytes(8)
    bytes[0] = bytes[0] & 0xFC | 0x02
    return Hex.encode(bytes).uppercased()
  }
}

/// What a caller changes of a device. Nil: stays.
struct TTNDeviceChange: Sendable {
  let name: String?
  let description: String??
  let status: DeviceStatus?
  let assignment: DeviceAssignment?

  init(_ fields: inout Fields) throws {
    name = fields.optionalString("name", 1...256)
    let text = fields.optionalString("description", 0...2048)
    description = fields.present("description") ? .some(text) : nil
    status = fields.optionalChoice("status", of: DeviceStatus.self)
    let unit = fields.optionalUUID("unitId")
    assignment = fields.present("unitId") ? DeviceAssignment(unitId: unit, channel: nil, from: nil) : nil
  }

  /// The columns of `devices` that it names.
  var row: Value {
    .json(
      JSONWriter.bytes { json in
        json.object { json in
          if let name { json.field("name", name) }
          if let description { json.field("description", description) }
          if let status { json.field("status", status.rawValue) }
        }
      })
  }
}

extension DeviceRegistration {
  /// The row of `devices` that it becomes.
  func row(connection: UUID) -> Value {
    .json(
      JSONWriter.bytes { json in
        json.object { json in
          json.field("dev_eui", devEUI)
          json.field("join_eui", joinEUI)
          json.field("name", name ?? id.description)
          json.field("description", description)
          json.field("device_id", id.description)
          json.field("status", DeviceStatus.inactive.rawValue)
          json.field("is_active", true)
          json.field("ttn_connection_id", connection)
        }
      })
  }
}

extension StackID {
  static let rule = "must be 3 to 36 lower-case letters and digits with single hyphens between them"
  fileprivate static let placeholder = StackID(naming: "", suffix: "0")
}

extension Fields {
  mutating func stackID(_ name: String) -> StackID {
    let text = string(name, 3...36)
    guard let id = StackID(text) else {
      problem(name, StackID.rule)
      return .placeholder
    }
    return id
  }

  mutating func eui(_ name: String) -> String {
    let text = string(name, 16...23)
    guard let eui = EUI64(text) else {
      problem(name, "must be 16 hexadecimal digits")
      return "0000000000000000"
    }
    return eui.description
  }
}
