import Basics
import Devices
import JSON

/// What a new end device is registered with.
struct DeviceRegistration: Sendable {
  let id: StackID
  let devEUI: String
  let joinEUI: String
  /// 32 hexadecimal digits. Only the Join Server is told.
  let appKey: String
  let name: String?
  let description: String?
  let frequencyPlan: FrequencyPlan
  let macVersion: MACVersion
  let phyVersion: PHYVersion
}

/// A device as the application lists it.
struct ListedDevice: Sendable, Equatable {
  let id: String
  let devEUI: String
  let joinEUI: String?
  let name: String?
  let description: String?
}

/// Devices live in four registries. They are made in this order and removed in the opposite one (The Things Industries, "End Device
/// APIs").
enum Registry: String, Sendable, CaseIterable {
  case identityServer = "identity_server"
  case joinServer = "join_server"
  case networkServer = "network_server"
  case applicationServer = "application_server"

  func path(_ application: String, _ device: String) -> String {
    let prefix =
      switch self {
      case .identityServer: ""
      case .joinServer: "/js"
      case .networkServer: "/ns"
      case .applicationServer: "/as"
      }
    return "\(prefix)/applications/\(application)/devices/\(device)"
  }
}

extension StackClient {
  // MARK: - Registering

  /// Registers the device in all four registries. When one refuses, what was made is removed again, and the refusal is thrown.
  func register(_ device: DeviceRegistration, _ journal: Journal) async throws(StackError) {
    var made: [Registry] = []
    do throws(StackError) {
      for registry in Registry.allCases {
        try await register(device, in: registry, journal)
        made.append(registry)
      }
    } catch {
      // Whether the one that did not answer has it is unknown: it is removed there too.
      if case .unreachable = error { made = Array(Registry.allCases.prefix(made.count + 1)) }
      _ = await remove(device.id.description, from: made, journal)
      throw error
    }
  }

  private func register(
    _ device: DeviceRegistration, in registry: Registry, _ journal: Journal
  ) async throws(StackError) {
    let step = "register.\(registry.rawValue)"
    if registry == .identityServer {
      let path = "/applications/\(application)/devices"
      _ = try await journal.noting(step, device.id.description, path) { () async throws(StackError) in
        try await call(.post, path) { json in
          json.object("end_device") { json in write(device, in: registry, &json) }
        }
      }
      return
    }
    let path = registry.path(application, device.id.description)
    _ = try await journal.noting(step, device.id.description, path) { () async throws(StackError) in
      try await call(.put, path) { json in
        json.object("end_device") { json in write(device, in: registry, &json) }
        json.fieldMask(["ids.device_id", "ids.dev_eui", "ids.join_eui"] + Self.fields(of: registry))
      }
    }
  }

  private static func fields(of registry: Registry) -> [String] {
    switch registry {
    case .identityServer: []
    case .joinServer: ["network_server_address", "application_server_address", "root_keys.app_key.key"]
    case .networkServer: ["supports_join", "lorawan_version", "lorawan_phy_version", "frequency_plan_id"]
    case .applicationServer: []
    }
  }

  private func write(_ device: DeviceRegistration, in registry: Registry, _ json: inout JSONWriter) {
    json.object("ids") { json in
      json.field("device_id", device.id.description)
      json.field("dev_eui", device.devEUI)
      json.field("join_eui", device.joinEUI)
      json.object("application_ids") { $0.field("application_id", application) }
    }
    switch registry {
    case .identityServer:
      if let name = device.name { json.field("name", name) }
      if let description = device.description { json.field("description", description) }
      json.field("join_server_address", host)
      json.field("network_server_address", host)
      json.field("application_server_address", host)
    case .joinServer:
      json.field("network_server_address", host)
      json.field("application_server_address", host)
      json.object("root_keys") { json in json.object("app_key") { $0.field("key", device.appKey) } }
    case .networkServer:
      json.field("supports_join", true)
      json.field("lorawan_version", device.macVersion.rawValue)
      json.field("lorawan_phy_version", device.phyVersion.rawValue)
      json.field("frequency_plan_id", device.frequencyPlan.rawValue)
    case .applicationServer: break
    }
  }

  // MARK: - Removing and changing

