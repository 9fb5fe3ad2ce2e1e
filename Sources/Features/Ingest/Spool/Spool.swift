import Basics
import Dispatch
import Glibc
import Runtime
import Synchronization
import Telemetry

/// Requests on this machine's disk, while the database cannot take them. Of one process: a lock on the folder keeps others out.
///
/// What is appended is durable when ``append(_:)`` returns: all that wait at one moment share one `fdatasync`. The space is reserved a
/// segment ahead. A segment is removed when everything in it is committed in the database, and not before.
public final class Spool: Sendable {
  /// How long a caller waits for the disk.
  static let patience = Duration.milliseconds(500)
  /// What may wait in memory for the disk.
  private static let pendingMax = 16 << 20

  struct Entry {
    let bytes: [UInt8]
    let receivedAt: Instant
    let waiter: SpoolWaiter
  }

  struct State {
    var isClosed = false
    var pending: [Entry] = []
    var pendingBytes = 0
    var isWriting = false
    /// Oldest first. The last may be the one that is added to.
    var segments: [SpoolSegment] = []
    var lastNumber: UInt64 = 0
    /// All before it is in the database, and so many records of its segment.
    var replayed: SpoolPlace?
    var replayedRecords = 0
    var oldest: Instant?
    /// Of senders whose key nobody has checked, since the spool was last empty.
    var unverifiedBytes = 0
    var lastProblem: String?
    /// The damaged places before this are set aside.
    var badUntil: SpoolPlace?
    /// What was set aside of whole records by this process.
    var rejectedBytes = 0

    var depth: Int {
      let done = segments.contains { $0.number == replayed?.segment } ? replayedRecords : 0
      return max(0, segments.reduce(0) { $0 + $1.records } - done)
    }
  }

  let folder: SpoolFolder
  let bytesMax: Int
  let segmentSize: Int
  let log: Log
  let metrics: SpoolMetrics
  let state = Mutex(State())
  private let lock: Mutex<SpoolFile?>
  /// Everything that changes a file runs here, and what reads runs there.
  let writing = DispatchQueue(label: "spool-write", qos: .userInitiated)
  let reading = DispatchQueue(label: "spool-read")

  /// Opens the spool in `path`, which is made when it is not there, with what an earlier process left in it. Blocks.
  ///
  /// - Parameter bytesMax: what it may take on disk; at least 4 MiB.
  public init(path: String, bytesMax: Int, log: Log = .none, metrics: Metrics = Metrics()) throws(SpoolFailure) {
    self.bytesMax = bytesMax
    self.log = log
    self.metrics = SpoolMetrics(metrics)
    // A file that grows past RLIMIT_FSIZE is an error to deal with, not the end of the process.
    signal(SIGXFSZ, SIG_IGN)
    do {
      folder = try SpoolFolder(path)
      segmentSize = min(max(min(bytesMax, try folder.space().all) / 16, 2 << 20), 64 << 20)
      let file = try SpoolFile.open(path + "/lock", O_RDWR | O_CREAT)
      guard file.lock() else { throw SpoolFailure.inUse(path) }
      lock = Mutex(file)
      let found = try Self.findAll(in: folder, log, self.metrics)
      state.withLock { state in
        state.segments = found
        // Never used twice, so that what was set aside keeps its name.
        state.lastNumber = max(found.last?.number ?? 0, UInt64(max(1, WallClock.system.now().microseconds)))
        state.oldest = found.first?.first
      }
      try folder.sync()
    } catch let failure as SpoolFailure {
      throw failure
    } catch let error as SystemError {
      throw .system(error)
    } catch {
      throw .system(SystemError("open \(path)", code: EIO))
    }
    _ = openNext()
    self.metrics.watch(self)
    let depth = figures.depth
    if depth > 0 { log.warn("requests of an earlier run wait in the spool", ["count": .int(depth)]) }
  }

