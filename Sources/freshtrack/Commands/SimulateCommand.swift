import Basics
import Glibc
import JSON
import Synchronization

extension Command {
  static let simulate = Command(
    name: "simulate", summary: "send believable uplinks of simulated sensors to a server",
    details: """
      Scenarios:
      \(Command.columns(Scenario.allCases.map { ($0.rawValue, $0.summary) }).joined(separator: "\n"))

      With --org and --token the devices of that organization are simulated as they are
      registered. Without, the DevEUIs are --dev-eui-prefix and a number, 000...0 first.
      Ends with counts; exit code 1 when nothing was acknowledged.
      """,
    options: [
      .value("--key", "KEY", "the API key that the uplinks are sent with", required: true),
      .value("--url", "URL", "the server (default http://127.0.0.1:3000)"),
      .value("--rate", "N", "uplinks a second; 0: as many as the server answers (default 10)"),
      .value("--devices", "N", "how many sensors (default 10, or all that are registered)"),
      .value("--scenario", "NAME", "what happens to them (default normal)"),
      .value("--duration", "TIME", "stop after this, such as 60s (default: at Ctrl-C)"),
      .value("--count", "N", "stop after this many uplinks"),
      .value("--connections", "N", "connections to the server (default 16)"),
      .value("--pipeline", "N", "requests on their way on each connection (default 4)"),
      .value("--org", "ID", "take the devices of this organization"),
      .value("--token", "TOKEN", "the token that may list them"),
      .value("--dev-eui-prefix", "HEX", "1 to 15 hexadecimal digits (default A84041000D)"),
      .value("--model", "NAME", "lht65n, em300-th, ers (default lht65n)"),
      .value("--seed", "N", "the same seed gives the same sensors (default 1)"),
      .value("--log-acknowledged", "FILE", "append dev_eui,f_cnt,recorded_at for each acknowledged uplink"),
      .flag("--json", "print the final counts as JSON, and no progress"),
    ],
    run: { try Simulation($0).run() })
}

/// One run of `freshtrack simulate`.
private struct Simulation {
  private let plan: LoadClient.Plan
  private let sensors: [SimulatedSensor]
  private let scenario: Scenario
  private let seed: UInt64
  private let log: AcknowledgedLog?
  private let isJSON: Bool

  init(_ arguments: Arguments) throws(Failure) {
    let target = try HTTPTarget(arguments.text("--url") ?? "http://127.0.0.1:3000")
    var plan = LoadClient.Plan(target: target, apiKey: try arguments.required("--key"))
    let rate = try arguments.int("--rate", in: 0...1_000_000) ?? 10
    plan.rate = rate == 0 ? nil : Double(rate)
    plan.connections = try arguments.int("--connections", in: 1...1000) ?? 16
    plan.pipeline = try arguments.int("--pipeline", in: 1...64) ?? 4
    plan.duration = try arguments.duration("--duration")
    plan.count = try arguments.int("--count", in: 1...1_000_000_000)
    self.plan = plan
    scenario = try arguments.choice("--scenario", of: Scenario.self) ?? .normal
    seed = UInt64(try arguments.int("--seed", in: 0...Int.max) ?? 1)
    isJSON = arguments.has("--json")
    let count = try arguments.int("--devices", in: 1...1_000_000)
    if let organization = try arguments.uuid("--org") {
      guard let token = arguments.text("--token") else { throw .usage("--org needs --token") }
      sensors = try Self.registered(organization, token: token, at: target, atMost: count ?? 1_000_000, seed: seed)
    } else {
      let model = try arguments.choice("--model", of: SensorModel.self) ?? .lht65n
      let prefix = arguments.text("--dev-eui-prefix") ?? "A84041000D"
      sensors = try Self.numbered(prefix, count: count ?? 10, model: model, seed: seed)
    }
    log = try arguments.text("--log-acknowledged").map { path throws(Failure) in try AcknowledgedLog(path) }
  }

