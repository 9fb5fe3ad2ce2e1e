import Basics
import Dispatch
import Glibc
import HTTP
import HTTPServer
import JSON
import PostgreSQL
import Runtime
import Telemetry

// An ingest server as one writes it first: each uplink is one INSERT that commits by itself, on the same HTTP and
// PostgreSQL rooms. It judges nothing and looks up no key: devices are known from the start.
//
//     one-insert-server PORT DATABASE_URL ORGANIZATION

let arguments = CommandLine.arguments
guard arguments.count == 4, let port = UInt16(arguments[1]), let organization = UUID(arguments[3]) else {
  print("usage: one-insert-server PORT DATABASE_URL ORGANIZATION")
  exit(64)
}

struct Device: Sendable {
  let id: UUID
  let unit: UUID
}

let configuration = try DatabaseConfiguration(url: arguments[2])
let devices: [String: Device] = try EventLoop.run {
  let database = Database(configuration)
  defer { database.close() }
  let rows = try await database.query(
    """
    SELECT d.dev_eui, d.id, a.unit_id FROM devices d JOIN device_assignments a ON a.device_id = d.id
    WHERE d.organization_id = $1
    """, [.uuid(organization)])
  return try rows.reduce(into: [:]) { $0[try $1.text(0)] = Device(id: try $1.uuid(1), unit: try $1.uuid(2)) }
}
let database = Database(configuration)

@Sendable func store(_ request: Request) async throws -> Response {
  let root = try JSONDocument(request.body).root
  guard let uplink = root["uplink_message"], let name = root["end_device_ids"]?["dev_eui"]?.string,
    let device = devices[name], let decoded = uplink["decoded_payload"],
    let receivedAt = uplink["received_at"]?.string.flatMap({ Instant(rfc3339: $0) })
  else { throw HTTPError.badRequest("not an uplink of a known device") }
  func number(_ name: StaticString) -> Value { .optional(decoded[name]?.double) }
  let reception = uplink["rx_metadata"]?[0]
  let id = UUID.v7(at: request.received)
  try await database.execute(
    """
    INSERT INTO sensor_readings (id, organization_id, unit_id, device_id, recorded_at, received_at, source, temperature,
      probe_temperature, ambient_temperature, humidity, battery, battery_voltage, signal_strength, snr, f_port, f_cnt,
      session_key_id, raw_payload)
    VALUES ($1, $2, $3, $4, $5, $6, 'ttn', $7::float8, $7::float8, $8::float8, $9::float8, 100, $10::float8, $11::int8,
      $12::float8, $13::int8, $14, $15, $16) ON CONFLICT DO NOTHING
    """,
    [
      .uuid(id), .uuid(organization), .uuid(device.unit), .uuid(device.id), .timestamp(receivedAt),
      .timestamp(request.received), number("TempC_DS"), number("TempC_SHT"), number("Hum_SHT"),
      number("BatV"), .optional(reception?["rssi"]?.int), .optional(reception?["snr"]?.double),
      .optional(uplink["f_port"]?.int), .int(uplink["f_cnt"]?.int ?? 0), .optional(uplink["session_key_id"]?.string),
      .bytes(uplink["frm_payload"]?.string.flatMap { Base64.decode($0) } ?? []),
    ])
  return .json { json in json.object { $0.field("status", "stored") } }
}

var http = HTTPServerConfiguration()
http.port = port
let loops = LoopGroup(count: max(1, Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))))
let server = HTTPServer(
  routes: [Route(.post, "/api/webhooks/ttn", content: .any, logLevel: .debug, store)], configuration: http, log: .none,
  metrics: Metrics())
try server.start(on: loops)
dispatchMain()
