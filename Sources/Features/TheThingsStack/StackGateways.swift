import Basics
import JSON
import PostgreSQL

/// A gateway as it is to be at The Things Stack. Nil: not told.
struct GatewayFields: Sendable {
  var name: String??
  var description: String??
  var frequencyPlan: FrequencyPlan?
  var location: GatewayLocation?
}

/// Degrees and metres.
struct GatewayLocation: Sendable, Equatable {
  let latitude: Double
  let longitude: Double
  let altitude: Double?
}

/// A gateway as the key's owner can see it.
struct ListedGateway: Sendable {
  let id: String
  let eui: String?
  let name: String?
  let description: String?
  let frequencyPlan: String?
  let location: GatewayLocation?
}

public enum GatewayStatus: String, Sendable, CaseIterable { case online, offline, disconnected, unknown }

extension StackClient {
  /// Whom the API key belongs to; gateways belong to people and organizations, not to applications.
  enum KeyOwner: Sendable, Equatable {
    case user(String)
    case organization(String)
    case application(String)
    case other
  }

  /// Whose key it is, and what it may do.
  func keyInfo() async throws(StackError) -> (owner: KeyOwner, rights: [String]) {
    let access = try await call(.get, "/auth_info").body["api_key"]
    let ids = access?["entity_ids"]
    let owner: KeyOwner =
      if let id = ids?["user_ids"]?["user_id"]?.string {
        .user(id)
      } else if let id = ids?["organization_ids"]?[
        "organization_id"]?.string
      { .organization(id) } else if let id = ids?["application_ids"]?["application_id"]?.string {
        .application(id)
      } else { .other }
    let rights = access?["api_key"]?["rights"]?.elements.prefix(200).compactMap(\.string) ?? []
    return (owner, Array(rights))
  }

  // MARK: - Registering

  func registerGateway(
    _ id: StackID, eui: String, _ fields: GatewayFields, _ journal: Journal
  ) async throws(StackError) {
    let owner = try await keyInfo().owner
    let path: String
    switch owner {
    case .user(let user): path = "/users/\(user)/gateways"
    case .organization(let organization): path = "/organizations/\(organization)/gateways"
    case .application, .other:
      throw .refused(
        status: 403, message: "the API key is one of an application; gateways need a key of a user or an organization")
    }
    _ = try await journal.noting("register.gateway", id.description, path) { () async throws(StackError) in
      try await call(.post, path) { json in
        json.object("gateway") { json in
          json.object("ids") { json in
            json.field("gateway_id", id.description)
            json.field("eui", eui)
          }
          json.field("gateway_server_address", host)
          json.field("enforce_duty_cycle", true)
          write(fields, &json)
        }
      }
    }
  }

  func updateGateway(_ id: String, _ fields: GatewayFields, _ journal: Journal) async throws(StackError) {
    var paths: [String] = []
    if fields.name != nil { paths.append("name") }
    if fields.description != nil { paths.append("description") }
    if fields.frequencyPlan != nil { paths.append("frequency_plan_ids") }
    if fields.location != nil { paths.append("antennas") }
    guard !paths.isEmpty else { return }
    let (path, mask) = ("/gateways/\(id)", paths)
    _ = try await journal.noting("update.gateway", id, path) { () async throws(StackError) in
      try await call(.put, path) { json in
        json.object("gateway") { json in
          json.object("ids") { $0.field("gateway_id", id) }
          write(fields, &json)
        }
        json.fieldMask(mask)
      }
    }
  }

  /// Fine too when it is not there.
  func removeGateway(_ id: String, _ journal: Journal) async -> Bool {
    do throws(StackError) {
      _ = try await journal.noting("remove.gateway", id, "/gateways/\(id)") { () async throws(StackError) in
        try await call(.delete, "/gateways/\(id)")
      }
      return true
    } catch {
      return error.isNotFound
    }
  }

  private func write(_ fields: GatewayFields, _ json: inout JSONWriter) {
    if let name = fields.name { json.field("name", name ?? "") }
    if let description = fields.description { json.field("description", description ?? "") }
    if let plan = fields.frequencyPlan { json.array("frequency_plan_ids") { $0.string(plan.rawValue) } }
    guard let location = fields.location else { return }
    json.array("antennas") { json in
      json.object { json in
        json.object("location") { json in
          json.field("latitude", location.latitude)
          json.field("longitude", location.longitude)
          if let altitude = location.altitude { json.field("altitude", Int(altitude.rounded())) }
          json.field("source", "SOURCE_REGISTRY")
        }
      }
    }
  }

  // MARK: - Listing and status

  func listGateways(atMost most: Int) async throws(StackError) -> (gateways: [ListedGateway], isWhole: Bool) {
    try await pages(
      "/gateways", of: "gateways", fields: "name,description,frequency_plan_ids,antennas", atMost: most
    ) { json in
      guard let id = json["ids"]?["gateway_id"]?.string, id.utf8.count <= 36 else { return nil }
      let place = json["antennas"]?[0]?["location"]
      var location: GatewayLocation?
      // Zero is left out by the sender.
      if let place, place["latitude"] != nil || place["longitude"] != nil {
        location = GatewayLocation(
          latitude: place["latitude"]?.double ?? 0, longitude: place["longitude"]?.double ?? 0,
          altitude: place["altitude"]?.double)
      }
      return ListedGateway(
        id: id, eui: json["ids"]?["eui"]?.string.flatMap(Self.eui), name: json["name"]?.string,
        description: json["description"]?.string, frequencyPlan: json["frequency_plan_ids"]?[0]?.string,
        location: location)
    }
  }

  struct GatewayStats: Sendable, Equatable {
    let status: GatewayStatus
    let lastSeen: Instant?
  }

  /// What the Gateway Server knows of these at `now`, at most 100. One that is not connected is offline.
  func gatewayStats(_ ids: [String], now: Instant) async throws(StackError) -> [String: GatewayStats] {
    let answer = try await call(.post, "/gs/gateways/connection/stats") { json in
      json.array("gateway_ids") { json in for id in ids { json.object { $0.field("gateway_id", id) } } }
      json.fieldMask(["connected_at", "disconnected_at", "last_status_received_at", "last_uplink_received_at"])
    }
    return ids.reduce(into: [:]) { stats, id in
      stats[id] = Self.stats(answer.body["entries"]?[key: id], now: now)
    }
  }

  func gatewayStats(_ id: String, now: Instant) async throws(StackError) -> GatewayStats {
    do throws(StackError) {
      return Self.stats(try await call(.get, "/gs/gateways/\(id)/connection/stats").body, now: now)
    } catch {
      guard error.isNotFound else { throw error }
      return Self.stats(nil, now: now)
    }
  }

  /// Heard within half an hour: online. Gateways report their status every 30 seconds, some only with an uplink.
  private static func stats(_ json: JSONValue?, now: Instant) -> GatewayStats {
    guard let json else { return GatewayStats(status: .offline, lastSeen: nil) }
    func instant(_ name: String) -> Instant? { json[key: name]?.string.flatMap { Instant(rfc3339: $0) } }
    let heard = [instant("last_status_received_at"), instant("last_uplink_received_at")].compactMap(\.self).max()
    let lastSeen = heard ?? instant("connected_at")
    if instant("disconnected_at") != nil { return GatewayStats(status: .disconnected, lastSeen: lastSeen) }
    let isFresh = lastSeen.map { now - $0 <= .minutes(30) } ?? false
    return GatewayStats(status: isFresh ? .online : .offline, lastSeen: lastSeen)
  }
}
