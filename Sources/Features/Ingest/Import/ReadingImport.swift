import Basics
import ColdChain
import Identity
import JSON
import Monitoring
import Places
import PostgreSQL
import Readings
import Runtime

/// Brings in readings of the past by the million: read in one thread while PostgreSQL stores what was read before, by COPY into the
/// table itself where nothing can be there already, else past what is there. Units are judged again once, at the end.
///
/// A row is named by its device and instant, so an import that was broken off is done again from its beginning.
public struct ReadingImport: Sendable {
  public struct Plan: Sendable {
    public var organizationId: UUID
    public var format: Format
    public var temperatureUnit: TemperatureUnit
    /// Reads and checks everything, and stores nothing.
    public var isDryRun: Bool
    /// For the audit log.
    public var fileName: String

    public enum Format: String, Sendable, CaseIterable { case csv, ndjson }

    public init(
      organizationId: UUID, format: Format, temperatureUnit: TemperatureUnit = .celsius, isDryRun: Bool = false,
      fileName: String
    ) {
      self.organizationId = organizationId
      self.format = format
      self.temperatureUnit = temperatureUnit
      self.isDryRun = isDryRun
      self.fileName = fileName
    }
  }

  public struct Report: Sendable {
    /// Of the file, its header too.
    public var lines = 0
    public var stored = 0
    public var duplicates = 0
    public var refused = 0
    /// The first hundred: line and reason.
    public var refusals: [(line: Int, reason: String)] = []
    public var ignoredColumns: [String] = []
    /// Units whose past was judged again.
    public var judgedAgain = 0
    public var bytes = 0
  }

  let database: Database
  let plan: Plan
  let clock: WallClock

  public init(database: Database, plan: Plan, clock: WallClock = .system) {
    self.database = database
    self.plan = plan
    self.clock = clock
  }

  /// Runs on an event loop. Throws ``ImportRefusal`` when the organization or the header is not there, ``DatabaseError`` when
  /// the database gives up: what was reported until then is stored.
  ///
  /// - Parameters:
  ///   - next: some bytes of the file, called on a thread that may block; nil at its end.
  ///   - progress: called after each piece.
  public func run(
    from next: @escaping @Sendable () throws -> [UInt8]?, progress: (Report) -> Void = { _ in }
  ) async throws -> Report {
    let directory = try await database.withConnection { connection in
      try await ImportDirectory.load(plan.organizationId, on: connection)
    }
    guard !directory.units.isEmpty || !directory.devices.isEmpty else {
      throw ImportRefusal("the organization \(plan.organizationId) has no devices and no units")
    }
    let parser = ImportParser(
      directory: directory, format: plan.format == .csv ? .csv : .ndjson, temperatureUnit: plan.temperatureUnit,
      now: clock.now())
    let source = ImportSource(parser: parser, next: next)
    var store = ImportStore(organizationId: plan.organizationId)
    var report = Report()
    var ahead = Ahead(source)
    while let chunk = try await ahead.chunk() {
      ahead = Ahead(source)
      report.add(chunk)
      if !plan.isDryRun, chunk.rows > 0 {
        let stored = try await store.write(chunk, at: clock.now(), database)
        report.stored += stored
        report.duplicates += chunk.rows - stored
      }
      progress(report)
    }
    report.ignoredColumns = source.ignoredColumns
    if !plan.isDryRun {
      report.judgedAgain = try await ImportJudgement(database: database, clock: clock).run(store.touched)
      try await audit(report)
    }
    return report
  }

  private func audit(_ report: Report) async throws {
    guard report.stored > 0 || report.refused > 0 else { return }
    let after = JSONWriter.bytes { json in
      json.object { json in
        json.field("file", plan.fileName)
        json.field("lines", report.lines)
        json.field("stored", report.stored)
        json.field("duplicates", report.duplicates)
        json.field("refused", report.refused)
      }
    }
    try await database.withConnection { connection in
      try await Audit.append(
        on: connection, organizationId: plan.organizationId, author: Audit.system(at: clock.now()),
        event: "readings.imported", entity: "organization", id: plan.organizationId, after: .json(after))
    }
  }

  /// The next piece, while the one before is stored.
  private final class Ahead {
    private var task: LoopTask?
    private var result: Result<ImportChunk?, any Error>?

    init(_ source: ImportSource) {
      task = Reactor.current.spawn {
        do {
          self.result = .success(try await Blocking.run { try source.next() })
        } catch {
          self.result = .failure(error)
        }
      }
    }

    func chunk() async throws -> ImportChunk? {
      await task?.finished()
      return try result?.get() ?? nil
    }
  }
}

extension ReadingImport.Report {
  fileprivate mutating func add(_ chunk: ImportChunk) {
    lines += chunk.lines
    refused += chunk.refused
    bytes += chunk.bytes.count
    let room = max(0, ImportChunk.refusalsMax - refusals.count)
    refusals += chunk.refusals.prefix(room).map { ($0.line, $0.reason) }
  }
}
