import Testing

@testable import freshtrack

@Suite("The simulator's client")
struct LoadClientTests {
  private let answers = Array(
    "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhelloHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".utf8)

  @Test("answers are read whole at any split")
  func splits() throws {
    for split in 0...answers.count {
      var reader = ResponseReader()
      var statuses: [Int] = []
      for part in [answers[..<split], answers[split...]] {
        reader.append(part)
        while let answer = try reader.next() {
          statuses.append(answer.status)
          if answer.status == 200 { #expect(String(decoding: answer.body, as: UTF8.self) == "hello") }
          #expect(answer.closes == (answer.status == 204))
        }
        reader.compact()
      }
      #expect(statuses == [200, 204], "split at \(split)")
    }
  }

  @Test(
    "what is no answer of this server is refused",
    arguments: ["SSH-2.0-x\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n"])
  func malformed(text: String) {
    var reader = ResponseReader()
    reader.append(Array(text.utf8))
    #expect(throws: ResponseReader.Problem.self) { try reader.next() }
  }

  @Test("percentiles are within two percent", arguments: [1, 63, 64, 127, 128, 1000, 123_456, 99_999_999])
  func latency(microseconds: Int) {
    var histogram = LatencyHistogram()
    for _ in 0..<99 { histogram.record(microseconds: microseconds) }
    histogram.record(microseconds: microseconds * 10)
    let median = histogram.milliseconds(at: 0.5) * 1000
    #expect(median >= Double(microseconds))
    #expect(median <= Double(microseconds) * 1.02)
    #expect(histogram.milliseconds(at: 1) == Double(microseconds * 10) / 1000)
  }

  @Test(
    "an address is taken apart",
    arguments: [
      ("http://127.0.0.1:3000", "127.0.0.1:3000", 3000, ""), ("http://127.0.0.1", "127.0.0.1", 80, ""),
      ("http://[::1]:8080/base/", "[::1]:8080", 8080, "/base"),
    ])
  func target(url: String, host: String, port: Int, prefix: String) throws {
    let target = try HTTPTarget(url)
    #expect(target.host == host)
    #expect(Int(target.port) == port)
    #expect(target.prefix == prefix)
  }

  @Test("other addresses are refused", arguments: ["https://x", "x", "http://", "http://h:99999", "http://h:x"])
  func badTarget(url: String) {
    #expect(throws: Failure.self) { try HTTPTarget(url) }
  }
}
