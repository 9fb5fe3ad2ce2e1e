import Basics
import HTTP
import HTTPServer
import JSON
import Runtime

extension FakeAPI {
  // MARK: - Gateways

  func createGateway(_ request: Request, _ body: JSONValue) throws -> Response {
    guard request.parameter("owner") == "jane", state.with({ $0.owner == .user }) else {
      throw FakeFailure(403, "insufficient rights")
    }
    guard let gateway = body["gateway"], let id = gateway["ids"]?["gateway_id"]?.string, Self.isID(id),
      let eui = gateway["ids"]?["eui"]?.string, Hex.decode(eui)?.count == 8,
      gateway["gateway_server_address"]?.string != nil
    else { throw FakeFailure(400, "gateway") }
    let fields = Self.flat(gateway)
    try state.withThrowing { values in
      if values.gateways[id] != nil || values.gateways.values.contains(where: { $0.eui == eui }) {
        throw FakeFailure(409, "a gateway with EUI `\(eui)` is already registered")
      }
      values.gateways[id] = FakeState.Gateway(fields: fields, eui: eui)
    }
    return .json { $0.object { _ in } }
  }

  func listGateways(_ request: Request, _ body: JSONValue) throws -> Response {
    let all = state.with { $0.owner == .application ? [] : $0.gateways.sorted { $0.key < $1.key } }
    return .json { json in
      json.object { json in
        json.array("gateways") { json in
          for (id, gateway) in all {
            json.object { json in
              json.object("ids") { json in
                json.field("gateway_id", id)
                json.field("eui", gateway.eui)
              }
              if let name = gateway.fields["name"] { json.field("name", name) }
              if let plans = gateway.fields["frequency_plan_ids"] {
                json.key("frequency_plan_ids")
                json.raw(Array(plans.utf8))
              }
              if let antennas = gateway.fields["antennas"] {
                json.key("antennas")
                json.raw(Array(antennas.utf8))
              }
            }
          }
        }
      }
    }.with(HeaderName("X-Total-Count"), "\(all.count)")
  }

  func updateGateway(_ request: Request, _ body: JSONValue) throws -> Response {
    let id = request.parameter("gateway")
    let masked = try Self.masked(body["gateway"], by: body)
    try state.withThrowing { values in
      guard values.gateways[id] != nil else { throw FakeFailure(404, "gateway not found") }
      values.gateways[id]?.fields.merge(masked) { $1 }
    }
    return .json { $0.object { _ in } }
  }

  func deleteGateway(_ request: Request, _ body: JSONValue) throws -> Response {
    let id = request.parameter("gateway")
    let removed = state.with { $0.gateways.removeValue(forKey: id) != nil }
    guard removed else { throw FakeFailure(404, "gateway not found") }
    return .json { $0.object { _ in } }
  }

  func stats(_ request: Request, _ body: JSONValue) throws -> Response {
    guard let ids = body["gateway_ids"], (1...100).contains(ids.count), body["field_mask"] != nil else {
      throw FakeFailure(400, "gateway_ids")
    }
    let wanted = ids.elements.compactMap { $0["gateway_id"]?.string }
    let found = state.with { values in
      wanted.compactMap { id in values.gateways[id].map { (id, $0) } }.filter { $0.1.isConnected }
    }
    return .json { json in
      json.object { json in
        json.object("entries") { json in
          for (id, gateway) in found { json.object(id) { Self.write(gateway, &$0) } }
        }
      }
    }
  }

  func oneStats(_ request: Request, _ body: JSONValue) throws -> Response {
    let id = request.parameter("gateway")
    guard let gateway = state.with({ $0.gateways[id] }), gateway.isConnected else {
      throw FakeFailure(404, "gateway not connected")
    }
    return .json { json in json.object { Self.write(gateway, &$0) } }
  }

  private static func write(_ gateway: FakeState.Gateway, _ json: inout JSONWriter) {
    json.field("connected_at", "2026-01-01T00:00:00Z")
    if let at = gateway.lastUplink { json.field("last_uplink_received_at", at) }
  }

  // MARK: - Webhooks

  func setWebhook(_ request: Request, _ body: JSONValue) throws -> Response {
    let id = request.parameter("hook")
    guard let webhook = body["webhook"], webhook["ids"]?["webhook_id"]?.string == id, Self.isID(id),
      webhook["ids"]?["application_ids"]?["application_id"]?.string == FakeState.application
    else { throw FakeFailure(400, "webhook ids") }
    let fields = try Self.masked(webhook, by: body)
    guard let base = fields["base_url"], base.hasPrefix("https://"), fields["format"] == "json" else {
      throw FakeFailure(400, "base_url or format")
    }
    var (paths, headers): ([String: String], [String: String]) = ([:], [:])
    for (name, value) in fields {
      if name.hasPrefix("headers.") { headers[String(name.dropFirst(8))] = value }
      if name.hasSuffix(".path") {
        guard value.utf8.count <= 64 else { throw FakeFailure(400, "path") }
        paths[String(name.dropLast(5))] = value
      }
    }
    let made = FakeState.Webhook(base: base, paths: paths, headers: headers)
    state.with { $0.webhooks[id] = made }
    return .json { $0.object { _ in } }
  }

