import Basics
import Glibc

/// One sensor in one cold place: what it would measure, and the frame counter of its session.
struct SimulatedSensor {
  let devEUI: String
  let deviceId: String
  let model: SensorModel
  /// The middle of the compressor's cycle, °C.
  let setpoint: Double
  private(set) var frameCounter: UInt32 = 0
  let sessionKeyId: String
  let deviceAddress: String
  private let phase: Double
  private let period: Double
  private let swing: Double
  private let signal: Int
  private var random: SplitMix
  /// The instant of the last frame: the next one is later.
  private var lastFrame = Instant.distantPast

  /// `seed` decides what it measures; `session` is another one after each join.
  init(
    devEUI: String, deviceId: String? = nil, model: SensorModel, setpoint: Double, seed: UInt64, session: UInt64
  ) {
    self.devEUI = devEUI
    self.deviceId = deviceId ?? "eui-\(devEUI.lowercased())"
    self.model = model
    self.setpoint = setpoint
    random = SplitMix(seed: seed)
    phase = random.spread() * 3600
    period = 1500 + 400 * random.spread()
    swing = 0.6 + 0.2 * random.spread()
    signal = -92 + Int(random.spread() * 18)
    var join = SplitMix(seed: seed ^ session)
    var keyId: [UInt8] = [0x01]
    for _ in 0..<15 { keyId.append(UInt8(truncatingIfNeeded: join.next())) }
    sessionKeyId = Base64.encode(keyId)
    deviceAddress = "260C" + Hex.encode(keyId.suffix(2)).uppercased()
  }

  /// What it measures at `instant`, `warming` °C above the usual.
  mutating func measure(at instant: Instant, warming: Double = 0) -> Measurement {
    let seconds = Double(instant.microseconds) / 1_000_000 + phase
    let cycle = swing * sin(2 * .pi * seconds / period)
    // Every six hours the evaporator is defrosted: for a quarter of an hour the air is a little warmer.
    let intoDefrost = seconds.truncatingRemainder(dividingBy: 21_600)
    let defrost = intoDefrost < 900 ? 1.2 * sin(.pi * intoDefrost / 900) : 0
    let temperature = setpoint + cycle + defrost + 0.08 * random.spread() + warming
    let ambient = 19.5 + 2 * sin(2 * .pi * seconds / 86_400) + 0.1 * random.spread()
    let inside = model == .lht65n ? ambient : temperature
    return Measurement(
      temperature: temperature, ambient: inside, humidity: 62 + 9 * sin(2 * .pi * seconds / 7200) + random.spread(),
      battery: 3.05 + 0.01 * random.spread())
  }

  /// The next frame, at `instant` or a microsecond after the last one.
  mutating func frame(at instant: Instant, warming: Double = 0) -> Frame {
    let time = max(instant, lastFrame + .microseconds(1))
    lastFrame = time
    defer { frameCounter += 1 }
    return Frame(
      time: time, counter: frameCounter, measurement: measure(at: time, warming: warming),
      rssi: signal + Int(random.spread() * 4), snrTenths: 75 + Int(random.spread() * 30), salt: random.next())
  }

  /// A frame that was sent and that nobody heard: the counter goes on.
  mutating func loseFrame() { frameCounter += 1 }
}

struct Frame {
  let time: Instant
  let counter: UInt32
  let measurement: Measurement
  let rssi: Int
  let snrTenths: Int
  let salt: UInt64
}