  func run() throws(Failure) {
    Interrupt.watch()
    let clock = WallClock.system
    var source = UplinkSource(sensors: sensors, scenario: scenario, started: clock.now(), seed: seed)
    let log = log
    var client = LoadClient(plan, isStopping: { Interrupt.happened }, acknowledge: { log?.add($0) }) {
      source.next(at: clock.now())
    }
    var told = 0
    let report = client.run { report in
      log?.flush()
      told += 1
      if !isJSON, Terminal.isInteractive || told % 10 == 0 { Terminal.complain(report.line) }
    }
    log?.flush()
    Terminal.say(isJSON ? String(decoding: report.json, as: UTF8.self) : report.line)
    guard report.acknowledged > 0 || report.sent == 0 else {
      throw Failure(
        .failed, "the server at http://\(plan.target.host) acknowledged nothing; is it up, is the key right?")
    }
  }

  private static func numbered(
    _ prefix: String, count: Int, model: SensorModel, seed: UInt64
  ) throws(Failure) -> [SimulatedSensor] {
    let digits = prefix.uppercased()
    guard (1...15).contains(digits.utf8.count), digits.utf8.allSatisfy({ Hex.value(of: $0) != nil }) else {
      throw .usage("--dev-eui-prefix takes 1 to 15 hexadecimal digits")
    }
    let room = 16 - digits.utf8.count
    guard room >= 8 || count <= 1 << (4 * room) else { throw .usage("that prefix has no room for \(count) devices") }
    return (0..<count).map { number in
      let text = String(number, radix: 16, uppercase: true)
      let devEUI = digits + String(repeating: "0", count: room - text.utf8.count) + text
      return SimulatedSensor(
        devEUI: devEUI, model: model, setpoint: number % 4 == 3 ? -19 : 3, seed: seed &* 1_000_003 &+ UInt64(number),
        session: session())
    }
  }

  private static func registered(
    _ organization: UUID, token: String, at target: HTTPTarget, atMost: Int, seed: UInt64
  ) throws(Failure) -> [SimulatedSensor] {
    var http = PlainHTTP(target, headers: [("Authorization", "Bearer \(token)")])
    let (status, body) = try http.send("GET", "/api/orgs/\(organization)/devices?limit=1000")
    guard status == 200, let list = try? JSONDocument(body).root, list.kind == .array else {
      throw Failure(.unavailable, "the devices of \(organization) cannot be listed: the server answered \(status)")
    }
    var sensors: [SimulatedSensor] = []
    for device in list.elements.prefix(atMost) {
      guard let devEUI = device["devEui"]?.string else { continue }
      let model = device["model"]?.string.flatMap(SensorModel.init(named:)) ?? .lht65n
      let name = (device["name"]?.string ?? "").lowercased()
      sensors.append(
        SimulatedSensor(
          devEUI: devEUI, deviceId: device["deviceId"]?.string, model: model,
          setpoint: name.contains("freezer") ? -19 : 3,
          seed: seed &* 1_000_003 &+ UInt64(sensors.count), session: session()))
    }
    guard !sensors.isEmpty else { throw Failure(.failed, "the organization \(organization) has no devices") }
    return sensors
  }

  /// Each run is a new session of each device, as after a join: its frame counters start again.
  private static func session() -> UInt64 { SecureRandom.uint64() }
}

/// Ctrl-C or SIGTERM, as a flag.
enum Interrupt {
  private static let flag = Atomic<Bool>(false)

  static var happened: Bool { flag.load(ordering: .relaxed) }

  static func watch() {
    _ = happened  // made before a handler can run
    for number in [SIGINT, SIGTERM] { signal(number) { _ in Interrupt.flag.store(true, ordering: .relaxed) } }
  }
}

/// The uplinks that the server said it has, for a test that kills it and counts.
private final class AcknowledgedLog {
  private let descriptor: CInt
  private var bytes: [UInt8] = []

  init(_ path: String) throws(Failure) {
    descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Failure(.system, "\(path) cannot be written: \(systemError())") }
  }

  deinit { close(descriptor) }

  func add(_ uplink: UplinkSource.Uplink) {
    bytes.append(contentsOf: "\(uplink.devEUI),\(uplink.counter),\(uplink.recordedAt.rfc3339Microseconds)\n".utf8)
    if bytes.count > 64 * 1024 { flush() }
  }

  func flush() {
    var written = 0
    while written < bytes.count {
      let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress.map { $0 + written }, $0.count - written) }
      guard count > 0 || errno == EINTR else { break }
      written += max(0, count)
    }
    bytes.removeAll(keepingCapacity: true)
  }
}
