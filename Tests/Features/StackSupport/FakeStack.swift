import Basics
import HTTP
import HTTPServer
import JSON
import Runtime
import Synchronization
import Telemetry
import TestSupport

/// A The Things Stack of the tests' own: a real server that speaks the parts of its API that we use, and refuses what the real one
/// refuses: wrong paths, keys, headers, ids, and fields that no field mask names.
final class FakeStack: Sendable {
  let state: FakeState
  let url: String
  private let group = LoopGroup(count: 1)
  private let server: HTTPServer

  init() throws {
    let state = FakeState()
    self.state = state
    var settings = HTTPServerConfiguration()
    settings.port = 0
    server = HTTPServer(
      routes: FakeAPI(state: state).routes, configuration: settings, log: .none, metrics: Metrics())
    url = "http://127.0.0.1:\(try server.start(on: group).port)"
  }

  deinit { group.end(server) }
}

/// What the fake holds, and how it is to misbehave.
final class FakeState: Sendable {
  static let application = "acme-cold"
  static let key = "NNSXS.ABCDEFGHIJKLMNOPQRSTUVWXYZ.0123456789ABCDEF"

  enum Owner { case user, organization, application }

  struct Gateway {
    var fields: [String: String]
    var eui: String
    var lastUplink: Instant?
    var isConnected = true
  }

  struct Webhook {
    let base: String
    let paths: [String: String]
    let headers: [String: String]
  }

  struct Stored {
    let at: Instant
    let message: String
  }

  struct Values {
    var owner = Owner.user
    var rights = ["RIGHT_ALL"]
    /// By registry and device id: the fields that its mask named, by their paths.
    var devices: [String: [String: [String: String]]] = ["is": [:], "js": [:], "ns": [:], "as": [:]]
    /// In the order of their making.
    var deviceOrder: [String] = []
    var gateways: [String: Gateway] = [:]
    var webhooks: [String: Webhook] = [:]
    var downlinks: [(device: String, port: Int, payload: String, confirmed: Bool, correlation: String)] = []
    var stored: [Stored] = []
    var storagePageMax = 1000
    var givesTokens = true
    var storageStatus: Int?
    /// The next requests for stored messages are answered with 429.
    var rateLimited = 0
    /// The next streams break off after so many lines and a half.
    var cuts: [Int] = []
    /// `PUT /ns`: the status of the next such request; 0 breaks the connection.
    var failures: [String: Int] = [:]
    /// Method and path without `/api/v3`.
    var requests: [String] = []
  }

  private let values = Mutex(Values())

  func with<R: Sendable>(_ body: (inout Values) -> R) -> R { values.withLock { body(&$0) } }

  /// Those that change something, since the last time.
  func takeRequests() -> [String] {
    with { values in
      defer { values.requests = [] }
      return values.requests.filter { !$0.hasPrefix("GET") }
    }
  }
}

struct FakeFailure: Error {
  let status: Int
  let message: String

  init(_ status: Int, _ message: String) {
    self.status = status
    self.message = message
  }
}

struct FakeAPI: Sendable {
  let state: FakeState

  private typealias Handler = @Sendable (Request, JSONValue) throws -> Response

  var routes: [Route] {
    var routes = [
      route(.get, "/auth_info", authInfo), route(.get, "/applications/:app", application),
      route(.post, "/applications/:app/devices", createDevice), route(.get, "/applications/:app/devices", listDevices),
      route(.put, "/applications/:app/devices/:device", updateDevice),
      route(.delete, "/applications/:app/devices/:device", deleteDevice("is")),
      route(.post, "/users/:owner/gateways", createGateway), route(.get, "/gateways", listGateways),
      route(.put, "/gateways/:gateway", updateGateway), route(.delete, "/gateways/:gateway", deleteGateway),
      route(.post, "/gs/gateways/connection/stats", stats),
      route(.get, "/gs/gateways/:gateway/connection/stats", oneStats),
      route(.put, "/as/webhooks/:app/:hook", setWebhook), route(.get, "/as/webhooks/:app/:hook", getWebhook),
      route(.post, "/as/applications/:app/devices/:device/down/push", push),
      route(.get, "/as/applications/:app/packages/storage/:type", accept: "text/event-stream", storage),
    ]
    for registry in ["js", "ns", "as"] {
      routes.append(route(.put, "/\(registry)/applications/:app/devices/:device", setDevice(registry)))
      routes.append(route(.delete, "/\(registry)/applications/:app/devices/:device", deleteDevice(registry)))
    }
    return routes
  }

