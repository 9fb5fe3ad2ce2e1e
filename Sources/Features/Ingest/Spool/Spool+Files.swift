import Basics
import Dispatch
import Glibc
import Runtime
import Telemetry

// MARK: - On the writing queue

extension Spool {
  func writePending() {
    while true {
      let entries = state.withLock { state in
        defer {
          state.pending = []
          state.pendingBytes = 0
        }
        state.isWriting = !state.pending.isEmpty
        return state.pending
      }
      if entries.isEmpty { return }
      var rest = entries[...]
      while !rest.isEmpty { writeSome(&rest) }
    }
  }

  /// As many as fit into the segment, with one sync. What cannot be written is refused.
  private func writeSome(_ rest: inout ArraySlice<Entry>) {
    guard let next = rest.first, let active = active(withRoomFor: next.bytes.count) else {
      for entry in rest { entry.waiter.settle(false) }
      rest = []
      return
    }
    let room = segmentSize - SpoolFormat.footerCount - active.end
    var group: [UInt8] = []
    var count = 0
    for entry in rest {
      guard group.count + entry.bytes.count <= room else { break }
      group += entry.bytes
      count += 1
    }
    let taken = rest.prefix(count)
    rest = rest.dropFirst(count)
    do throws(SystemError) {
      try active.file.write(group, at: active.end)
      try active.file.sync()
    } catch {
      // After a failed sync nobody knows what is on disk: nothing more goes into this file.
      note(problem: error)
      finishActive()
      for entry in taken { entry.waiter.settle(false) }
      return
    }
    state.withLock { state in
      if state.depth == 0 { state.oldest = taken.first?.receivedAt }
      let last = state.segments.count - 1
      state.segments[last].end += group.count
      state.segments[last].records += count
      state.segments[last].first = state.segments[last].first ?? taken.first?.receivedAt
      state.lastProblem = nil
    }
    for entry in taken { entry.waiter.settle(true) }
  }

  private func active(withRoomFor count: Int) -> SpoolSegment? {
    if let last = state.withLock({ $0.segments.last }), !last.isWhole {
      if last.end + count + SpoolFormat.footerCount <= segmentSize { return last }
      finishActive()
    }
    return openNext() ? state.withLock { $0.segments.last } : nil
  }

  /// Nothing more is added to the last segment.
  func finishActive() {
    guard var last = state.withLock({ $0.segments.last }), !last.isWhole, last.records > 0 else { return }
    do throws(SystemError) { try last.seal() } catch {
      // It has no footer, and the next start goes through it.
      note(problem: error)
      last.isWhole = true
    }
    let sealed = last
    state.withLock { $0.segments[$0.segments.count - 1] = sealed }
  }

  /// Reserves the next segment. False: there is no room, or the disk refuses.
  func openNext() -> Bool {
    let (number, taken) = state.withLock { ($0.lastNumber + 1, $0.segments.reduce(0) { $0 + $1.size }) }
    let path = folder.segment(number)
    do throws(SystemError) {
      guard taken + segmentSize <= bytesMax else { throw SystemError("exceed SPOOL_MAX_BYTES", code: EDQUOT) }
      let space = try folder.space()
      // The rest of the machine needs some, PostgreSQL not the least.
      guard space.free - segmentSize >= space.all / 32 else { throw SystemError("reserve space", code: ENOSPC) }
      let file = try SpoolFile.open(path, O_RDWR | O_CREAT | O_EXCL)
      try file.reserve(segmentSize)
      try file.write(SpoolFormat.header(number), at: 0)
      try file.sync()
      try folder.sync()
      let segment = SpoolSegment(
        number: number, file: file, end: SpoolFormat.headerCount, records: 0, first: nil, size: segmentSize,
        isWhole: false)
      state.withLock { state in
        state.segments.append(segment)
        state.lastNumber = number
        state.lastProblem = nil
      }
      return true
    } catch {
      if error.code != EEXIST { unlink(path) }
      note(problem: error)
      return false
    }
  }

  private func note(problem: SystemError) {
    let isNew = state.withLock { state in
      defer { state.lastProblem = "\(problem)" }
      return state.lastProblem == nil
    }
    if isNew { log.error("the spool takes nothing", ["error": .string("\(problem)")]) }
  }

  /// Everything in it is committed: begins anew with an empty segment.
  private func renew() {
    let done = state.withLock { state -> SpoolSegment? in
      guard state.pending.isEmpty, let last = state.segments.last, last.records > 0,
        state.replayed == SpoolPlace(segment: last.number, offset: last.end)
      else { return nil }
      state.unverifiedBytes = 0
      return state.segments.removeLast()
    }
    guard let done else { return }
    unlink(done.file.path)
    _ = openNext()
  }
}

// MARK: - Replay

/// Records in the order in which they came.
struct SpoolBatch: Sendable {
  var records: [SpoolRecord] = []
  /// Behind the last of them.
  var next: SpoolPlace
}

