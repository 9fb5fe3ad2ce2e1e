import Basics
import Identity
import JSON
import PostgreSQL
import Runtime

/// The demo's organization in the database, and what is needed to use it. Kept in a file, so that a second start goes on.
struct DemoOrganization: Sendable {
  let organizationId: UUID
  let ownerId: UUID
  let ingestKey: String

  // MARK: - Kept

  static func load(from path: String) -> DemoOrganization? {
    guard let bytes = File.read(path, limit: 1 << 16), let root = try? JSONDocument(bytes).root,
      let organization = root["organizationId"]?.string.flatMap({ UUID($0) }),
      let owner = root["ownerId"]?.string.flatMap({ UUID($0) }), let key = root["ingestKey"]?.string
    else { return nil }
    return DemoOrganization(organizationId: organization, ownerId: owner, ingestKey: key)
  }

  func save(to path: String) throws(Failure) {
    try File.write(
      JSONWriter.bytes { json in
        json.object { json in
          json.field("organizationId", organizationId)
          json.field("ownerId", ownerId)
          json.field("ingestKey", ingestKey)
        }
      }, to: path)
  }

  // MARK: - Made

  /// The organization, its owner and a key: what nobody can ask the API for.
  static func make(on database: Database, now: Instant) throws -> DemoOrganization {
    let owner = UUID.v4()
    return try EventLoop.run {
      let desk = Operator(database: database)
      let made = try await desk.createOrganization(
        name: DemoPlan.organization, owner: owner, email: DemoPlan.ownerEmail, timezone: DemoPlan.timezone, now: now)
      let key = try await desk.createKey(in: made.id, name: "The Things Stack", scopes: [.ingest], now: now)
      return DemoOrganization(organizationId: made.id, ownerId: owner, ingestKey: key.key)
    }
  }

  /// A token of its owner.
  func token(on database: Database, now: Instant) throws -> String {
    let owner = ownerId
    return try EventLoop.run {
      try await LocalIssuer(database: database).token(
        user: owner, email: DemoPlan.ownerEmail, name: DemoPlan.ownerName, lifetime: .days(30), now: now)
    }
  }

  /// Everything else, by the API, as a client would.
  func furnish(_ target: HTTPTarget, token: String, since: Instant) throws(Failure) {
    var api = DemoAPI(target, token: token, organizationId: organizationId)
    let site = try api.create("sites") { json in
      json.field("name", DemoPlan.site.name)
      json.field("address", DemoPlan.site.address)
      json.field("city", DemoPlan.site.city)
      json.field("state", DemoPlan.site.state)
      json.field("postalCode", DemoPlan.site.postalCode)
      json.field("country", "US")
      json.field("timezone", DemoPlan.timezone)
      json.field("complianceMode", "haccp")
    }
    var areas: [String: String] = [:]
    for (place, name) in DemoPlan.areas.enumerated() {
      areas[name] = try api.create("sites/\(site)/areas") { json in
        json.field("name", name)
        json.field("sortOrder", place)
      }
    }
    for (place, unit) in DemoPlan.units.enumerated() {
      let unitId = try api.create("sites/\(site)/areas/\(areas[unit.area] ?? "")/units") { json in
        json.field("name", unit.name)
        json.field("unitType", unit.type)
        json.field("tempUnit", "F")
        json.field("tempMin", unit.limits.lowerBound)
        json.field("tempMax", unit.limits.upperBound)
        json.field("sortOrder", place)
      }
      _ = try api.create("devices") { json in
        json.field("name", "\(unit.name) \(unit.sensor.displayName)")
        json.field("devEui", unit.devEUI)
        json.field("deviceId", DemoPlan.deviceId(unit))
        json.field("model", unit.sensor.displayName)
        json.field("status", "active")
        json.field("unitId", unitId)
        json.field("assignedFrom", since)
      }
    }
  }
}

/// The few calls of the API that the demo makes.
private struct DemoAPI: ~Copyable {
  private var http: PlainHTTP
  private let root: String

  init(_ target: HTTPTarget, token: String, organizationId: UUID) {
    http = PlainHTTP(target, headers: [("Authorization", "Bearer \(token)")])
    root = "/api/orgs/\(organizationId)"
  }

  /// The id of what was made.
  mutating func create(_ path: String, _ fields: (inout JSONWriter) -> Void) throws(Failure) -> String {
    let body = JSONWriter.bytes { json in json.object { json in fields(&json) } }
    let (status, answer) = try http.send("POST", "\(root)/\(path)", body: body)
    guard status == 201, let id = (try? JSONDocument(answer))?.root["id"]?.string else {
      throw Failure(
        .fault, "the demo could not be made: POST \(path) answered \(status) \(String(decoding: answer, as: UTF8.self))"
      )
    }
    return id
  }
}
