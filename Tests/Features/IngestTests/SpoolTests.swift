import Basics
import Crypto
import Dispatch
import FeatureSupport
import Foundation
import Runtime
import Synchronization
import Telemetry
import TestSupport
import Testing

@testable import Ingest

/// A folder of one test.
private final class Folder: Sendable {
  let path = "/tmp/freshtrack-spool-\(getpid())-\(Hex.encode(SecureRandom.bytes(4)))"
  deinit { removeTree(path) }

  func open(_ bytesMax: Int = 64 << 20, metrics: Metrics = Metrics()) throws -> Spool {
    try Spool(path: path, bytesMax: bytesMax, metrics: metrics)
  }

  var segments: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).filter { $0.hasSuffix(".spool") }.sorted()
      .map { path + "/" + $0 }
  }

  var setAside: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path + "/bad")) ?? [] }

  func change(_ file: String, _ body: (inout Data) -> Void) throws {
    var data = try Data(contentsOf: URL(fileURLWithPath: file))
    body(&data)
    try data.write(to: URL(fileURLWithPath: file))
  }
}

private func record(_ number: Int, size: Int = 1800) -> SpoolRecord {
  SpoolRecord(
    receivedAt: Instant(seconds: 1_767_598_215 + Int64(number)), door: 1,
    sender: .known(organizationId: .v4(), apiKeyId: .v4(), siteId: nil),
    body: Array("\(number) ".utf8) + [UInt8](repeating: 0x78, count: size))
}

private func number(_ record: SpoolRecord) -> Int? {
  ASCII.unsigned(Array(record.body.prefix { $0 != 0x20 }))
}

/// Everything that waits, read as a replay does; `removes` as one that has committed it.
private func drain(_ spool: Spool, removes: Bool, count: Int = 100) async -> [Int] {
  var numbers: [Int] = []
  var place: SpoolPlace?
  while let batch = await spool.read(after: place, count: count, bytes: 1 << 20) {
    numbers += batch.records.compactMap(number)
    place = batch.next
    if removes { spool.remove(before: batch.next, count: batch.records.count, newest: batch.records.last?.receivedAt) }
  }
  return numbers
}

/// After what was given to it.
private func settle(_ spool: Spool) { spool.writing.sync {} }

@Suite("Requests wait on disk")
struct SpoolTests {
  @Test("what was appended is there in its order, also for another process, until it is removed")
  func order() async throws {
    let folder = Folder()
    try await onLoop {
      let first = try folder.open()
      for place in 0..<20 { #expect(await first.append(record(place))) }
      #expect(first.figures.depth == 20)
      #expect(first.figures.oldest == Instant(seconds: 1_767_598_215))
      #expect(await drain(first, removes: false) == Array(0..<20))
      first.close()
      #expect(await !first.append(record(99)))
      let second = try folder.open()
      #expect(second.figures.depth == 20)
      #expect(await second.append(record(20)))
      #expect(await drain(second, removes: true, count: 7) == Array(0...20))
      settle(second)
      #expect(second.figures.depth == 0)
      #expect(second.figures.bytes == 0)
      #expect(second.figures.oldest == nil)
      second.close()
      #expect(folder.segments.isEmpty)
    }
  }

  @Test("callers on many loops share the disk, and each record is there once")
  func together() async throws {
    let folder = Folder()
    let spool = try folder.open(256 << 20)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for loop in 0..<4 {
        group.addTask {
          try await onLoop {
            let results = Results()
            for place in 0..<250 {
              Reactor.current.spawn {
                results.durable += await spool.append(record(loop * 250 + place)) ? 1 : 0
                results.ended += 1
                if results.ended == 250 { results.waiter?.resume() }
              }
            }
            await withCheckedContinuation { results.waiter = $0 }
            #expect(results.durable == 250)
          }
        }
      }
      try await group.waitForAll()
    }
    try await onLoop {
      #expect(Set(await drain(spool, removes: false)) == Set(0..<1000))
      #expect(spool.figures.depth == 1000)
      spool.close()
    }
  }

  private final class Results {
    var durable = 0
    var ended = 0
    var waiter: CheckedContinuation<Void, Never>?
  }

