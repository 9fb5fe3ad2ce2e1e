import Basics
import FeatureSupport
import Foundation
import Migrations
import PostgreSQL
import Telemetry
import TestSupport
import Testing

@testable import Ingest

/// A kitchen on a PostgreSQL of its own, which can be taken away, and with a spool.
final class Fragile: Sendable {
  let root = "/tmp/freshtrack-spill-\(getpid())-\(Hex.encode(SecureRandom.bytes(4)))"
  let cluster: PrivateCluster
  let spool: Spool
  let metrics: Metrics
  let kitchen: Kitchen

  /// - Parameter spoolMax: bytes of its spool.
  init(spoolMax: Int = 64 << 20) async throws {
    cluster = PrivateCluster(directory: root + "/data", socketDirectory: root)
    try cluster.start()
    let place = try await cluster.makeDatabase("kitchen", Migrations.all)
    let metrics = Metrics()
    self.metrics = metrics
    let spool = try Spool(path: root + "/spool", bytesMax: spoolMax, metrics: metrics)
    self.spool = spool
    kitchen = try await Kitchen(on: place, spool: spool, metrics: metrics)
  }

  deinit {
    spool.close()
    cluster.stop()
    removeTree(root)
  }

  /// Looks every 20 ms, for at most 20 s.
  func until(_ what: String, _ condition: () async throws -> Bool) async throws {
    for _ in 0..<1000 {
      if try await condition() { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    Issue.record("not within 20 s: \(what)")
  }

  func untilDrained() async throws {
    try await until("the spool is empty") { spool.figures.depth == 0 }
  }

  func figure(_ name: String) -> Double? {
    TestSupport.figure(name, in: metrics.render(.prometheus))
  }
}
