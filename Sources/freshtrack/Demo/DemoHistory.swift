import Basics

/// Some days of uplinks of the demo's sensors, with one evening on which the door of the cooler stayed open.
struct DemoHistory {
  static let days = 4
  static let interval = Duration.minutes(10)

  let start: Instant
  let end: Instant

  init(before end: Instant) {
    self.end = end
    start = end - .days(Self.days)
  }

  var uplinkCount: Int {
    DemoPlan.units.count * Int((end - start).microseconds / Self.interval.microseconds)
  }

  /// Sends it all. Returns what became of it.
  func send(to target: HTTPTarget, key: String, sensors: [SimulatedSensor]) -> LoadReport {
    var plan = LoadClient.Plan(target: target, apiKey: key)
    // Several at a time come a little out of order, which changes nothing in the end.
    plan.connections = 8
    plan.count = uplinkCount
    plan.patience = .seconds(30)
    let envelope = UplinkEnvelope()
    var sensors = sensors
    var turn = 0
    var client = LoadClient(plan) {
      let place = turn % sensors.count
      // The sensors do not wake up together.
      let offset = Duration.seconds(turn / sensors.count * 600 + place * 83)
      turn += 1
      let instant = start + offset
      let frame = sensors[place].frame(at: instant, warming: place == 0 ? warming(at: instant) : 0)
      var body: [UInt8] = []
      envelope.write(frame, of: sensors[place], to: &body)
      return UplinkSource.Uplink(
        devEUI: sensors[place].devEUI, counter: frame.counter, recordedAt: frame.time, body: body)
    }
    return client.run { _ in }
  }

  /// °C above the usual: forty minutes of an open door, 30 hours ago, and the way back.
  private func warming(at instant: Instant) -> Double {
    let minutes = Double((instant - (end - .hours(30))).microseconds) / 60_000_000
    switch minutes {
    case 0..<40: return 9 * minutes / 40
    case 40..<90: return 9 * (90 - minutes) / 50
    default: return 0
    }
  }
}
