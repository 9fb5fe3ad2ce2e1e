import Basics
import ColdChain
import Devices
import Monitoring
import Places
import PostgreSQL
import Readings

/// One flush: everything that gathered while the previous one ran, made durable in one transaction.
struct Batch {
  /// Longer than this no statement may hold a flush: the senders wait for two seconds.
  private static let statementLimit = Duration.milliseconds(1500)

  let intakes: [Intake]
  let now: Instant

  /// Stores, judges and commits. Answers in the order of `intakes`.
  ///
  /// When the readings change no unit's condition, by what the writer remembers, that is one round trip, under the condition that
  /// its memory still holds. Otherwise the units are locked and looked at, in two or more.
  ///
  /// Throws ``DatabaseError``; nothing has taken effect then, unless its kind is `commitUnknown`, and doing it again does no harm.
  func commit(_ memory: Memory, on connection: Connection) async throws -> [Settled] {
    while true {
      try await memory.directory.fill(intakes, on: connection)
      let plan = Plan(intakes.map { $0.resolve(memory.directory) })
      do {
        if let states = passing(plan, memory) { return try await store(plan, states, memory, connection) }
        if let settled = try await judge(plan, memory, connection) { return settled }
        memory.directory.forget()
      } catch let error as DatabaseError {
        if Monitor.isStale(error) {
          memory.forget(plan.news.keys)
          try await memory.directory.renew(on: connection)
        } else if case .uniqueViolation = error.kind, !memory.repeats.areExpected {
          memory.repeats.saw()
        } else {
          throw error
        }
      }
    }
  }

  /// What is to be written.
  struct Plan {
    let resolved: [Resolved]
    var readings: [Reading] = []
    var quarantine: [QuarantinedUplink] = []
    var events: [(event: DeviceEvent, deviceId: UUID, organizationId: UUID)] = []
    /// The readings by unit.
    var news: [UUID: Monitor.News] = [:]

    init(_ resolved: [Resolved]) {
      self.resolved = resolved
      readings.reserveCapacity(resolved.count)
      news.reserveCapacity(resolved.count)
      for outcome in resolved {
        switch outcome {
        case .readings(let samples):
          for sample in samples { sample.tell(&news) }
          readings += samples
        case .quarantine(let uplink): quarantine.append(uplink)
        case .deviceEvent(let event, let device, let organization): events.append((event, device, organization))
        case .foreign, .nothing: break
        }
      }
    }
  }

  /// What belongs to the same commit beside the readings and the states of their units, and what is to be remembered of it then.
  ///
  /// - Parameter new: the readings of the plan that were not there already.
  private func besides(
    _ plan: Plan, _ new: [Reading], _ directory: Directory
  ) -> (statements: [(SQL, [Value])], remember: () -> Void) {
    let heard = new.filter { directory.isNews($0) }
    let marks = directory.marks.batch(new, at: now)
    var statements: [(SQL, [Value])] = []
    if !plan.quarantine.isEmpty { statements.append(QuarantineStore.insert(plan.quarantine)) }
    if !plan.events.isEmpty { statements.append(DeviceEventStore.insert(plan.events)) }
    if !heard.isEmpty { statements.append(DeviceStateStore.note(heard)) }
    if let marks { statements.append(marks.statement) }
    let now = now
    return (
      statements,
      {
        directory.note(heard)
        if let marks { directory.marks.note(marks, at: now) }
      }
    )
  }

  // MARK: - By memory

  /// The states of the units afterwards, by their ids so that two writers never wait for each other in a circle. Nil when not all
  /// are remembered, or something begins or ends, or readings that are there already are to be expected.
  private func passing(_ plan: Plan, _ memory: Memory) -> [StoredState]? {
    guard !memory.repeats.areExpected else { return nil }
    var states: [StoredState] = []
    states.reserveCapacity(plan.news.count)
    for unit in plan.news.keys.sorted() {
      guard let news = plan.news[unit], let known = memory.state(of: unit),
        let rules = memory.directory.rules(of: unit), let passed = Monitor.pass(news, of: known, rules, now: now)
      else { return nil }
      states.append(passed)
    }
    return states
  }

  private func store(
    _ plan: Plan, _ states: [StoredState], _ memory: Memory, _ connection: Connection
  ) async throws -> [Settled] {
    let besides = besides(plan, plan.readings, memory.directory)
    // Statements outside of a transaction that share a round trip are one.
    var statements = [Monitor.advance(states, directoryVersion: memory.directory.version ?? -1)]
    if !plan.readings.isEmpty { statements.append(ReadingWrites.insert(plan.readings)) }
    let answers = try await connection.pipeline(statements + besides.statements, timeout: Self.statementLimit)
    memory.remember(states, version: UInt32(truncatingIfNeeded: try answers[0].first?.int(0) ?? 0))
    besides.remember()
    return settled(plan, stored: nil, [:], [:])
  }

