import Basics

/// Which uplink comes next: sensor after sensor, with what the scenario does to them.
struct UplinkSource {
  struct Uplink {
    let devEUI: String
    let counter: UInt32
    /// `uplink_message.received_at`: the instant under which the server keeps the reading.
    let recordedAt: Instant
    let body: [UInt8]
  }

  private var sensors: [SimulatedSensor]
  private let scenario: Scenario
  private let envelope: UplinkEnvelope
  private let started: Instant
  private var random: SplitMix
  private var turn = 0
  private var repeated: Uplink?
  private var held: [(due: Instant, uplink: Uplink)] = []

  /// Late uplinks that are kept at most.
  private static let heldMax = 10_000

  init(
    sensors: [SimulatedSensor], scenario: Scenario, envelope: UplinkEnvelope = UplinkEnvelope(), started: Instant,
    seed: UInt64
  ) {
    precondition(!sensors.isEmpty)
    self.sensors = sensors
    self.scenario = scenario
    self.envelope = envelope
    self.started = started
    random = SplitMix(seed: seed)
  }

  /// The uplink to send now. Nil: nothing arrives at this turn.
  mutating func next(at now: Instant) -> Uplink? {
    if let again = repeated {
      repeated = nil
      return again
    }
    if let first = held.first, first.due <= now { return held.removeFirst().uplink }
    let place = turn % sensors.count
    turn += 1
    let seconds = Double((now - started).microseconds) / 1_000_000
    if scenario.isSilent(at: seconds) {
      sensors[place].loseFrame()
      return nil
    }
    let warming = place == 0 ? scenario.warming(after: seconds, gap: 20 - sensors[0].setpoint) : 0
    let uplink = make(place, at: now, warming: warming)
    switch scenario {
    case .duplicates where turn % 3 == 0: repeated = uplink
    case .lateData where turn % 5 == 0 && held.count < Self.heldMax:
      let due = now + .milliseconds(Int.random(in: 3000...30_000, using: &random))
      let place = held.firstIndex { $0.due > due } ?? held.count
      held.insert((due, uplink), at: place)
      return nil
    default: break
    }
    return uplink
  }

  /// One uplink of the sensor at `place`, as if it had been measured at `instant`: for history.
  mutating func make(_ place: Int, at instant: Instant, warming: Double = 0) -> Uplink {
    let frame = sensors[place].frame(at: instant, warming: warming)
    var body: [UInt8] = []
    body.reserveCapacity(2048)
    envelope.write(frame, of: sensors[place], to: &body)
    return Uplink(
      devEUI: sensors[place].devEUI, counter: frame.counter, recordedAt: frame.time, body: body)
  }
}
