import Basics
import ColdChain
import Devices
import Identity
import JSON
import Monitoring
import Places
import PostgreSQL
import Readings

/// Runs the decoders over frames that are stored: what they would say of them now, and with `apply` also puts it right.
///
/// Stored readings keep their identity, their device and instant: only what was measured changes. Each batch is one transaction with
/// the judgement of its units' past, as for late readings.
public struct Redecode: Sendable {
  public struct Filter: Sendable {
    public var organizationId: UUID?
    /// 16 upper-case hexadecimal digits.
    public var devEUI: EUI64?
    public var model: String?
    public var from: Instant
    public var to: Instant

    public init(
      organizationId: UUID? = nil, devEUI: EUI64? = nil, model: String? = nil, from: Instant? = nil, to: Instant? = nil
    ) {
      self.organizationId = organizationId
      self.devEUI = devEUI
      self.model = model
      self.from = from ?? .distantPast
      self.to = to ?? .distantFuture
    }
  }

  /// What was found of the sensors of one model.
  public struct Figures: Sendable {
    public var frames = 0
    public var same = 0
    public var changed = 0
    /// No decoder reads them; they stay as they are.
    public var undecodable = 0
    /// How often each field changed.
    public var fields: [String: Int] = [:]
    /// The first of the changed.
    public var samples: [Sample] = []
    static let samplesMax = 5
  }

  public struct Sample: Sendable {
    public let readingId: UUID
    public let devEUI: EUI64
    public let recordedAt: Instant
    /// Field, before and after.
    public let changes: [(field: String, before: String, after: String)]
  }

  public struct Report: Sendable {
    public var models: [String: Figures] = [:]
    public var devices = 0

    public var changed: Int { models.values.reduce(0) { $0 + $1.changed } }
    public var frames: Int { models.values.reduce(0) { $0 + $1.frames } }
  }

  let database: Database
  let clock: WallClock

  public init(database: Database, clock: WallClock = .system) {
    self.database = database
    self.clock = clock
  }

  public func run(
    _ filter: Filter, apply: Bool, progress: (Report) -> Void = { _ in }
  ) async throws -> Report {
    var report = Report()
    for key in try await RedecodeStore.devices(filter, database) {
      let device = try await database.withConnection { try await DeviceEntry.load([key], on: $0)[key] }
      guard let device, filter.takes(device) else { continue }
      report.devices += 1
      var after = filter.from - .microseconds(1)
      while true {
        let frames = try await RedecodeStore.frames(of: device, after: after, before: filter.to, database)
        guard let last = frames.last else { break }
        after = last.recordedAt
        let changes = frames.compactMap { frame in report.note(frame, of: device) }
        if apply, !changes.isEmpty { try await self.apply(changes, of: device) }
        progress(report)
      }
    }
    return report
  }

  private func apply(_ changes: [(old: StoredFrame, new: StoredFrame)], of device: DeviceEntry) async throws {
    let now = clock.now()
    var starts: [UUID: Instant] = [:]
    var ends: [UUID: Instant] = [:]
    for (old, _) in changes {
      guard let unit = old.unitId else { continue }
      starts[unit] = min(starts[unit] ?? old.recordedAt, old.recordedAt)
      ends[unit] = max(ends[unit] ?? old.recordedAt, old.recordedAt)
    }
    let units = starts.keys.sorted()
    let stretches = units.compactMap { unit in starts[unit].map { (unit, $0, ends[unit] ?? $0) } }
    let marks = RollupMarks.marking(stretches, device.organizationId, at: now)
    try await database.transaction(retries: 3) { connection in
      let locked = try await connection.pipeline([Monitor.lock(units), Monitor.read(units)])
      let states = try Monitor.states(locked[1])
      _ = try await connection.pipeline([RedecodeStore.update(changes.map(\.new), of: device), marks])
      let newest = try await RedecodeStore.newest(of: units, on: connection)
      var again: [UUID: (instant: Instant, last: LastValues)] = [:]
      for (unit, start) in starts { if let last = newest[unit] { again[unit] = (start, last) } }
      let outcome = try await Monitor.judgeAgain(
        from: again, states: states.values.filter { again[$0.unitId] != nil },
        rules: try await UnitRules.load(units, on: connection), now: now, on: connection)
      _ = try await connection.pipeline(outcome.statements)
      try await Audit.append(
        on: connection, organizationId: device.organizationId, author: Audit.system(at: now),
        event: "readings.redecoded", entity: "device", id: device.deviceId, after: .json(Self.summary(changes)))
    }
  }

  private static func summary(_ changes: [(old: StoredFrame, new: StoredFrame)]) -> [UInt8] {
    JSONWriter.bytes { json in
      json.object { json in
        json.field("count", changes.count)
        json.field("from", changes.first?.old.recordedAt)
        json.field("to", changes.last?.old.recordedAt)
      }
    }
  }
}

extension Redecode.Filter {
  /// By the name itself, or by any name of the same decoder.
  fileprivate func takes(_ device: DeviceEntry) -> Bool {
    guard let model else { return true }
    guard let own = device.model else { return false }
    if ASCII.equalIgnoringCase(own.utf8, model.utf8) { return true }
    return PayloadDecoder.named(own)?.models.contains(model.lowercased()) ?? false
  }
}

extension Redecode.Report {
  /// The change that a frame needs, or nil.
  fileprivate mutating func note(
    _ frame: StoredFrame, of device: DeviceEntry
  ) -> (old: StoredFrame, new: StoredFrame)? {
    let model = device.model ?? "unknown"
    var figures = models[model] ?? Redecode.Figures()
    defer { models[model] = figures }
    figures.frames += 1
    guard let new = frame.redecoded(of: device) else {
      figures.undecodable += 1
      return nil
    }
    let changes = frame.differences(to: new)
    guard !changes.isEmpty else {
      figures.same += 1
      return nil
    }
    figures.changed += 1
    for change in changes { figures.fields[change.field, default: 0] += 1 }
    if figures.samples.count < Redecode.Figures.samplesMax {
      figures.samples.append(
        Redecode.Sample(
          readingId: frame.id, devEUI: device.devEUI, recordedAt: frame.recordedAt, changes: changes))
    }
    return (frame, new)
  }
}