  /// Removes it in the opposite order. False when a registry kept it; one that does not have it is fine.
  func remove(
    _ device: String, from registries: [Registry] = Registry.allCases, _ journal: Journal
  ) async -> Bool {
    for registry in registries.reversed() {
      let path = registry.path(application, device)
      do throws(StackError) {
        _ = try await journal.noting("remove.\(registry.rawValue)", device, path) { () async throws(StackError) in
          try await call(.delete, path)
        }
      } catch {
        // The Identity Server must not forget a device that another registry still has.
        guard error.isNotFound else { return false }
      }
    }
    return true
  }

  /// Nil fields stay as they are.
  func rename(
    _ device: String, name: String?, description: String??, _ journal: Journal
  ) async throws(StackError) {
    var paths: [String] = []
    if name != nil { paths.append("name") }
    if description != nil { paths.append("description") }
    guard !paths.isEmpty else { return }
    let mask = paths
    let path = Registry.identityServer.path(application, device)
    _ = try await journal.noting("update.identity_server", device, path) { () async throws(StackError) in
      try await call(.put, path) { json in
        json.object("end_device") { json in
          json.object("ids") { json in
            json.field("device_id", device)
            json.object("application_ids") { $0.field("application_id", application) }
          }
          if let name { json.field("name", name) }
          if let description { json.field("description", description ?? "") }
        }
        json.fieldMask(mask)
      }
    }
  }

  // MARK: - Listing

  /// All devices of the application that have a DevEUI, in pages of 100. `isWhole` is false when there are more than `most`.
  func listDevices(atMost most: Int) async throws(StackError) -> (devices: [ListedDevice], isWhole: Bool) {
    try await pages(
      "/applications/\(application)/devices", of: "end_devices", fields: "name,description", atMost: most
    ) { json in
      guard let id = json["ids"]?["device_id"]?.string, let eui = json["ids"]?["dev_eui"]?.string,
        let devEUI = Self.eui(eui)
      else { return nil }
      return ListedDevice(
        id: id, devEUI: devEUI, joinEUI: json["ids"]?["join_eui"]?.string.flatMap(Self.eui), name: json["name"]?.string,
        description: json["description"]?.string)
    }
  }

  func pages<Item>(
    _ path: String, of name: String, fields: String, atMost most: Int, _ read: (JSONValue) -> Item?
  ) async throws(StackError) -> ([Item], Bool) {
    let size = 100
    var items: [Item] = []
    var seen = 0
    for page in 1...max(1, (most + size - 1) / size) {
      let answer = try await call(
        .get, path, query: [("field_mask", fields), ("limit", "\(size)"), ("page", "\(page)"), ("order", "created_at")])
      let list = answer.body[key: name]
      seen += list?.count ?? 0
      if let list { items += list.elements.compactMap(read) }
      let total = answer.header("x-total-count").flatMap { ASCII.unsigned($0.utf8) }
      if let total, seen >= total { return (items, true) }
      if (list?.count ?? 0) < size { return (items, true) }
    }
    return (items, false)
  }

  /// The network server writes none with marks.
  static func eui(_ text: String) -> String? { text.utf8.count == 16 ? EUI64(text)?.description : nil }
}

public enum FrequencyPlan: String, Sendable, CaseIterable {
  case US_902_928_FSB_1, US_902_928_FSB_2, US_902_928_FSB_3, US_902_928_FSB_4
  case US_902_928_FSB_5, US_902_928_FSB_6, US_902_928_FSB_7, US_902_928_FSB_8
  case EU_863_870, EU_863_870_TTN, AU_915_928_FSB_1, AU_915_928_FSB_2, AS_923, AS_923_2, KR_920_923, IN_865_867
}

public enum MACVersion: String, Sendable, CaseIterable {
  case MAC_V1_0, MAC_V1_0_1, MAC_V1_0_2, MAC_V1_0_3, MAC_V1_0_4, MAC_V1_1
}

public enum PHYVersion: String, Sendable, CaseIterable {
  case PHY_V1_0, PHY_V1_0_1, PHY_V1_0_2_REV_A, PHY_V1_0_2_REV_B, PHY_V1_0_3_REV_A, PHY_V1_1_REV_A, PHY_V1_1_REV_B
}
