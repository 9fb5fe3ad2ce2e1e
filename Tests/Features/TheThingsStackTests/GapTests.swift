import Basics
import FeatureSupport
import HTTP
import JSON
import PostgreSQL
import Testing

@testable import StackSupport
@testable import TheThingsStack

@Suite struct GapStretchTests {
  private func gap(_ frames: ClosedRange<Int64>, seen: [Int64] = []) -> Gap {
    Gap(
      id: .v4(), organizationId: .v4(), deviceId: .v4(), session: "s", frames: frames, afterAt: World.start,
      beforeAt: World.start, state: .open, seen: seen, isCovered: true)
  }

  private func text(_ stretches: [Gap.Stretch]) -> [String] {
    stretches.map { "\($0.frames.lowerBound)-\($0.frames.upperBound) \($0.state.rawValue)" }
  }

  @Test func `a gap is cut where the fate of its frames changes`() {
    #expect(text(gap(3...9).stretches(found: [:], rest: .open)) == ["3-9 open"])
    #expect(
      text(gap(3...9, seen: [3, 7, 50]).stretches(found: [4: true, 5: true, 7: true, 8: false], rest: .lostOnAir)) == [
        "3-3 received", "4-5 healed", "6-6 lost_on_air", "7-7 healed", "8-8 received", "9-9 lost_on_air",
      ])
    #expect(text(gap(4...4).stretches(found: [4: true], rest: .unexplained)) == ["4-4 healed"])
  }

  @Test func `the stretches are the gap, whole and without overlap`() {
    var numbers = SplitMix(seed: 20_261_121)
    func random(_ count: Int64) -> Int64 { Int64.random(in: 0..<count, using: &numbers) }
    for _ in 0..<500 {
      let first = random(100)
      let range = first...(first + random(40))
      let seen = (0..<random(20)).map { _ in first + random(50) }
      var found: [Int64: Bool] = [:]
      for _ in 0..<random(20) { found[first + random(50)] = random(2) == 0 }
      let stretches = gap(range, seen: seen).stretches(found: found, rest: .lostOnAir)
      #expect(stretches.flatMap { Array($0.frames) } == Array(range), "\(range) \(seen) \(found)")
      for (one, next) in zip(stretches, stretches.dropFirst()) { #expect(one.state != next.state) }
    }
  }
}

@Suite(.serialized) struct GapTests {
  private func sessions(_ world: World) async throws -> [String] {
    try await world.lines(
      """
      SELECT session_key_id, received::text, first_f_cnt::text, last_f_cnt::text FROM uplink_sessions ORDER BY first_at
      """)
  }

  @Test func `frames that are missing between two that came are a gap`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.deliver(sensor, [34, 35, 38])
    try await world.count(at: world.at(38))
    #expect(try await world.gaps() == ["36-37 open -"])
    #expect(try await sessions(world) == ["AYxSzz== 3 34 38"])
    try await world.deliver(sensor, [39, 41])
    for _ in 1...2 { try await world.count(at: world.at(41)) }
    #expect(try await world.gaps() == ["36-37 open -", "40-40 open -"])
    #expect(try await sessions(world) == ["AYxSzz== 5 34 41"])
    let page = String(decoding: world.metrics.render(.prometheus), as: UTF8.self)
    #expect(page.contains(#"uplink_missing_frames{state="open"} 3"#))
    #expect(page.contains("uplink_gaps_open 2"))
  }

  @Test func `what comes late after all was no gap`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.deliver(sensor, [1, 2, 6])
    try await world.count(at: world.at(6))
    try await world.deliver(sensor, [4])
    try await world.count(at: world.at(7))
    #expect(try await world.gaps() == ["3-3 open -", "4-4 received -", "5-5 open -"])
    try await world.deliver(sensor, [3, 5])
    try await world.count(at: world.at(8))
    #expect(try await world.gaps() == ["3-3 received -", "4-4 received -", "5-5 received -"])
    let ledger = try await world.call(.get, world.organization.path + "/devices/\(sensor.id)/gaps").json
    #expect(ledger["gaps"]?.count == 0)
    #expect(ledger["sessions"]?[0]?["received"]?.int == 6)
    #expect(ledger["sessions"]?[0]?["open"]?.int == 0)
  }

  @Test func `frames before the first of a new session are missing, of a first session they are not`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.deliver(sensor, [40, 41])
    try await world.count(at: world.at(41))
    #expect(try await world.gaps() == [])
    // Joined anew: counters start at 0, and 0 itself is left out of the message.
    var message = world.uplink(sensor, 45, session: "BB==")
    message = message.replacing("\"f_cnt\":45", with: "\"f_cnt\":2")
    try await world.deliver(message)
    try await world.count(at: world.at(46))
    #expect(try await world.gaps() == ["0-1 open -"])
    #expect(try await sessions(world) == ["AYxSzz== 2 40 41", "BB== 1 2 2"])
  }

  @Test func `a device that starts over without a session leaves no gap`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.deliver(sensor, [50, 51])
    for (frame, counter) in [(52, 1), (53, 2), (54, 4)] {
      try await world.deliver(world.uplink(sensor, frame).replacing("\"f_cnt\":\(frame)", with: "\"f_cnt\":\(counter)"))
    }
    try await world.count(at: world.at(54))
    #expect(try await world.gaps() == ["3-3 open -"])
    #expect(try await sessions(world) == ["AYxSzz== 5 50 4"])
  }

  @Test func `deliveries that came twice are counted for their session`() async throws {
    let world = try await World()
    let sensor = try await world.sensor()
    try await world.deliver(sensor, [1, 2, 2, 2, 1])
    try await world.count(at: world.at(3))
    let ledger = try await world.call(.get, world.organization.path + "/devices/\(sensor.id)/gaps").json
    #expect(ledger["sessions"]?[0]?["received"]?.int == 2)
    #expect(ledger["sessions"]?[0]?["duplicate"]?.int == 3)
  }

  @Test func `many devices are counted in one run`() async throws {
    let world = try await World()
    try await world.house.sql(
      """
      WITH d AS (
        INSERT INTO devices (organization_id, dev_eui, name)
        SELECT $1, upper(lpad(to_hex(n), 16, '0')), 'd' FROM generate_series(1, 1200) n RETURNING id
      ), r AS (
        INSERT INTO sensor_readings (recorded_at, organization_id, device_id, source, f_cnt, session_key_id)
        SELECT $2::timestamptz + f * interval '10 minutes', $1, d.id, 'ttn', f, 's' FROM d, unnest('{1,2,4}'::int[]) f
      )
      INSERT INTO device_states (device_id, organization_id, last_seen_at, session_key_id)
      SELECT id, $1, $2::timestamptz + interval '40 minutes', 's' FROM d
      """, [.uuid(world.organization.id), .timestamp(World.start)])
    try await world.count(at: world.at(5))
    #expect(try await world.lines("SELECT count(*)::text, sum(received)::text FROM uplink_sessions") == ["1200 3600"])
    #expect(try await world.lines("SELECT count(*)::text FROM uplink_gaps WHERE state = 'open'") == ["1200"])
  }
}