  private func route(
    _ method: Method, _ path: String, accept: String = "application/json", _ handler: @escaping Handler
  ) -> Route {
    Route(method, "/api/v3" + path, content: .any) { request in
      let full = String(request.path.dropFirst("/api/v3".count))
      let name = "\(method.name) \(full)"
      let failure: Int? = state.with { values in
        values.requests.append(name)
        guard let key = values.failures.keys.first(where: { name.hasPrefix($0) }) else { return nil }
        return values.failures.removeValue(forKey: key)
      }
      do throws(FakeFailure) {
        if let failure {
          if failure == 0 { return Response.stream("application/json") { _ in throw FakeFailure(0, "cut") } }
          throw FakeFailure(failure, "made to fail")
        }
        let body = try Self.checked(request, accept: accept)
        do { return try handler(request, body) } catch let error as FakeFailure { throw error } catch {
          throw FakeFailure(500, "\(error)")
        }
      } catch {
        return Self.refusal(error)
      }
    }
  }

  private static func refusal(_ error: FakeFailure) -> Response {
    let status =
      [
        400: Status.badRequest, 401: .unauthorized, 403: .forbidden, 404: .notFound, 409: .conflict,
        429: .tooManyRequests, 503: .serviceUnavailable,
      ][error.status] ?? .internalServerError
    let answer = Response.json(status) { json in
      json.object { json in
        json.field("code", 3)
        json.field("message", "error:pkg/fake:refused (\(error.message))")
        json.array("details") { _ in }
      }
    }
    return error.status == 429 ? answer.with(HeaderName("X-Rate-Limit-Retry"), "45") : answer
  }

  /// What holds for every request.
  private static func checked(_ request: Request, accept: String) throws(FakeFailure) -> JSONValue {
    guard request.header("Authorization") == "Bearer \(FakeState.key)" else {
      throw FakeFailure(401, "api key not found")
    }
    guard request.header("Accept") == accept else { throw FakeFailure(400, "Accept must be \(accept)") }
    if request.path.contains("/applications/") || request.path.contains("/webhooks/") {
      guard request.path.contains("/\(FakeState.application)") else { throw FakeFailure(404, "application not found") }
    }
    guard let empty = try? JSONDocument(Array("{}".utf8)) else { throw FakeFailure(500, "no JSON") }
    guard request.method == .post || request.method == .put else { return empty.root }
    guard request.header("Content-Type") == "application/json" else { throw FakeFailure(400, "no JSON content type") }
    guard let document = try? JSONDocument(request.body) else { throw FakeFailure(400, "malformed JSON") }
    return document.root
  }

  // MARK: - Identity Server

  private func authInfo(_ request: Request, _ body: JSONValue) throws -> Response {
    let (owner, rights) = state.with { ($0.owner, $0.rights) }
    return .json { json in
      json.object { json in
        json.object("api_key") { json in
          json.object("api_key") { json in json.array("rights") { json in for right in rights { json.string(right) } } }
          json.object("entity_ids") { json in
            switch owner {
            case .user: json.object("user_ids") { $0.field("user_id", "jane") }
            case .organization: json.object("organization_ids") { $0.field("organization_id", "acme") }
            case .application: json.object("application_ids") { $0.field("application_id", FakeState.application) }
            }
          }
        }
      }
    }
  }

  private func application(_ request: Request, _ body: JSONValue) throws -> Response {
    .json { json in
      json.object { json in json.object("ids") { $0.field("application_id", FakeState.application) } }
    }
  }

  private func createDevice(_ request: Request, _ body: JSONValue) throws -> Response {
    let device = try Self.device(body["end_device"])
    guard body["end_device"]?["ids"]?["application_ids"]?["application_id"]?.string == FakeState.application else {
      throw FakeFailure(400, "no application_ids")
    }
    var fields = Self.flat(body["end_device"])
    for name in ["join_server_address", "network_server_address", "application_server_address"] {
      guard fields[name] != nil else { throw FakeFailure(400, "\(name) is missing") }
    }
    fields["ids.application_ids.application_id"] = nil
    let kept = fields
    try state.withThrowing { values in
      guard values.devices["is"]?[device.id] == nil else {
        throw FakeFailure(409, "end device `\(device.id)` already exists")
      }
      values.devices["is"]?[device.id] = kept
      values.deviceOrder.append(device.id)
    }
    return .json(bytes: Array(body["end_device"]?.rawBytes ?? []))
  }

  private func listDevices(_ request: Request, _ body: JSONValue) throws -> Response {
    let mask = Set((request.query("field_mask") ?? "").split(separator: ",").map(String.init))
    guard let limit = request.query("limit").flatMap(Int.init), (1...1000).contains(limit) else {
      throw FakeFailure(400, "limit")
    }
    let page = max(request.query("page").flatMap(Int.init) ?? 1, 1)
    let all = state.with { values in
      values.deviceOrder.compactMap { id in values.devices["is"]?[id].map { (id, $0) } }
    }
    let some = all.dropFirst((page - 1) * limit).prefix(limit)
    return .json { json in
      json.object { json in
        // An empty list is left out.
        guard !some.isEmpty else { return }
        json.array("end_devices") { json in
          for (id, fields) in some {
            json.object { json in
              json.object("ids") { json in
                json.field("device_id", id)
                if let eui = fields["ids.dev_eui"] { json.field("dev_eui", eui) }
                if let eui = fields["ids.join_eui"] { json.field("join_eui", eui) }
              }
              for name in ["name", "description"] where mask.contains(name) {
                if let value = fields[name] { json.field(name, value) }
              }
            }
          }
        }
      }
    }.with(HeaderName("X-Total-Count"), "\(all.count)")
  }

