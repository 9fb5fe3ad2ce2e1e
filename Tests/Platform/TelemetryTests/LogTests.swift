import Basics
import Foundation
import Glibc
import Synchronization
import Telemetry
import Testing

private final class Lines: Sendable {
  private let bytes = Mutex<[UInt8]>([])
  var sink: Log.Sink { { line, _ in self.bytes.withLock { $0 += line } } }
  var text: String { String(decoding: bytes.withLock { $0 }, as: UTF8.self) }
  var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: true) }
}

private let noon = WallClock { Instant(rfc3339: "2026-01-05T12:00:00.25Z") ?? .distantPast }

private func object(_ line: some StringProtocol) throws -> [String: Any] {
  let parsed = try JSONSerialization.jsonObject(with: Data(line.utf8))
  return try #require(parsed as? [String: Any])
}

@Suite("Log lines")
struct LogTests {
  @Test("a JSON line has time, level, message and the fields in their order")
  func jsonLine() {
    let lines = Lines()
    let log = Log(clock: noon, sink: lines.sink)
    log.info("listening", ["address": "127.0.0.1", "port": 3000, "ratio": 0.5, "tls": false, "nothing": nil])
    #expect(
      lines.text
        == #"{"time":"2026-01-05T12:00:00.250Z","level":"info","msg":"listening","address":"127.0.0.1","port":3000,"#
        + #""ratio":0.5,"tls":false,"nothing":null}"# + "\n")
  }

  @Test("a text line is for people: bare words stay bare, the rest is quoted")
  func textLine() {
    let lines = Lines()
    Log(format: .text, clock: noon, sink: lines.sink).warn("disk is full", ["path": "/var", "why": "no space left"])
    #expect(lines.text == "2026-01-05T12:00:00.250Z WARN  disk is full path=/var why=\"no space left\"\n")
  }

  @Test("levels below the chosen one are not written, and their fields are not made")
  func levels() {
    let lines = Lines()
    let log = Log(level: .warn, clock: noon, sink: lines.sink)
    var made = 0
    func costly() -> String {
      made += 1
      return "x"
    }
    log.trace(costly())
    log.debug(costly())
    log.info("no", ["field": .string(costly())])
    #expect(made == 0)
    log.warn(costly())
    log.error(costly())
    #expect(made == 2)
    #expect(lines.lines.count == 2)
    #expect(!log.isEnabled(.info) && log.isEnabled(.error))
  }

  @Test("a field given later replaces the one of the context, so that no key comes twice")
  func context() throws {
    let lines = Lines()
    let log = Log(clock: noon, sink: lines.sink).with(["request_id": "a", "route": "/health"])
    log.with(["route": "/metrics"]).info("done", ["request_id": "b"])
    #expect(lines.text.hasSuffix(#""msg":"done","route":"/metrics","request_id":"b"}"# + "\n"))
  }

  @Test(
    "whatever a text holds, the line is one line of valid JSON and says the same",
    arguments: [
      "quote \" backslash \\ slash /", "line\nbreak\rreturn\ttab", "\u{0}\u{1}\u{1F}\u{7F}\u{9B}31m", "é漢字🧊",
      "\u{2028}\u{2029}\u{202E}", "",
    ])
  func escaping(text: String) throws {
    for format in Log.Format.allCases {
      let lines = Lines()
      Log(format: format, clock: noon, sink: lines.sink).info(text, ["field": .string(text)])
      #expect(lines.text.utf8.filter { $0 == 0x0A }.count == 1)
      #expect(!lines.text.unicodeScalars.dropLast().contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) })
      guard format == .json else { continue }
      let line = try object(lines.lines[0])
      #expect(line["msg"] as? String == text)
      #expect(line["field"] as? String == text)
    }
  }

  @Test("a number that JSON cannot write becomes a string")
  func notFinite() throws {
    let lines = Lines()
    Log(clock: noon, sink: lines.sink).info("odd", ["a": .double(.nan), "b": .double(-.infinity)])
    let line = try object(lines.lines[0])
    #expect(line["a"] as? String == "nan")
    #expect(line["b"] as? String == "-inf")
  }

  @Test("a huge text is cut")
  func cut() {
    let lines = Lines()
    Log(clock: noon, sink: lines.sink).info(String(repeating: "x", count: 1_000_000))
    #expect(lines.text.utf8.count < 10_000)
    #expect(lines.text.hasSuffix("x…\"}\n"))
  }

  @Test("lines of many threads never mix, and all arrive")
  func threads() async throws {
    var ends: [CInt] = [0, 0]
    // CLOEXEC: or the servers that other tests start meanwhile would hold it open.
    let kind = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue)
    try #require(socketpair(AF_UNIX, kind, 0, &ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    let received = Task.detached {
      var all: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 4096)
      while case let count = read(reading, &chunk, chunk.count), count > 0 { all += chunk[..<count] }
      return all
    }
    let output = LogOutput(descriptor: writing)
    let log = Log(sink: output.sink)
    await withTaskGroup { group in
      for thread in 0..<8 {
        group.addTask {
          for number in 0..<500 {
            log.log(number % 50 == 0 ? .warn : .info, "\(thread):\(number)", ["pad": .string("\(Int.max)")])
          }
        }
      }
    }
    output.flush()
    close(writing)
    let lines = String(decoding: await received.value, as: UTF8.self).split(separator: "\n")
    close(reading)
    let messages = try lines.map { try #require(try object($0)["msg"] as? String) }
    #expect(messages.count == 4000)
    #expect(Set(messages).count == 4000)
    for thread in 0..<8 {
      #expect(messages.filter { $0.hasPrefix("\(thread):") } == (0..<500).map { "\(thread):\($0)" })
    }
  }
}
