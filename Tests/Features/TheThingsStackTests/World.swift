import Basics
import Crypto
import FeatureSupport
import HTTP
import HTTPClient
import Identity
import Ingest
import JSON
import PostgreSQL
import Readings
import Runtime
import Synchronization
import Telemetry

@testable import StackSupport
@testable import TheThingsStack

/// An organization with its application at a The Things Stack of the tests' own.
final class World: Sendable {
  static let start = Kitchen.start
  static let publicURL = "https://cold.example.com"

  let house: House
  let organization: House.Organization
  let fake: FakeStack
  let stack: StackConfiguration
  let metrics = Metrics()
  private let door: StoredUplinks
  private let gaps: GapJob
  private let healing: Mutex<HealingJob?> = Mutex(nil)

  var ttn: String { organization.path + "/ttn" }
  var owner: House.User { organization.owner }

  /// `isConnected`: the connection is set up and has an ingest key already.
  init(isConnected: Bool = true, secrets: SecretBox? = SecretBox(keys: [[UInt8](repeating: 7, count: 32)])) async throws
  {
    let fake = try FakeStack()
    self.fake = fake
    let stack = StackConfiguration(
      http: HTTPClient(), secrets: secrets, url: fake.url, publicURL: Self.publicURL, clock: WallClock { World.start })
    self.stack = stack
    let found = Mutex<StoredUplinks?>(nil)
    house = try await House(
      providers: .only { $0.stack = stack },
      writing: { database, keys, loop in
        let ingest = IngestRoutes(
          database: database, keys: keys, home: loop, clock: .system, log: .none, metrics: Metrics())
        found.withLock { $0 = ingest.stored }
        return ingest.routes
      })
    guard let door = found.withLock({ $0 }) else { throw NoNetwork() }
    self.door = door
    gaps = GapJob(database: house.database, metrics: metrics)
    organization = try await house.organization()
    guard isConnected else { return }
    _ = try await connect()
    let answer = try await call(.post, ttn + "/webhook")
    guard answer.status == 200 else { throw Unexpected(answer: answer) }
    _ = fake.state.takeRequests()
  }

  private struct NoNetwork: Error {}

  private struct Unexpected: Error {
    let answer: Answer
  }

  func call(_ method: HTTP.Method, _ path: String, as user: House.User? = nil, _ body: String? = nil) async throws
    -> Answer
  {
    try await house.call(method, path, as: user ?? owner, body)
  }

  @discardableResult
  func connect() async throws -> Answer {
    try await call(
      .put, ttn, #"{"applicationId":"\#(FakeState.application)","cluster":"eu1","apiKey":"\#(FakeState.key)"}"#)
  }

  func lines(_ sql: SQL, _ parameters: [Value] = []) async throws -> [String] {
    try await house.sql(sql, parameters).map { row in
      try (0..<row.count).map { try row.optionalText(.index($0)) ?? "-" }.joined(separator: " ")
    }
  }

  // MARK: - Sensors and their messages

  /// A sensor of the connection that measures the organization's unit.
  func sensor(model: String? = "lht65n") async throws -> Kitchen.Sensor {
    let id = UUID.v4()
    let sensor = Kitchen.Sensor(id: id, devEUI: String(id.description.uppercased().filter { $0 != "-" }.suffix(16)))
    try await house.sql(
      """
      WITH d AS (
        INSERT INTO devices (id, organization_id, dev_eui, name, model, device_id, ttn_connection_id)
        SELECT $1, $2, $3, 'sensor', $4, 'eui-' || lower($3), c.id FROM ttn_connections c WHERE c.organization_id = $2
        RETURNING id
      )
      INSERT INTO device_assignments (organization_id, device_id, unit_id, assigned_from)
      SELECT $2, d.id, $5, '-infinity' FROM d
      """,
      [.uuid(id), .uuid(organization.id), .text(sensor.devEUI), .optional(model), .uuid(organization.unit)])
    return sensor
  }

  static let session = "AYxSzz=="

  /// Uplink `frame` of a sensor that sends every 10 minutes.
  func uplink(_ sensor: Kitchen.Sensor, _ frame: Int, session: String = session) -> String {
    var uplink = Kitchen.Uplink(sensor, at: at(frame), celsius: 3)
    uplink.counter = frame == 0 ? nil : frame
    return uplink.json.replacing(Self.session, with: session)
  }

  func at(_ frame: Int) -> Instant { Self.start + .minutes(10 * frame) }

  /// The message arrives by the webhook, with the key that was registered with it.
  @discardableResult
  func deliver(_ message: String) async throws -> Answer {
    let webhook = fake.state.with { $0.webhooks["freshtrack"] }
    let headers = webhook?.headers.map { ($0.key, $0.value) } ?? []
    return try await house.call(.post, webhook?.paths["uplink_message"] ?? "/", message, headers: headers)
  }

  /// The storage at The Things Stack keeps the message.
  func store(_ message: String, at instant: Instant) {
    let kept = message.replacing(
      #/"received_at":"[^"]*",\s*"uplink_message"/#, with: #""received_at":"\#(instant.rfc3339)","uplink_message""#)
    fake.state.with { $0.stored.append(FakeState.Stored(at: instant, message: kept)) }
  }

  func store(_ sensor: Kitchen.Sensor, _ frames: some Sequence<Int>, session: String = session) {
    for frame in frames { store(uplink(sensor, frame, session: session), at: at(frame)) }
  }

  func deliver(_ sensor: Kitchen.Sensor, _ frames: some Sequence<Int>, session: String = session) async throws {
    for frame in frames { try await deliver(uplink(sensor, frame, session: session)) }
  }

  // MARK: - Jobs

  /// Counts uplinks and their gaps.
  func count(at now: Instant) async throws {
    let gaps = gaps
    try await house.run { _ in try await gaps.run(at: now) }
  }

  /// The same process heals again and again; `restarted`: another one.
  func heal(at now: Instant, restarted: Bool = false) async throws {
    let (door, stack) = (door, stack)
    try await house.run { [self] database in
      let job = healing.withLock { known in
        let job =
          (restarted ? nil : known)
          ?? HealingJob(database: database, door: door, stack: stack, log: .none, metrics: Metrics())
        known = job
        return job
      }
      try await job.run(at: now)
    }
  }

  func sync(at now: Instant) async throws {
    let stack = stack
    try await house.run { database in try await SyncJob(database: database, stack: stack, log: .none).run(at: now) }
  }

  /// The gaps in their order: frames, state, reason.
  func gaps() async throws -> [String] {
    try await lines(
      """
      SELECT first_f_cnt::text || '-' || last_f_cnt, state, reason FROM uplink_gaps ORDER BY device_id, after_at, first_f_cnt
      """)
  }
}
