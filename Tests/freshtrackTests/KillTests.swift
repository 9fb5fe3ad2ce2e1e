import Basics
import Foundation
import Testing

@testable import freshtrack

/// How often in one run. `scripts/torture` asks for more than the build does.
private let kills = ProcessInfo.processInfo.environment["FRESHTRACK_KILLS"].flatMap { Int($0) } ?? 10
/// Uplinks a second.
private let rate = ProcessInfo.processInfo.environment["FRESHTRACK_RATE"].flatMap { Int($0) } ?? 400

@Suite("Killed without warning", .serialized)
struct KillTests {
  @Test("what was acknowledged is stored exactly once, whenever the server was killed, with and without its database")
  func kill() async throws {
    let account = try await blocking {
      let place = try Installation()
      defer { place.remove() }
      let storm = try Storm(place, rate: rate)
      let (_, eui) = try storm.beginExcursion("kills")
      for round in 1...kills {
        // Every third time the server is killed while it writes to its spool, and finds a torn end there.
        guard round % 3 == 0 else {
          try storm.more(.random(in: 1...150) * rate / 400)
          try storm.replaceServer()
          continue
        }
        place.killDatabase()
        try storm.more(.random(in: 50...150) * rate / 400, "without a database")
        try storm.replaceServer {
          try Self.tear(place.spool)
          if round % 2 == 0 { try place.startDatabase() }
        }
        if round % 2 != 0 {
          try storm.more(50, "after a start without a database")
          try place.startDatabase()
        }
      }
      try storm.warm(eui)
      try storm.more()
      return try storm.account()
    }
    print("\(kills) kills, \(account.acknowledged) acknowledged, none lost: \(account.complaint == nil)")
    #expect(account.acknowledged > 500)
    #expect(account.complaint == nil)
  }

  /// Half of a record at the end of the newest segment, as a process leaves it that is killed while it writes.
  private static func tear(_ spool: String) throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: spool).filter { $0.hasSuffix(".spool") }
    guard let newest = names.max() else { return }
    let path = URL(fileURLWithPath: spool + "/" + newest)
    let data = try Data(contentsOf: path)
    let end = 1 + (data.lastIndex { $0 != 0 } ?? 0)
    let file = try FileHandle(forWritingTo: path)
    try file.seek(toOffset: UInt64(end))
    try file.write(contentsOf: Data("FTR1".utf8) + Data([0x40, 7, 0, 0]) + Data((0..<300).map { UInt8($0 % 251) }))
    try file.close()
  }
}
