import Basics
import FeatureSupport
import Monitoring
import PostgreSQL
import Telemetry
import Testing

/// Six hours of one unit: an alarm that comes back once, with the door open for a while; an excursion that ends in time; and an
/// alarm that is still on at the end.
private enum Story {
  static let temperatures: [(minute: Int, celsius: Double)] = [
    (0, 3), (10, 3.2), (20, 3.1), (30, 3.3), (40, 7), (50, 8.5), (60, 6.2), (70, 4), (80, 3.5), (90, 5.5), (100, 3.8),
    (110, 3.6), (120, 3.2), (130, 3), (140, 3.1), (150, 3.2), (160, 3.1), (170, 3), (180, 6), (188, 3.9), (195, 4.8),
    (205, 3.9), (215, 3.4), (225, 3.1), (235, 3), (245, 3), (255, 3.1), (265, 3.2), (275, 3), (285, 3.3), (295, 3.1),
    (305, 3), (315, 3), (330, 7.5), (341, 8), (350, 7.9),
  ]
  static let doors: [(minute: Int, isOpen: Bool)] = [
    (5, false), (38, true), (52, false), (142, true), (143, false), (289, true), (292, false),
  ]
  static let end = 360

  static let incidents = [
    "40 60 100 110 8.50 50 1 high",
    "180 - 188 215 6.00 180 0 high",
    "330 340 - - 8.00 341 0 high",
  ]
  static let alerts = [
    "alarm_active critical resolved 40",
    "alarm_active warning resolved 180",
    "alarm_active critical active 330",
  ]
}

/// A message and when it arrives.
private struct Delivery {
  let minute: Int
  let message: Kitchen.Uplink
}

@Suite("One incident and one alert for each excursion", .serialized)
struct OrderOfArrivalTests {
  private func messages(_ kitchen: Kitchen, of unit: UUID) async throws -> [Delivery] {
    let probe = try await kitchen.sensor(of: unit)
    let door = try await kitchen.sensor("lds02", of: unit, isPrimary: false)
    return Story.temperatures.map { reading in
      Delivery(
        minute: reading.minute,
        message: .init(probe, at: Kitchen.start + .minutes(reading.minute), celsius: reading.celsius))
    }
      + Story.doors.map { event in
        Delivery(
          minute: event.minute,
          message: .init(door, at: Kitchen.start + .minutes(event.minute), doorOpen: event.isOpen))
      }
  }

  @Test("readings that come one by one, in order")
  func inOrder() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    for delivery in try await messages(kitchen, of: unit).sorted(by: { $0.minute < $1.minute }) {
      try await kitchen.commit([delivery.message], at: Kitchen.start + .minutes(delivery.minute))
    }
    #expect(try await kitchen.incidents(of: unit) == Story.incidents)
    #expect(try await kitchen.alerts(of: unit) == Story.alerts)
    #expect(try await kitchen.count("SELECT count(*) FROM incidents WHERE detected_late") == 0)
  }

  @Test("whatever the order of arrival and the batches", arguments: [UInt64.random(in: 1...1_000_000)])
  func anyOrder(seed: UInt64) async throws {
    let kitchen = try await Kitchen()
    let job = MonitoringJob(database: kitchen.house.database)
    for order in 0..<30 {
      var dice = SplitMix(seed: seed &+ UInt64(order))
      let unit = try await kitchen.unit()
      // From a network that is a few minutes slow to one that tells the whole day at its end.
      let delay = [5, 30, 120, 600][order % 4]
      var deliveries = try await messages(kitchen, of: unit)
      for _ in 0..<8 { deliveries.append(deliveries[Int.random(in: 0..<deliveries.count, using: &dice)]) }
      var arriving = deliveries.map { delivery in
        Delivery(minute: delivery.minute + Int.random(in: 0...delay, using: &dice), message: delivery.message)
      }
      arriving.shuffle(using: &dice)
      if order % 5 != 4 { arriving.sort { $0.minute < $1.minute } }
      var now = 0
      while !arriving.isEmpty {
        let batch = arriving.prefix(Int.random(in: 1...(order % 3 == 0 ? 3 : 12), using: &dice))
        arriving.removeFirst(batch.count)
        now = batch.reduce(now) { max($0, $1.minute) }
        let instant = Kitchen.start + .minutes(now)
        try await kitchen.commit(batch.map(\.message), at: instant)
        if Bool.random(using: &dice) { _ = try await kitchen.house.run { _ in try await job.run(at: instant) } }
      }
      let end = Kitchen.start + .minutes(max(now, Story.end))
      _ = try await kitchen.house.run { _ in try await job.run(at: end) }
      let incidents = try await kitchen.incidents(of: unit)
      let alerts = try await kitchen.alerts(of: unit).filter { $0.hasPrefix("alarm_active") }
      #expect(incidents == Story.incidents, "seed \(seed), order \(order)")
      #expect(alerts == Story.alerts, "seed \(seed), order \(order)")
      let readings = try await kitchen.count("SELECT count(*) FROM sensor_readings WHERE unit_id = $1", [.uuid(unit)])
      #expect(readings == Story.temperatures.count + Story.doors.count)
    }
    #expect(try await kitchen.lines("SELECT first_broken_event_log($1)", [.uuid(kitchen.organization.id)]) == ["-"])
  }

  @Test("an excursion that is told after it has ended is a closed incident, and wakes nobody")
  func late() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    func at(_ minute: Int, _ celsius: Double) -> Kitchen.Uplink {
      .init(sensor, at: Kitchen.start + .minutes(minute), celsius: celsius)
    }
    for minute in [0, 60] { try await kitchen.commit([at(minute, 3)], at: Kitchen.start + .minutes(minute)) }
    let settled = try await kitchen.commit(
      [at(10, 7), at(20, 7.5), at(30, 4), at(40, 3)], at: Kitchen.start + .minutes(61))
    #expect(settled.map(\.name) == ["stored", "stored", "stored", "stored"])
    #expect(try await kitchen.incidents(of: unit) == ["10 20 30 40 7.50 20 0 high"])
    #expect(try await kitchen.alerts(of: unit) == ["alarm_active critical resolved 10"])
    #expect(try await kitchen.count("SELECT count(*) FROM incidents WHERE detected_late") == 1)
    #expect(try await kitchen.status(of: unit) == "ok")
  }
}