  private func updateDevice(_ request: Request, _ body: JSONValue) throws -> Response {
    let id = request.parameter("device")
    let masked = try Self.masked(body["end_device"], by: body)
    try state.withThrowing { values in
      guard values.devices["is"]?[id] != nil else { throw FakeFailure(404, "end device not found") }
      values.devices["is"]?[id]?.merge(masked) { $1 }
    }
    return .json { $0.object { _ in } }
  }

  // MARK: - The other registries

  private func setDevice(_ registry: String) -> Handler {
    { request, body in
      let device = try Self.device(body["end_device"])
      guard device.id == request.parameter("device") else { throw FakeFailure(400, "the ids differ from the path") }
      let fields = try Self.masked(body["end_device"], by: body)
      let needed =
        [
          "js": ["network_server_address", "application_server_address", "root_keys.app_key.key"],
          "ns": ["supports_join", "lorawan_version", "lorawan_phy_version", "frequency_plan_id"],
        ][registry] ?? []
      for name in needed + ["ids.device_id", "ids.dev_eui", "ids.join_eui"] where fields[name] == nil {
        throw FakeFailure(400, "\(name) is not in the field mask")
      }
      if registry == "js", Hex.decode(fields["root_keys.app_key.key"] ?? "")?.count != 16 {
        throw FakeFailure(400, "app_key")
      }
      if registry != "js", fields.keys.contains(where: { $0.hasPrefix("root_keys") }) {
        throw FakeFailure(400, "root keys belong to the Join Server")
      }
      let kept = fields
      try state.withThrowing { values in
        guard values.devices["is"]?[device.id] != nil else { throw FakeFailure(404, "end device not found") }
        values.devices[registry]?[device.id] = kept
      }
      return .json { $0.object { _ in } }
    }
  }

  private func deleteDevice(_ registry: String) -> Handler {
    { request, _ in
      let id = request.parameter("device")
      try state.withThrowing { values in
        if registry == "is", ["js", "ns", "as"].contains(where: { values.devices[$0]?[id] != nil }) {
          throw FakeFailure(400, "the device is still in another registry")
        }
        guard values.devices[registry]?.removeValue(forKey: id) != nil else {
          throw FakeFailure(404, "end device not found")
        }
        if registry == "is" { values.deviceOrder.removeAll { $0 == id } }
      }
      return .json { $0.object { _ in } }
    }
  }

  // MARK: - Reading messages

  private static func device(_ json: JSONValue?) throws -> (id: String, eui: String) {
    guard let ids = json?["ids"], let id = ids["device_id"]?.string, isID(id) else {
      throw FakeFailure(400, "device_id")
    }
    for name in ["dev_eui", "join_eui"] {
      guard let eui = ids[key: name]?.string, Hex.decode(eui)?.count == 8 else { throw FakeFailure(400, name) }
    }
    return (id, ids["dev_eui"]?.string ?? "")
  }

  /// `^[a-z0-9](?:[-]?[a-z0-9]){2,}$`, at most 36.
  static func isID(_ text: String) -> Bool {
    text.count >= 3 && text.count <= 36 && !text.contains("--") && !text.hasPrefix("-") && !text.hasSuffix("-")
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x7A).contains($0) || $0 == 0x2D }
  }

  /// Scalars by their paths.
  static func flat(_ json: JSONValue?, _ prefix: String = "") -> [String: String] {
    guard let json else { return [:] }
    switch json.kind {
    case .object:
      return json.members.reduce(into: [:]) { all, member in
        all.merge(flat(member.value, prefix.isEmpty ? member.key : "\(prefix).\(member.key)")) { $1 }
      }
    case .array: return [prefix: String(decoding: json.rawBytes, as: UTF8.self)]
    default: return [prefix: json.string ?? String(decoding: json.rawBytes, as: UTF8.self)]
    }
  }

  /// Only what the field mask names.
  static func masked(_ json: JSONValue?, by body: JSONValue) throws -> [String: String] {
    guard let paths = body["field_mask"]?["paths"]?.elements.map({ $0.string ?? "" }), json != nil else {
      throw FakeFailure(400, "no field mask")
    }
    return flat(json).filter { field in paths.contains { $0 == field.key || field.key.hasPrefix($0 + ".") } }
  }
}

extension FakeState {
  func withThrowing<R: Sendable>(_ body: (inout Values) throws -> R) throws -> R {
    let result: Result<R, any Error> = with { values in Result { try body(&values) } }
    return try result.get()
  }
}