  func getWebhook(_ request: Request, _ body: JSONValue) throws -> Response {
    let id = request.parameter("hook")
    guard state.with({ $0.webhooks[id] != nil }) else { throw FakeFailure(404, "webhook not found") }
    return .json { json in
      json.object { json in json.object("health_status") { json in json.object("healthy") { _ in } } }
    }
  }

  // MARK: - Downlinks

  func push(_ request: Request, _ body: JSONValue) throws -> Response {
    let device = request.parameter("device")
    guard let downlinks = body["downlinks"], downlinks.count > 0 else { throw FakeFailure(400, "downlinks") }
    for downlink in downlinks.elements {
      guard let port = downlink["f_port"]?.int, (1...223).contains(port),
        let payload = downlink["frm_payload"]?.string, let bytes = Base64.decode(payload), !bytes.isEmpty,
        let correlation = downlink["correlation_ids"]?[0]?.string, correlation.utf8.count <= 100
      else { throw FakeFailure(400, "downlink") }
      let confirmed = downlink["confirmed"]?.bool ?? false
      try state.withThrowing { values in
        guard values.devices["as"]?[device] != nil else { throw FakeFailure(404, "end device not found") }
        values.downlinks.append((device, Int(port), Hex.encode(bytes), confirmed, correlation))
      }
    }
    return .json { $0.object { _ in } }
  }

  // MARK: - Storage Integration

  private struct Cursor {
    let after: Instant
    let before: Instant
    let limit: Int
    let offset: Int
  }

  func storage(_ request: Request, _ body: JSONValue) throws -> Response {
    guard request.parameter("type") == "uplink_message" else { throw FakeFailure(400, "type") }
    let cursor = try cursor(of: request)
    let (status, isLimited, pageMax, givesTokens, cut): (Int?, Bool, Int, Bool, Int?) = state.with { values in
      let isLimited = values.rateLimited > 0
      if isLimited { values.rateLimited -= 1 }
      let cut = isLimited || values.cuts.isEmpty ? nil : values.cuts.removeFirst()
      return (values.storageStatus, isLimited, values.storagePageMax, values.givesTokens, cut)
    }
    if let status { throw FakeFailure(status, "the storage integration cannot be used") }
    if isLimited { throw FakeFailure(429, "rate limit exceeded") }
    let all = state.with { values in
      values.stored.filter { $0.at > cursor.after && $0.at < cursor.before }.sorted { $0.at < $1.at }
    }
    let size = min(cursor.limit, pageMax)
    let page = Array(all.dropFirst(cursor.offset).prefix(size))
    let next = cursor.offset + page.count
    let lines = page.map { "{\"result\":\($0.message.replacing("\n", with: " "))}\n" }
    let answer = Response.stream("text/event-stream") { writer in
      for (place, line) in lines.enumerated() {
        if place == cut {
          try await writer.write(String(line.prefix(line.count / 2)))
          // What is written leaves at the end of the turn.
          try await Reactor.current.sleep(for: .milliseconds(20))
          throw FakeFailure(0, "cut")
        }
        try await writer.write(line)
      }
      if cut != nil { throw FakeFailure(0, "cut") }
    }
    guard givesTokens, next < all.count else { return answer }
    let token = "\(cursor.after.microseconds) \(cursor.before.microseconds) \(cursor.limit) \(next)"
    return answer.with(HeaderName("X-Continuation-Token"), Base64.encode(Array(token.utf8)))
  }

  private func cursor(of request: Request) throws -> Cursor {
    if let token = request.query("continuation_token") {
      let parts = String(decoding: Base64.decode(token) ?? [], as: UTF8.self).split(separator: " ").compactMap {
        Int64($0)
      }
      guard parts.count == 4 else { throw FakeFailure(400, "continuation_token") }
      return Cursor(
        after: Instant(microseconds: parts[0]), before: Instant(microseconds: parts[1]), limit: Int(parts[2]),
        offset: Int(parts[3]))
    }
    guard request.query("order") == "received_at", let limit = request.query("limit").flatMap(Int.init), limit > 0,
      let after = request.query("after").flatMap({ Instant(rfc3339: $0) }),
      let before = request.query("before").flatMap({ Instant(rfc3339: $0) })
    else { throw FakeFailure(400, "order, limit, after and before are needed by us") }
    return Cursor(after: after, before: before, limit: limit, offset: 0)
  }
}