extension Spool {
  /// The records behind `place`, or the oldest. Nil when there are none yet. What cannot be read is set aside and counted.
  func read(after place: SpoolPlace?, count: Int, bytes: Int) async -> SpoolBatch? {
    await withUnsafeContinuation { continuation in
      reading.async { continuation.resume(returning: self.readNow(after: place, count: count, bytes: bytes)) }
    }
  }

  private func readNow(after place: SpoolPlace?, count: Int, bytes: Int) -> SpoolBatch? {
    guard let segment = segment(after: place) else { return nil }
    let start = place?.segment == segment.number ? place?.offset : nil
    var scan = SegmentScan(segment.file, from: start ?? SpoolFormat.headerCount, to: segment.end)
    var batch = SpoolBatch(next: SpoolPlace(segment: segment.number, offset: scan.offset))
    var taken = 0
    var bad: Range<Int>?
    func keep() {
      if let range = bad { setAside(range, of: segment) }
      bad = nil
    }
    do throws(SystemError) {
      while batch.records.count < count, taken < bytes, let item = try scan.next() {
        switch item {
        case .record(let record):
          keep()
          batch.records.append(record)
          taken += record.body.count
        case .bad(let range): bad = (bad?.lowerBound ?? range.lowerBound)..<range.upperBound
        }
        batch.next.offset = scan.offset
      }
    } catch {
      log.error(
        "a file of the spool cannot be read", ["file": .string(segment.file.path), "error": .string("\(error)")])
      bad = (bad?.lowerBound ?? batch.next.offset)..<segment.end
      batch.next.offset = segment.end
    }
    keep()
    // The file has become shorter than it was.
    if batch.records.isEmpty, batch.next.offset < segment.end, taken == 0 { batch.next.offset = segment.end }
    return batch
  }

  /// The first one with something behind `place`.
  private func segment(after place: SpoolPlace?) -> SpoolSegment? {
    state.withLock { state in
      state.segments.first { segment in
        let start = place.map { $0.segment == segment.number ? $0.offset : $0.segment > segment.number ? .max : 0 } ?? 0
        return segment.end > max(start, SpoolFormat.headerCount)
      }
    }
  }

  private func setAside(_ range: Range<Int>, of segment: SpoolSegment) {
    let end = SpoolPlace(segment: segment.number, offset: range.upperBound)
    // Read a second time, because what stands around it could not be committed.
    let isKnown = state.withLock { state in
      if let known = state.badUntil, end <= known { return true }
      state.badUntil = end
      return false
    }
    if isKnown { return }
    metrics.bad.add()
    let name = "\(segment.number)-\(range.lowerBound).bytes"
    log.error(
      "a damaged place of the spool is set aside",
      [
        "file": .string(segment.file.path), "at": .int(range.lowerBound), "bytes": .int(range.count),
        "as": .string(name),
      ])
    do throws(SystemError) {
      try folder.setAside(try segment.file.read(range.count, at: range.lowerBound), as: name)
    } catch {
      // Then the segment itself is kept, whatever else becomes of it.
      link(segment.file.path, "\(folder.bad)/\(segment.number).segment")
      log.error("it cannot be copied", ["error": .string("\(error)")])
    }
  }

  /// A record that is whole, and that nobody can take in: of a door that this program does not know, or with a wrong key.
  /// Kept in one file for each run, up to 64 MiB.
  func setAside(_ record: SpoolRecord, because reason: String) {
    metrics.bad.add()
    log.warn(
      "a request of the spool is set aside",
      ["reason": .string(reason), "received": .string("\(record.receivedAt)"), "bytes": .int(record.body.count)])
    var bytes: [UInt8] = []
    guard SpoolFormat.append(record, to: &bytes) != nil else { return }
    let place = state.withLock { state in
      defer { state.rejectedBytes += bytes.count }
      return state.rejectedBytes
    }
    guard place + bytes.count <= 64 << 20 else { return }
    writing.async { [bytes] in
      do throws(SystemError) {
        try SpoolFile.open("\(self.folder.bad)/\(getpid()).rejected", O_WRONLY | O_CREAT | O_APPEND).write(bytes, at: 0)
      } catch {
        self.log.error("it cannot be set aside", ["error": .string("\(error)")])
      }
    }
  }

  /// All before `place` is committed, `count` records of it since last time.
  func remove(before place: SpoolPlace, count: Int, newest: Instant?) {
    let done = state.withLock { state -> [SpoolSegment] in
      state.replayedRecords = (state.replayed?.segment == place.segment ? state.replayedRecords : 0) + count
      state.replayed = place
      if let newest { state.oldest = newest }
      let isDone = { (segment: SpoolSegment) in
        segment.isWhole
          && (segment.number < place.segment || (segment.number == place.segment && segment.end <= place.offset))
      }
      defer { state.segments.removeAll(where: isDone) }
      return state.segments.filter(isDone)
    }
    metrics.replayed.add(count)
    writing.async {
      for segment in done { unlink(segment.file.path) }
      if self.state.withLock({ $0.segments.allSatisfy(\.isWhole) && !$0.isClosed }) { _ = self.openNext() }
      self.renew()
    }
  }
}