  private static func findAll(
    in folder: SpoolFolder, _ log: Log, _ metrics: SpoolMetrics
  ) throws -> [SpoolSegment] {
    var found: [SpoolSegment] = []
    for number in try folder.segments() {
      let path = folder.segment(number)
      switch try SpoolSegment.found(number, in: folder) {
      case .blank: unlink(path)
      case .broken:
        metrics.bad.add()
        log.error("a file of the spool cannot be read and is set aside", ["file": .string(path)])
        guard rename(path, "\(folder.bad)/\(number).segment") == 0 else { throw SystemError("set aside \(path)") }
      case .segment(var segment, let torn):
        if let torn {
          metrics.torn.add()
          log.warn(
            "the end of the spool was torn and is cut off",
            ["file": .string(path), "at": .int(torn.lowerBound), "bytes": .int(torn.count)])
          // Nobody was told that it is durable; kept all the same, because a damaged record looks like that too.
          try? folder.setAside(
            try segment.file.read(torn.count, at: torn.lowerBound), as: "\(number)-\(torn.lowerBound).torn")
        }
        if segment.records == 0 {
          unlink(path)
        } else {
          if torn != nil || segment.size != segment.end + SpoolFormat.footerCount { try segment.seal() }
          found.append(segment)
        }
      }
    }
    return found
  }

  /// Ends it in order. Nothing can be appended afterwards, and another process may open it. Blocks.
  public func close() {
    state.withLock { $0.isClosed = true }
    writing.sync {
      finishActive()
      let blank = state.withLock { state -> String? in
        guard let last = state.segments.last, last.records == 0 else { return nil }
        return state.segments.removeLast().file.path
      }
      if let blank { unlink(blank) }
      lock.withLock { $0 = nil }
    }
  }

  // MARK: - What it holds

  struct Figures: Sendable {
    var depth: Int
    /// On disk, without what is only reserved.
    var bytes: Int
    /// When the oldest was received, about.
    var oldest: Instant?
    /// Why nothing can be appended at the moment.
    var problem: String?
  }

  var figures: Figures {
    state.withLock { state in
      var bytes = state.segments.reduce(0) { $0 + ($1.records > 0 ? $1.end : 0) }
      if let place = state.replayed, state.segments.first?.number == place.segment { bytes -= place.offset }
      return Figures(
        depth: state.depth, bytes: max(0, bytes), oldest: state.depth > 0 ? state.oldest : nil,
        problem: state.lastProblem)
    }
  }

  /// Whether the next request can be expected to find room.
  public var isAccepting: Bool { state.withLock { $0.lastProblem == nil && !$0.isClosed } }

  /// What a person should know of it. Nil: nothing waits, and there is room.
  public var concern: String? {
    let figures = figures
    if let problem = figures.problem { return "takes nothing (\(problem)); \(figures.depth) requests wait" }
    guard figures.depth > 0 else { return nil }
    return "\(figures.depth) requests wait for the database" + (figures.oldest.map { ", the oldest since \($0)" } ?? "")
  }

  // MARK: - Appending

  /// Returns once it is on disk. False: it cannot be, or not within ``patience``; it may still turn up in the database then.
  func append(_ record: SpoolRecord) async -> Bool {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(record.body.count + 128)
    guard SpoolFormat.append(record, to: &bytes) != nil else { return false }
    let waiter = SpoolWaiter()
    let reactor = Reactor.current
    let timer = reactor.schedule(after: Self.patience) { waiter.settle(false) }
    let isDurable = await withUnsafeContinuation { continuation in
      waiter.wait(continuation)
      if !enqueue(Entry(bytes: bytes, receivedAt: record.receivedAt, waiter: waiter), from: record.sender) {
        waiter.settle(false)
      }
    }
    reactor.cancel(timer)
    if isDurable { metrics.appended.add() } else { metrics.refused.add() }
    return isDurable
  }

  private func enqueue(_ entry: Entry, from sender: SpoolRecord.Sender) -> Bool {
    let (isTaken, starts) = state.withLock { state in
      guard !state.isClosed, state.pendingBytes + entry.bytes.count <= Self.pendingMax else { return (false, false) }
      if case .presented = sender {
        // Whoever makes up keys must not take the space of those who have one.
        guard state.unverifiedBytes + entry.bytes.count <= bytesMax / 4 else { return (false, false) }
        state.unverifiedBytes += entry.bytes.count
      }
      state.pending.append(entry)
      state.pendingBytes += entry.bytes.count
      defer { state.isWriting = true }
      return (true, !state.isWriting)
    }
    if starts { writing.async { self.writePending() } }
    return isTaken
  }
}

/// One caller that waits for the disk. The first answer counts.
final class SpoolWaiter: Sendable {
  private let continuation = Mutex<UnsafeContinuation<Bool, Never>?>(nil)

  func wait(_ waiter: UnsafeContinuation<Bool, Never>) { continuation.withLock { $0 = waiter } }

  func settle(_ isDurable: Bool) {
    continuation.withLock { waiter in
      defer { waiter = nil }
      return waiter
    }?.resume(returning: isDurable)
  }
}
