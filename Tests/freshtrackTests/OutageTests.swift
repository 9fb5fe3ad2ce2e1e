import Basics
import CPostgreSQL
import Foundation
import TestSupport
import Testing

@testable import freshtrack

@Suite("Whatever happens to the database", .serialized)
struct OutageTests {
  /// Each begins under load and ends under load. In between uplinks go on being acknowledged.
  private static let faults: [(name: String, happen: @Sendable (Installation, () throws -> Void) throws -> Void)] = [
    (
      "kill -9",
      { place, meanwhile in
        place.killDatabase()
        try meanwhile()
        try place.startDatabase()
      }
    ),
    (
      "restart",
      { place, meanwhile in
        place.cluster.stop()
        try place.startDatabase()
        try meanwhile()
      }
    ),
    (
      "says nothing (SIGSTOP)",
      { place, meanwhile in
        let processes = place.cluster.processes()
        for process in processes { kill(process, SIGSTOP) }
        defer { for process in processes { kill(process, SIGCONT) } }
        try meanwhile()
      }
    ),
    (
      "read-only",
      { place, meanwhile in
        try place.command("ALTER DATABASE freshtrack SET default_transaction_read_only = on")
        try place.disconnectServers()
        try meanwhile()
        try TestCluster.command(
          place.cluster.url(), "ALTER DATABASE freshtrack RESET default_transaction_read_only")
        try place.disconnectServers()
      }
    ),
    (
      "out of connections",
      { place, meanwhile in
        var taken: [OpaquePointer?] = []
        defer { for connection in taken { PQfinish(connection) } }
        // Until every connection there is is ours: what the server has is ended, and asked for faster than it asks.
        try place.until("the server has no connection") {
          if let first = taken.first {
            PQclear(
              PQexec(
                first,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freshtrack'"))
          }
          for _ in 0..<50 {
            let connection = PQconnectdb(place.url)
            if PQstatus(connection) == CONNECTION_OK { taken.append(connection) } else { PQfinish(connection) }
          }
          let others = PQexec(
            taken.first ?? nil,
            "SELECT count(*) - \(taken.count) FROM pg_stat_activity WHERE backend_type = 'client backend'")
          defer { PQclear(others) }
          return PQgetvalue(others, 0, 0).map { String(cString: $0) } == "0"
        }
        try meanwhile()
      }
    ),
    (
      "a table that is locked",
      { place, meanwhile in
        let holder = PQconnectdb(place.url)
        defer { PQfinish(holder) }
        PQclear(PQexec(holder, "BEGIN"))
        PQclear(PQexec(holder, "LOCK TABLE sensor_readings IN ACCESS EXCLUSIVE MODE"))
        try meanwhile()
      }
    ),
  ]

  @Test("uplinks are acknowledged all the time, each is stored exactly once, and every excursion has its alert")
  func outages() async throws {
    let account = try await blocking {
      let place = try Installation()
      defer { place.remove() }
      let storm = try Storm(place)
      for fault in Self.faults {
        let (_, eui) = try storm.beginExcursion(fault.name)
        try storm.more(100, "before: \(fault.name)")
        try fault.happen(place) {
          try storm.warm(eui)
          try storm.more(300, "while: \(fault.name)")
          if fault.name == "restart" { return }
          try place.until("health tells of: \(fault.name)") { try storm.health().hasPrefix(#"{"status":"degraded""#) }
        }
        try place.until("the spool is empty again after: \(fault.name)") { try storm.figure("spool_records") == 0 }
        try storm.more(100, "after: \(fault.name)")
      }
      return try storm.account()
    }
    #expect(account.complaint == nil)
    #expect(account.spooled > 0)
    // Half of that is promised, which `PatienceTests` hold; the machine is busy with tests.
    #expect(account.slowest < .seconds(5), "the sender waits no longer")
  }

  @Test("two servers on one database, among requests that end in their middle, store each uplink once")
  func two() async throws {
    let account = try await blocking {
      let place = try Installation()
      defer { place.remove() }
      let port = try Installation.freePort()
      let second = try place.serve(100, ["PORT": "\(port)", "SPOOL_DIR": place.root + "/spool-2"])
      defer {
        Foundation.kill(second.processIdentifier, SIGKILL)
        second.waitUntilExit()
      }
      let storm = try Storm(place, ports: [port])
      try Self.cut(place)
      let (_, eui) = try storm.beginExcursion("two servers")
      try storm.more(400)
      place.killDatabase()
      try storm.more(400, "without a database")
      try place.startDatabase()
      try storm.warm(eui)
      try storm.more(400)
      return try storm.account()
    }
    #expect(account.complaint == nil)
  }

  /// Requests that end anywhere.
  private static func cut(_ place: Installation) throws {
    let body = #"{"end_device_ids":{"device_id":"cut","application_ids":{"application_id":"demo"}}}"#
    let head =
      "POST /api/webhooks/ttn HTTP/1.1\r\nHost: x\r\nX-API-Key: k1234567\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
    let request = Array((head + body).utf8)
    for end in stride(from: 1, to: request.count, by: 7) {
      guard let socket = try place.target.connect(blocking: true) else { throw Broken(description: "no server") }
      _ = request[..<end].withUnsafeBytes { write(socket, $0.baseAddress, $0.count) }
      close(socket)
    }
  }
}
