import Basics
import ColdChain
import FeatureSupport
import PostgreSQL
import Testing

@testable import Ingest

@Suite("What the writer remembers")
struct MemoryTests {
  typealias Uplink = Kitchen.Uplink

  /// Commits each of `batches`: through one memory, or by looking each time.
  private func commit(_ batches: [[Uplink]], to kitchen: Kitchen, remembering: Bool) async throws {
    let intakes = try batches.map { try $0.map(kitchen.intake) }
    let times = batches.map { batch in
      batch.compactMap { Instant(rfc3339: $0.receivedAt) }.max() ?? Kitchen.start
    }
    try await kitchen.house.run { database in
      let kept = Memory()
      for (intakes, now) in zip(intakes, times) {
        let memory = remembering ? kept : Memory()
        _ = try await database.withConnection { connection in
          try await Batch(intakes: intakes, now: now).commit(memory, on: connection)
        }
      }
    }
  }

  /// Everything that the state of a unit holds, its incidents and alerts.
  private func story(of unit: UUID, in kitchen: Kitchen) async throws -> [String] {
    try await kitchen.lines(
      """
      SELECT status, temp_state, coalesce(temp_state_since::text, '-'), qualifying_readings::text, door_position,
        coalesce(settled_to::text, '-'), link_state, last_seen_at::text, next_due_at::text, last_reading_at::text,
        last_temperature::text, coalesce(last_humidity::text, '-')
      FROM unit_states WHERE unit_id = $1
      """, [.uuid(unit)]) + (try await kitchen.incidents(of: unit)) + (try await kitchen.alerts(of: unit))
  }

  @Test("a writer that remembers decides as one that looks", arguments: [1, 2, 3] as [UInt64])
  func sameDecisions(seed: UInt64) async throws {
    var random = SplitMix(seed: seed)
    var stories: [[String]] = []
    let steps = (0..<40).map { step in
      (minutes: step * 10, celsius: Double(random.next() % 90) / 10, late: random.next() % 9 == 0)
    }
    for remembering in [true, false] {
      let kitchen = try await Kitchen()
      let unit = try await kitchen.unit()
      let sensor = try await kitchen.sensor(of: unit)
      var batches: [[Uplink]] = []
      for step in steps {
        let uplink = Uplink(sensor, at: Kitchen.start + .minutes(step.minutes), celsius: step.celsius)
        // Late: in the batch after the next one's readings.
        if step.late, !batches.isEmpty {
          batches[batches.count - 1].append(uplink)
        } else {
          batches.append([uplink])
        }
      }
      try await commit(batches, to: kitchen, remembering: remembering)
      stories.append(try await story(of: unit, in: kitchen))
    }
    #expect(stories[0] == stories[1], "seed \(seed)")
    #expect(stories[0].count > 1, "nothing happened by seed \(seed)")
  }

  @Test("what another writer has begun meanwhile is not overwritten")
  func another() async throws {
    let kitchen = try await Kitchen()
    let unit = try await kitchen.unit()
    let sensor = try await kitchen.sensor(of: unit)
    let uplinks = [(0, 3.0), (10, 3.1), (20, 12.0), (30, 12.0), (40, 12.0)].map {
      Uplink(sensor, at: Kitchen.start + .minutes($0.0), celsius: $0.1)
    }
    let intakes = try uplinks.map(kitchen.intake)
    try await kitchen.house.run { database in
      let (mine, theirs) = (Memory(), Memory())
      for (place, intake) in intakes.enumerated() {
        // The third, which opens the excursion, is the other one's.
        let memory = place == 2 ? theirs : mine
        _ = try await database.withConnection { connection in
          try await Batch(intakes: [intake], now: Kitchen.start + .minutes(place * 10))
            .commit(memory, on: connection)
        }
      }
    }
    #expect(try await kitchen.incidents(of: unit) == ["20 30 - - 12.00 20 0 high"])
    #expect(try await kitchen.status(of: unit) == "alarm_active")
  }

  @Test("a message that nothing is known of is kept, whatever has changed since the last one")
  func unknown() async throws {
    let kitchen = try await Kitchen()
    let stranger = Kitchen.Sensor(id: .v4(), devEUI: "A84041000D0000FF")
    let intakes = try [0, 1].map { try kitchen.intake(Uplink(stranger, at: Kitchen.start + .minutes($0), celsius: 3)) }
    let outcomes = try await kitchen.house.run { database in
      let memory = Memory()
      var outcomes: [String] = []
      for intake in intakes {
        try await database.execute("UPDATE directory_version SET version = version + 1")
        outcomes += try await database.withConnection { connection in
          try await Batch(intakes: [intake], now: Kitchen.start).commit(memory, on: connection).map(\.name)
        }
      }
      return outcomes
    }
    #expect(outcomes == ["unknown_device", "unknown_device"])
  }

  @Test("a sensor that has moved reports for its new unit at once")
  func moved() async throws {
    let kitchen = try await Kitchen()
    let (first, second) = (try await kitchen.unit(), try await kitchen.unit())
    let sensor = try await kitchen.sensor(of: first)
    let uplinks = [0, 10, 20].map { Uplink(sensor, at: Kitchen.start + .minutes($0), celsius: 3) }
    let intakes = try uplinks.map(kitchen.intake)
    let at = Kitchen.start + .minutes(15)
    try await kitchen.house.run { database in
      let memory = Memory()
      for (place, intake) in intakes.enumerated() {
        if place == 2 {
          try await database.execute(
            "UPDATE device_assignments SET assigned_to = $2 WHERE device_id = $1", [.uuid(sensor.id), .timestamp(at)])
          try await database.execute(
            """
            INSERT INTO device_assignments (organization_id, device_id, unit_id, is_primary, assigned_from)
            SELECT organization_id, id, $2, true, $3 FROM devices WHERE id = $1
            """, [.uuid(sensor.id), .uuid(second), .timestamp(at)])
        }
        _ = try await database.withConnection { connection in
          try await Batch(intakes: [intake], now: Kitchen.start + .minutes(place * 10))
            .commit(memory, on: connection)
        }
      }
    }
    let units = try await kitchen.lines("SELECT unit_id::text FROM sensor_readings ORDER BY recorded_at")
    #expect(units == [first, first, second].map(\.description))
  }
}