  @Test("it goes from one segment to the next, and removes each when all of it is committed")
  func segments() async throws {
    let folder = Folder()
    try await onLoop {
      let spool = try folder.open(64 << 20)
      for place in 0..<40 { #expect(await spool.append(record(place, size: 500_000))) }
      let all = folder.segments.count
      #expect(all >= 5)
      let batch = try #require(await spool.read(after: nil, count: 1, bytes: 1 << 20))
      spool.remove(before: batch.next, count: 1, newest: batch.records[0].receivedAt)
      settle(spool)
      #expect(folder.segments.count == all, "part of a segment is not enough")
      var place = batch.next
      while let next = await spool.read(after: place, count: 1, bytes: 1 << 20), next.next.segment == batch.next.segment
      {
        spool.remove(before: next.next, count: 1, newest: nil)
        place = next.next
      }
      settle(spool)
      #expect(folder.segments.count == all - 1)
      spool.close()
      // What an earlier process had committed of a segment that is not removed comes again.
      let again = try folder.open(64 << 20)
      let left = await drain(again, removes: true)
      #expect(left.last == 39)
      #expect(left == Array((left.first ?? 0)...39))
      again.close()
    }
  }

  @Test("it takes no more than it may, says so, and takes again when there is room")
  func full() async throws {
    let folder = Folder()
    try await onLoop {
      let metrics = Metrics()
      let spool = try folder.open(8 << 20, metrics: metrics)
      var taken = 0
      while taken < 100, await spool.append(record(taken, size: 500_000)) { taken += 1 }
      #expect((10...16).contains(taken))
      #expect(!spool.isAccepting)
      #expect(spool.concern?.contains("SPOOL_MAX_BYTES") == true)
      let sizes = folder.segments.compactMap { try? FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int }
      #expect(sizes.reduce(0, +) <= 8 << 20)
      #expect(await drain(spool, removes: true) == Array(0..<taken))
      settle(spool)
      #expect(await spool.append(record(0)))
      #expect(spool.isAccepting)
      let page = String(decoding: metrics.render(.prometheus), as: UTF8.self)
      #expect(page.contains("spool_refused_total 1\n"))
      #expect(page.contains("spool_replayed_total \(taken)\n"))
      #expect(page.contains("spool_records 1\n"))
      spool.close()
    }
  }

  @Test("made-up keys do not take the space of those who have one")
  func unverified() async throws {
    let folder = Folder()
    try await onLoop {
      let spool = try folder.open(8 << 20)
      var stranger = record(0, size: 500_000)
      stranger.sender = .presented(keyId: "k", secretHash: [UInt8](repeating: 7, count: 32))
      var taken = 0
      while taken < 100, await spool.append(stranger) { taken += 1 }
      #expect(taken == 4)
      #expect(await spool.append(record(1, size: 500_000)))
      spool.close()
    }
  }

  @Test("the folder is of one process at a time")
  func lock() async throws {
    let folder = Folder()
    let spool = try folder.open()
    #expect(throws: SpoolFailure.self) { try folder.open() }
    spool.close()
    try folder.open().close()
  }

  @Test("files of a newer release stop the start")
  func newer() async throws {
    let folder = Folder()
    try await onLoop {
      let spool = try folder.open()
      #expect(await spool.append(record(0)))
      spool.close()
    }
    try folder.change(folder.segments[0]) { data in
      var header = SpoolFormat.header(1)
      header[8] = 2
      header.replaceSubrange(24..<28, with: checksum(header))
      data.replaceSubrange(0..<32, with: header)
    }
    #expect(throws: SpoolFailure.self) { try folder.open() }
  }

  private func checksum(_ header: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    // The header of any number ends in the checksum of what stands before it.
    bytes.append(littleEndian: CRC32C.checksum(header[..<24]))
    return bytes
  }
}

@Suite("A damaged spool")
struct DamagedSpoolTests {
  /// Twenty records, left as a process leaves them that is killed.
  private func killed(_ folder: Folder) async throws -> String {
    try await onLoop {
      let spool = try folder.open()
      for place in 0..<20 { #expect(await spool.append(record(place))) }
      // What is open when the process ends: the reserved space is still there.
      let left = try Data(contentsOf: URL(fileURLWithPath: folder.segments[0]))
      let path = folder.segments[0]
      spool.close()
      try left.write(to: URL(fileURLWithPath: path))
      return path
    }
  }

  private func found(_ folder: Folder) async throws -> [Int] {
    try await onLoop {
      let spool = try folder.open()
      defer { spool.close() }
      return await drain(spool, removes: false)
    }
  }

  @Test("a process that was killed loses nothing that it had acknowledged")
  func kill() async throws {
    let folder = Folder()
    _ = try await killed(folder)
    #expect(try await found(folder) == Array(0..<20))
    #expect(folder.setAside.isEmpty)
  }

  @Test("a torn end is cut off and kept aside, and everything before it is there")
  func torn() async throws {
    let folder = Folder()
    let path = try await killed(folder)
    var tail: [UInt8] = []
    _ = SpoolFormat.append(record(20), to: &tail)
    try folder.change(path) { data in
      let end = 1 + (data.lastIndex { $0 != 0 } ?? 0)
      data.replaceSubrange(end..<end + 700, with: tail.prefix(700))
    }
    #expect(try await found(folder) == Array(0..<20))
    #expect(folder.setAside.count == 1)
    #expect(try await found(folder) == Array(0..<20), "once it is cut off, it is as any other")
    #expect(folder.setAside.count == 1)
  }

  @Test("a damaged record in the middle is set aside and counted, and the others are there")
  func middle() async throws {
    let folder = Folder()
    let path = try await killed(folder)
    try folder.change(path) { $0[32 + 10 * 1900] ^= 0xFF }
    let metrics = Metrics()
    let numbers = try await onLoop {
      let spool = try folder.open(metrics: metrics)
      defer { spool.close() }
      let once = await drain(spool, removes: false)
      #expect(await drain(spool, removes: true) == once)
      return once
    }
    #expect(numbers.count == 19)
    #expect(folder.setAside.count == 1)
    #expect(String(decoding: metrics.render(.prometheus), as: UTF8.self).contains("spool_bad_total 1\n"))
    #expect(folder.segments.isEmpty)
  }

  @Test("a file without its head is set aside whole")
  func headless() async throws {
    let folder = Folder()
    let path = try await killed(folder)
    try folder.change(path) { $0.replaceSubrange(0..<32, with: [UInt8](repeating: 0x41, count: 32)) }
    #expect(try await found(folder).isEmpty)
    #expect(folder.setAside.count == 1)
  }

  @Test("a file that has become shorter gives what is left")
  func shorter() async throws {
    let folder = Folder()
    try await onLoop {
      let spool = try folder.open()
      for place in 0..<20 { #expect(await spool.append(record(place))) }
      spool.close()
    }
    try folder.change(folder.segments[0]) { $0 = $0.prefix($0.count / 2) }
    let numbers = try await found(folder)
    #expect(numbers == Array(0..<numbers.count))
    #expect((8...10).contains(numbers.count))
  }
}
