import Basics
import Foundation
import Testing

@testable import freshtrack

/// A disk of a few megabytes in memory. Only root can have one.
private final class SmallDisk: Sendable {
  let path: String

  init(megabytes: Int) throws {
    path = "/tmp/freshtrack-disk-\(getpid())-\(Hex.encode(SecureRandom.bytes(3)))"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m,mode=755") == 0 else {
      throw Broken(description: "no disk can be mounted: \(systemError())")
    }
  }

  deinit {
    umount2(path, CInt(MNT_DETACH))
    rmdir(path)
  }

  /// Takes all that is left, but a few pages that nobody can use.
  func fill() throws {
    let file = open(path + "/filler", O_WRONLY | O_CREAT, 0o600)
    defer { close(file) }
    let block = [UInt8](repeating: 1, count: 64 * 1024)
    while write(file, block, block.count) > 0 {}
  }

  func empty() { unlink(path + "/filler") }

  /// Whether this machine lets us: a container may not, even to root.
  static let isPossible: Bool = getuid() == 0 && (try? SmallDisk(megabytes: 1)) != nil
}

@Suite("A full disk", .serialized, .enabled(if: SmallDisk.isPossible, "mounts a disk, for which it must be root"))
struct FullDiskTests {
  @Test("of the database: uplinks wait in the spool until there is room again")
  func database() async throws {
    let account = try await blocking {
      let disk = try SmallDisk(megabytes: 300)
      let place = try Installation(data: disk.path + "/data")
      defer { place.remove() }
      let storm = try Storm(place)
      let (_, eui) = try storm.beginExcursion("full database disk")
      try storm.more(100)
      try disk.fill()
      // New pages are needed for this.
      try place.until("the database notices") { try storm.figure("spool_records") ?? 0 > 0 }
      try storm.warm(eui)
      try storm.more(200, "while the database's disk is full")
      disk.empty()
      // It may have stopped for want of room for its log.
      try place.startDatabaseIfNeeded()
      try storm.more(100, "with room again")
      return try storm.account()
    }
    #expect(account.complaint == nil)
    #expect(account.spooled > 0)
  }

  @Test("of the spool: what is acknowledged all the same is kept, and the rest is refused in time")
  func spool() async throws {
    let (account, refused) = try await blocking {
      let disk = try SmallDisk(megabytes: 6)
      let place = try Installation(environment: ["SPOOL_DIR": disk.path + "/spool"])
      defer { place.remove() }
      let storm = try Storm(place, rate: 800)
      try storm.more(100)
      place.killDatabase()
      try place.until("the spool is full") { try storm.figure("spool_refused_total") ?? 0 > 50 }
      #expect(try storm.health().contains(#""spool":{"status":"warn""#))
      let refused = try storm.figure("spool_refused_total") ?? 0
      try place.startDatabase()
      try storm.more(200, "with the database again")
      return (try storm.account(), refused)
    }
    #expect(refused > 0)
    #expect(account.complaint == nil)
    #expect(account.spooled > 1000)
  }
}
