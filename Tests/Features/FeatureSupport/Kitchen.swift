import Basics
import HTTP
import Ingest
import JSON
import PostgreSQL
import Runtime
import Synchronization
import Telemetry

/// An organization whose sensors report: the doors of ingest over a house, and a clock that the test sets.
public struct Kitchen: Sendable {
  /// 06:00 UTC of yesterday: all that a test tells happens on one day, and is believable.
  public static let start: Instant = {
    let now = WallClock.system.now().microseconds
    return Instant(microseconds: now - now % 86_400_000_000) - .hours(18)
  }()

  public let house: House
  public let organization: House.Organization
  /// The API key of the sensors.
  public let key: String
  public let keyId: UUID
  private let time: Time

  private final class Time: Sendable {
    let now = Mutex(Kitchen.start)
  }

  public init(on place: DatabaseConfiguration? = nil) async throws {
    let time = Time()
    self.time = time
    house = try await House(on: place, writing: { database, keys, loop in
      IngestRoutes(
        database: database, keys: keys, home: loop, clock: WallClock { time.now.withLock { $0 } }, log: .none,
        metrics: Metrics()
      ).routes
    })
    organization = try await house.organization()
    let made = try await house.call(
      .post, organization.path + "/api-keys", as: organization.owner, #"{"name":"TTN","scopes":["ingest"]}"#)
    guard let key = made.json["key"]?.string, let id = made.json["id"]?.string.flatMap({ UUID($0) }) else {
      throw House.Unexpected(answer: made)
    }
    self.key = key
    keyId = id
  }

  /// What time it is from now on, for whoever judges.
  public func setClock(_ now: Instant) { time.now.withLock { $0 = now } }

  // MARK: - Things

  /// A unit that is to be kept between 0 and 5 °C, with readings every 10 minutes.
  public func unit() async throws -> UUID {
    let made = try await house.call(
      .post, organization.areaPath + "/units", as: organization.owner,
      """
      {"name":"Cooler","unitType":"fridge","tempUnit":"C","tempMin":0,"tempMax":5,"tempHysteresis":0.5,
      "expectedIntervalSeconds":600}
      """)
    guard let id = made.json["id"]?.string.flatMap({ UUID($0) }) else { throw House.Unexpected(answer: made) }
    return id
  }

  public struct Sensor: Sendable {
    public let id: UUID
    public let devEUI: String

    public init(id: UUID, devEUI: String) {
      self.id = id
      self.devEUI = devEUI
    }
  }

  /// A sensor that has measured `unit` since ever; of no unit, without.
  public func sensor(_ model: String? = "lht65n", of unit: UUID? = nil, isPrimary: Bool = true) async throws -> Sensor {
    let id = UUID.v4()
    let sensor = Sensor(id: id, devEUI: String(id.description.uppercased().filter { $0 != "-" }.suffix(16)))
    try await house.sql(
      "INSERT INTO devices (id, organization_id, dev_eui, name, model) VALUES ($1, $2, $3, 'sensor', $4)",
      [.uuid(id), .uuid(organization.id), .text(sensor.devEUI), .optional(model)])
    if let unit {
      try await house.sql(
        """
        INSERT INTO device_assignments (organization_id, device_id, unit_id, is_primary, assigned_from)
        VALUES ($1, $2, $3, $4, '-infinity')
        """, [.uuid(organization.id), .uuid(id), .uuid(unit), .bool(isPrimary)])
    }
    return sensor
  }

  // MARK: - Messages

  public func send(_ message: String, key: String? = nil, in header: String = "X-API-Key") async throws -> Answer {
    try await house.call(.post, "/api/webhooks/ttn", message, headers: [(header, key ?? self.key)])
  }

  /// What a sensor with a probe reports at `instant`, taken in at that moment.
  @discardableResult
  public func report(_ sensor: Sensor, _ celsius: Double, at instant: Instant) async throws -> Answer {
    setClock(instant)
    return try await send(Uplink(sensor, at: instant, celsius: celsius).json)
  }

  /// The message of an uplink as The Things Stack writes it.
  public struct Uplink: Sendable {
    public let sensor: Sensor
    public var receivedAt: String
    public var application = "acme-cold"
    public var port = 2
    public var counter: Int?
    public var decoded: String?
    public var payload: [UInt8]?
    private let arrivedAt = WallClock.system.now()

    public init(_ sensor: Sensor, at instant: Instant) {
      self.sensor = sensor
      receivedAt = instant.rfc3339
    }

    /// From an LHT65N with a probe.
    public init(_ sensor: Sensor, at instant: Instant, celsius: Double) {
      self.init(sensor, at: instant)
      decoded = #"{"BatV":3.097,"TempC_SHT":19.5,"Hum_SHT":40.8,"TempC_DS":\#(celsius)}"#
    }

    /// From a door contact.
    public init(_ sensor: Sensor, at instant: Instant, doorOpen: Bool) {
      self.init(sensor, at: instant)
      decoded = #"{"BAT_V":3.0,"DOOR_OPEN_STATUS":\#(doorOpen ? 1 : 0)}"#
      port = 10
    }

    public var ids: String {
      """
      "end_device_ids":{"device_id":"eui-\(sensor.devEUI.lowercased())","application_ids":{"application_id":"\(application)"},
      "dev_eui":"\(sensor.devEUI)","join_eui":"A000000000000101","dev_addr":"260CAB12"}
      """
    }

    public var json: String {
      let optional = [
        counter.map { #""f_cnt":\#($0),"# }, payload.map { #""frm_payload":"\#(Base64.encode($0))","# },
        decoded.map { #""decoded_payload":\#($0),"# },
      ].compactMap(\.self).joined()
      return """
        {\(ids),"correlation_ids":["as:up:01J"],"received_at":"\(arrivedAt.rfc3339)",
        "uplink_message":{"session_key_id":"AYxSzz==","f_port":\(port),\(optional)
        "rx_metadata":[{"gateway_ids":{"gateway_id":"far"},"rssi":-117,"channel_rssi":-117,"snr":-3.5},
        {"gateway_ids":{"gateway_id":"near"},"rssi":-97,"channel_rssi":-97,"snr":7.5},
        {"gateway_ids":{"gateway_id":"other"},"rssi":-104,"channel_rssi":-104}],
        "settings":{"data_rate":{"lora":{"bandwidth":125000,"spreading_factor":8}},"frequency":"904300000"},
        "received_at":"\(receivedAt)","consumed_airtime":"0.113152s"}}
        """
    }
  }

  // MARK: - What became of it

  /// One row as the text of its columns, joined by blanks.
  public func lines(_ sql: SQL, _ parameters: [Value] = []) async throws -> [String] {
    try await house.sql(sql, parameters).map { row in
      try (0..<row.count).map { try row.optionalText(.index($0)) ?? "-" }.joined(separator: " ")
    }
  }

  public func count(_ sql: SQL, _ parameters: [Value] = []) async throws -> Int {
    let rows = try await house.sql(sql, parameters)
    return Int(try rows.first?.int(0) ?? -1)
  }

  public func status(of unit: UUID) async throws -> String {
    try await lines("SELECT status FROM unit_states WHERE unit_id = $1", [.uuid(unit)]).joined()
  }

  /// The unit's incidents of temperature, in minutes after ``start``: opened, confirmed, recovered, closed, peak and when.
  public func incidents(of unit: UUID) async throws -> [String] {
    try await lines(
      """
      SELECT m.opened, m.confirmed, m.recovered, m.closed, peak_temperature::text, m.peak, reopened_count::text,
        limit_violated
      FROM incidents i, LATERAL (SELECT
        (extract(epoch FROM opened_at - $2::timestamptz)::int / 60)::text AS opened,
        (extract(epoch FROM confirmed_at - $2::timestamptz)::int / 60)::text AS confirmed,
        (extract(epoch FROM recovered_at - $2::timestamptz)::int / 60)::text AS recovered,
        (extract(epoch FROM closed_at - $2::timestamptz)::int / 60)::text AS closed,
        (extract(epoch FROM peak_at - $2::timestamptz)::int / 60)::text AS peak) m
      WHERE unit_id = $1 AND kind = 'temperature' ORDER BY opened_at
      """, [.uuid(unit), .timestamp(Self.start)])
  }

  /// The unit's alerts: type, severity, status and the minute after ``start`` when it was triggered.
  public func alerts(of unit: UUID) async throws -> [String] {
    try await lines(
      """
      SELECT alert_type, severity, status, (extract(epoch FROM triggered_at - $2::timestamptz)::int / 60)::text
      FROM alerts WHERE unit_id = $1 ORDER BY triggered_at
      """, [.uuid(unit), .timestamp(Self.start)])
  }
}