  // MARK: - By looking

  /// Nil when the directory was stale: nothing has been written.
  private func judge(_ plan: Plan, _ memory: Memory, _ connection: Connection) async throws -> [Settled]? {
    let looks = memory.repeats.areExpected
    let units = Array(plan.news.keys)
    do {
      var opening: [(SQL, [Value])] = [("BEGIN", []), (DeviceEntry.directoryVersion, [])]
      if !units.isEmpty { opening += [Monitor.lock(units), Monitor.read(units)] }
      if !plan.readings.isEmpty {
        opening.append(looks ? ReadingWrites.insertMissing(plan.readings) : ReadingWrites.insert(plan.readings))
      }
      var answers = try await connection.pipeline(opening, timeout: Self.statementLimit)[1...]
      guard try answers.popFirst()?.first?.int(0) == memory.directory.version else {
        _ = try await connection.query("ROLLBACK")
        return nil
      }
      // The rows of the lock itself say nothing.
      let states = units.isEmpty ? [:] : try Monitor.states(answers[answers.startIndex + 1])
      let stored =
        plan.readings.isEmpty || !looks ? nil : Set(try answers[answers.endIndex - 1].map { try $0.uuid(0) })
      let refused = plan.readings.filter { stored?.contains($0.id) == false }
      let earlier = try await ReadingWrites.settle(refused, on: connection)
      let outcome = try await Monitor.judge(
        news(plan, stored), states: Array(states.values), rules: rules(states, memory.directory), now: now,
        on: connection)
      let besides = besides(plan, plan.readings.filter { stored?.contains($0.id) ?? true }, memory.directory)
      let closing = outcome.statements + besides.statements + [(Monitor.rowVersion, []), ("COMMIT", [])]
      let versions = try await connection.pipeline(closing, timeout: Self.statementLimit).dropLast().last
      memory.remember(outcome.states, version: UInt32(truncatingIfNeeded: try versions?.first?.int(0) ?? 0))
      besides.remember()
      if looks { memory.repeats.looked(andFound: !refused.isEmpty) }
      return settled(plan, stored: stored, earlier, outcome.alertsOpened)
    } catch {
      // Leaves the connection clean when it still stands; a broken one is thrown away by the pool.
      _ = try? await connection.query("ROLLBACK")
      throw error
    }
  }

  private func rules(_ states: [UUID: StoredState], _ directory: Directory) -> [UUID: UnitRules] {
    states.keys.reduce(into: [:]) { $0[$1] = directory.rules(of: $1) }
  }

  private func news(_ plan: Plan, _ stored: Set<UUID>?) -> [UUID: Monitor.News] {
    guard let stored, stored.count < plan.readings.count else { return plan.news }
    var news: [UUID: Monitor.News] = [:]
    for reading in plan.readings where stored.contains(reading.id) { reading.tell(&news) }
    return news
  }

  /// `stored`: the ids of the readings that are new; nil when all are.
  private func settled(
    _ plan: Plan, stored: Set<UUID>?, _ earlier: [UUID: ReadingWrites.Stored], _ alerts: [UUID: Int]
  ) -> [Settled] {
    var alerts = alerts
    return plan.resolved.map { outcome in
      switch outcome {
      case .quarantine(let uplink): return .quarantined(uplink.reason)
      case .deviceEvent(let event, _, _): return .ignored("\(event.type) recorded")
      case .foreign(let reason): return .foreign(reason)
      case .nothing(let reason): return .ignored(reason)
      case .readings(let samples):
        guard let new = samples.first(where: { stored?.contains($0.id) ?? true }) else {
          return .duplicate(readingId: earlier[samples[0].id]?.id ?? samples[0].id)
        }
        // An alert that several uplinks of one batch raised together is told to the first of them.
        let raised = new.unitId.flatMap { alerts.removeValue(forKey: $0) } ?? 0
        return .stored(readingId: new.id, alertsTriggered: raised)
      }
    }
  }
}

extension Reading {
  /// Says to its unit what it has to say.
  fileprivate func tell(_ news: inout [UUID: Monitor.News]) {
    guard let unit = unitId, let judged else { return }
    let isPrimary = !flags.contains(.secondary)
    let last = LastValues(
      recordedAt: recordedAt, temperature: judged.temperature, humidity: isPrimary ? humidity : nil,
      device: isPrimary ? deviceId : nil)
    if news[unit]?.hear(judged, last) == nil { news[unit] = Monitor.News(readings: [judged], last: last) }
  }
}

extension Monitor.News {
  fileprivate mutating func hear(_ reading: UnitReading, _ last: LastValues) {
    readings.append(reading)
    if self.last.recordedAt <= last.recordedAt { self.last = last }
  }
}
