import Basics
import HTTP
import Identity
import PostgreSQL
import Runtime
import Telemetry

/// Brings what waits in the spool into the database, in its order, through a writer like that of the doors. On one loop.
///
/// Its attempts are how one finds out that the database is back. Everything that it does may be done twice without harm, so that a
/// crash between a commit and the removal of a segment needs no bookkeeping.
final class Replayer {
  /// Requests in one transaction, when all is well.
  private static let countMax = 500
  private static let bytesMax = 4 << 20
  /// Messages that are given to the writer at once: a request may hold a thousand readings.
  private static let portion = 1000
  private static let idle = Duration.milliseconds(200)
  /// The first pause after a failure; doubled up to ``pauseMax``.
  private static let pauseMin = Duration.milliseconds(100)
  private static let pauseMax = Duration.seconds(2)

  private let spool: Spool
  private let keys: APIKeys
  private let writer: WriterDoor
  private let database: Database
  private let circuit: Circuit
  private let log: Log
  private let isReady: @Sendable () async throws -> Void
  private var place: SpoolPlace?
  private var count = Replayer.countMax
  private var pause = Replayer.pauseMin

  /// - Parameter isReady: throws while the database cannot be worked with, its schema for one.
  init(
    _ spool: Spool, keys: APIKeys, writer: WriterDoor, database: Database, circuit: Circuit, log: Log,
    isReady: @escaping @Sendable () async throws -> Void
  ) {
    self.spool = spool
    self.keys = keys
    self.writer = writer
    self.database = database
    self.circuit = circuit
    self.log = log
    self.isReady = isReady
  }

  /// Until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      let wait = await step()
      guard wait > .zero else { continue }
      do { try await Reactor.current.sleep(for: wait) } catch { return }
    }
  }

  /// How long to wait before the next.
  private func step() async -> Duration {
    if circuit.isOpen, !(await databaseAnswers()) { return backOff() }
    guard let batch = await spool.read(after: place, count: count, bytes: Self.bytesMax) else {
      // Whatever opened it, nothing waits any more and the database answers.
      circuit.close()
      return Self.idle
    }
    do {
      if !batch.records.isEmpty { try await take(batch.records) }
    } catch {
      circuit.open()
      count = max(1, count / 2)
      return backOff()
    }
    place = batch.next
    spool.remove(before: batch.next, count: batch.records.count, newest: batch.records.last?.receivedAt)
    circuit.close()
    count = min(Self.countMax, count * 2)
    pause = Self.pauseMin
    return .zero
  }

  private func backOff() -> Duration {
    defer { pause = min(pause * 2, Self.pauseMax) }
    return pause
  }

  private func databaseAnswers() async -> Bool {
    let (database, isReady, circuit) = (database, isReady, circuit)
    do {
      let answer = try await Reactor.current.result(within: .seconds(2)) {
        if circuit.isVerified {
          _ = try await database.query("SELECT 1", timeout: .seconds(1))
        } else {
          try await isReady()
          circuit.verify()
        }
        return true
      }
      return answer ?? false
    } catch {
      return false
    }
  }

  /// Returns when all of it is committed.
  private func take(_ records: [SpoolRecord]) async throws {
    var senders: [PresentedKey: IngestScope?] = [:]
    var intakes: [Intake] = []
    var ranges: [(record: SpoolRecord, intakes: Range<Int>)] = []
    var useless: [(SpoolRecord, String)] = []
    for (place, record) in records.enumerated() {
      // The loop serves others too.
      if place % 50 == 49 { await Task.yield() }
      guard let door = IngestDoor(rawValue: record.door) else {
        useless.append((record, "no door \(record.door) here"))
        continue
      }
      guard let scope = try await scope(of: record, &senders) else {
        useless.append((record, "its key is not valid"))
        continue
      }
      do {
        let read = try door.read(record.body[...], scope, arrivedAt: record.receivedAt)
        ranges.append((record, intakes.count..<intakes.count + read.count))
        intakes += read
      } catch {
        useless.append((record, "it cannot be read"))
      }
    }
    var settled: [Settled] = []
    settled.reserveCapacity(intakes.count)
    for start in stride(from: 0, to: intakes.count, by: Self.portion) {
      settled += try await writer.write(Array(intakes[start..<min(start + Self.portion, intakes.count)]))
    }
    for (record, range) in ranges {
      let isRefused = settled[range].contains { answer in
        switch answer {
        case .foreign, .refused: true
        default: false
        }
      }
      if isRefused { useless.append((record, "a reading in it is not for its key to send, or cannot be stored")) }
    }
    for (record, reason) in useless { spool.setAside(record, because: reason) }
  }

  private func scope(
    of record: SpoolRecord, _ senders: inout [PresentedKey: IngestScope?]
  ) async throws -> IngestScope? {
    switch record.sender {
    case .known(let organization, let key, let site):
      return IngestScope(confirmedEarlier: organization, apiKeyId: key, siteId: site)
    case .presented(let keyId, let hash):
      let key = PresentedKey(keyId: keyId, secretHash: hash)
      if let known = senders[key] { return known }
      let found = try await keys.confirm(key, scope: .ingest, at: record.receivedAt)
      senders[key] = .some(found)
      return found
    }
  }
}
