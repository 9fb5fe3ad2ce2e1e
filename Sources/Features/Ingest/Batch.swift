import Basics
import ColdChain
import Devices
import Monitoring
import Places
import PostgreSQL
import Readings

/// One flush: everything that gathered while the previous one ran, made durable in one transaction.
struct Batch {
  let intakes: [Intake]
  let now: Instant

  /// Stores, judges and commits, in two round trips when nothing is unusual. Answers in the order of `intakes`.
  ///
  /// Throws ``DatabaseError``; nothing has taken effect then, unless its kind is `commitUnknown`, and doing it again does no harm.
  func commit(_ directory: Directory, _ repeats: Repeats, on connection: Connection) async throws -> [Settled] {
    while true {
      try await directory.fill(
        devices: Set(intakes.compactMap(\.deviceKey)), units: Set(intakes.compactMap(\.unitId)), on: connection)
      let plan = Plan(intakes.map { $0.resolve(directory) })
      do {
        if let settled = try await run(plan, directory, repeats, connection) { return settled }
        directory.forget()
      } catch let error as DatabaseError {
        guard case .uniqueViolation = error.kind, !repeats.areExpected else { throw error }
        repeats.saw()
      }
    }
  }

  /// What is to be written, in columns.
  struct Plan {
    let resolved: [Resolved]
    var readings: [Reading] = []
    var quarantine: [QuarantinedUplink] = []
    var events: [(event: DeviceEvent, deviceId: UUID, organizationId: UUID)] = []
    var units: Set<UUID> = []

    init(_ resolved: [Resolved]) {
      self.resolved = resolved
      readings.reserveCapacity(resolved.count)
      for outcome in resolved {
        switch outcome {
        case .readings(let samples):
          readings += samples
          for sample in samples { if let unit = sample.unitId { units.insert(unit) } }
        case .quarantine(let uplink): quarantine.append(uplink)
        case .deviceEvent(let event, let device, let organization): events.append((event, device, organization))
        case .foreign, .nothing: break
        }
      }
    }
  }

  /// Nil when the directory was stale: nothing has been written.
  private func run(
    _ plan: Plan, _ directory: Directory, _ repeats: Repeats, _ connection: Connection
  ) async throws -> [Settled]? {
    let looks = repeats.areExpected
    do {
      var opening: [(SQL, [Value])] = [("BEGIN", []), (DeviceEntry.directoryVersion, [])]
      if !plan.units.isEmpty { opening += [Monitor.lock(Array(plan.units)), Monitor.read(Array(plan.units))] }
      if !plan.readings.isEmpty {
        opening.append(looks ? ReadingWrites.insertMissing(plan.readings) : ReadingWrites.insert(plan.readings))
      }
      var answers = try await connection.pipeline(opening)[1...]
      guard try answers.popFirst()?.first?.int(0) == directory.version else {
        _ = try await connection.query("ROLLBACK")
        return nil
      }
      // The rows of the lock itself say nothing.
      let states = plan.units.isEmpty ? [:] : try Monitor.states(answers[answers.startIndex + 1])
      let stored =
        plan.readings.isEmpty || !looks
        ? Set(plan.readings.map(\.id)) : Set(try answers[answers.endIndex - 1].map { try $0.uuid(0) })
      let refused = stored.count == plan.readings.count ? [] : plan.readings.filter { !stored.contains($0.id) }
      let earlier = try await ReadingWrites.settle(refused, on: connection)
      let outcome = try await Monitor.judge(
        news(plan.readings, stored), states: Array(states.values), rules: rules(states, directory), now: now,
        on: connection)
      var closing = outcome.statements
      if !plan.quarantine.isEmpty { closing.append(QuarantineStore.insert(plan.quarantine)) }
      if !plan.events.isEmpty { closing.append(DeviceEventStore.insert(plan.events)) }
      let heard = plan.readings.filter { directory.isNews($0) && stored.contains($0.id) }
      if !heard.isEmpty { closing.append(DeviceStateStore.note(heard)) }
      let marks = directory.marks.batch(plan.readings.lazy.filter { stored.contains($0.id) }, at: now)
      if let marks { closing.append(marks.statement) }
      closing.append(("COMMIT", []))
      _ = try await connection.pipeline(closing)
      directory.note(heard)
      if let marks { directory.marks.note(marks, at: now) }
      if looks { repeats.looked(andFound: !refused.isEmpty) }
      return settled(plan, stored, earlier, outcome.alertsOpened)
    } catch {
      // Leaves the connection clean when it still stands; a broken one is thrown away by the pool.
      _ = try? await connection.query("ROLLBACK")
      throw error
    }
  }

  private func rules(_ states: [UUID: StoredState], _ directory: Directory) -> [UUID: UnitRules] {
    states.keys.reduce(into: [:]) { $0[$1] = directory.rules(of: $1) }
  }

  /// The stored readings by unit.
  private func news(_ readings: [Reading], _ stored: Set<UUID>) -> [UUID: Monitor.News] {
    var news: [UUID: Monitor.News] = [:]
    for reading in readings where stored.contains(reading.id) {
      guard let unit = reading.unitId, let judged = reading.judged else { continue }
      let isPrimary = !reading.flags.contains(.secondary)
      let last = LastValues(
        recordedAt: reading.recordedAt, temperature: judged.temperature,
        humidity: isPrimary ? reading.humidity : nil, device: isPrimary ? reading.deviceId : nil)
      if news[unit] == nil {
        news[unit] = Monitor.News(readings: [judged], last: last)
      } else {
        news[unit]?.readings.append(judged)
        if let known = news[unit]?.last, known.recordedAt <= last.recordedAt { news[unit]?.last = last }
      }
    }
    return news
  }

  private func settled(
    _ plan: Plan, _ stored: Set<UUID>, _ earlier: [UUID: ReadingWrites.Stored], _ alerts: [UUID: Int]
  ) -> [Settled] {
    var alerts = alerts
    return plan.resolved.map { outcome in
      switch outcome {
      case .quarantine(let uplink): return .quarantined(uplink.reason)
      case .deviceEvent(let event, _, _): return .ignored("\(event.type) recorded")
      case .foreign(let reason): return .foreign(reason)
      case .nothing(let reason): return .ignored(reason)
      case .readings(let samples):
        guard let new = samples.first(where: { stored.contains($0.id) }) else {
          return .duplicate(readingId: earlier[samples[0].id]?.id ?? samples[0].id)
        }
        // An alert that several uplinks of one batch raised together is told to the first of them.
        let raised = new.unitId.flatMap { alerts.removeValue(forKey: $0) } ?? 0
        return .stored(readingId: new.id, alertsTriggered: raised)
      }
    }
  }
}

/// Whether deliveries are coming twice at the moment. One for each loop.
///
/// Readings are stored without a look at what is there, until one is; then with a look, until a hundred flushes have met none.
final class Repeats {
  private var flushesLeft = 0

  var areExpected: Bool { flushesLeft > 0 }
  func saw() { flushesLeft = 100 }
  func looked(andFound found: Bool) { flushesLeft = found ? 100 : flushesLeft - 1 }
}
