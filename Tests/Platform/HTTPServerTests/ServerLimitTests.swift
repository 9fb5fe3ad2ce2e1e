import Dispatch
import Glibc
import HTTP
import Runtime
import Testing

@testable import HTTPServer

@Suite("A server under bad clients, and its end")
struct ServerLimitTests {
  @Test("a head that does not come is not waited for") func slowHead() async throws {
    try await offPool {
      let server = try TestServer { $0.headTimeLimit = .milliseconds(50) }
      let client = server.client
      client.send("GET / HTTP/1.1\r\nHost: ")
      #expect(client.answer()?.status == 408)
      #expect(client.rest() == "")
      #expect(server.client.rest() == "", "a connection without a request is closed in silence")
    }
  }

  @Test("a body that stops is not waited for", arguments: ["/echo", "/count"]) func slowBody(_ path: String)
    async throws
  {
    try await offPool {
      let client = try TestServer { $0.bodyIdleLimit = .milliseconds(50) }.client
      client.send("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
      #expect(client.answer()?.status == 408)
      #expect(client.rest() == "")
    }
  }

  @Test("an idle connection is closed") func idle() async throws {
    try await offPool {
      let client = try TestServer { $0.idleTimeLimit = .milliseconds(50) }.client
      client.send(get("/now"))
      #expect(client.answer()?.status == 200)
      #expect(client.rest() == "")
    }
  }

  @Test("a handler that takes too long is cancelled and answered for") func slowHandler() async throws {
    try await offPool {
      let gate = Gate()
      let server = try TestServer([
        Route(.get, "/stuck", timeLimit: .milliseconds(50)) { _ in
          await gate.pass()
          return .text("late")
        }
      ])
      let client = server.client
      client.send(get("/stuck"))
      #expect(client.answer()?.text.contains("UNAVAILABLE") == true)
      gate.open()
      #expect(client.rest() == "")
    }
  }

  @Test("a client that takes nothing is cut off") func slowReader() async throws {
    try await offPool {
      let endless = Route(.get, "/endless") { _ in
        .stream(MediaType.csv) { writer in
          let piece = [UInt8](repeating: 0x61, count: 32 << 10)
          while true { try await writer.write(piece) }
        }
      }
      let server = try TestServer([endless]) { $0.writeTimeLimit = .milliseconds(50) }
      let client = server.client
      client.send(get("/endless"))
      #expect(client.answer(hasBody: false)?.status == 200)
      // Nothing more is read until the server has given up; what the kernel still holds ends in a reset.
      while String(decoding: server.metrics.render(.prometheus), as: UTF8.self).contains("http_connections 1") {
        sched_yield()
      }
      _ = client.rest()
    }
  }

  @Test("a reset in the middle of a body leaves the others alone") func reset() async throws {
    try await offPool {
      let server = try TestServer()
      for _ in 0..<50 {
        let client = server.client
        client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        client.reset()
      }
      #expect(try server.ask(get("/now")).status == 200)
    }
  }

  @Test("a client that has shut its side still gets its answers") func halfClose() async throws {
    try await offPool {
      let client = try TestServer().client
      client.send(get("/later/one") + get("/now") + get("/later/two"))
      client.shutWriting()
      #expect(client.answer()?.text == "one")
      #expect(client.answer()?.status == 200)
      #expect(client.answer()?.text == "two")
      #expect(client.rest() == "")
    }
  }

  @Test("good requests are served after a thousand bad ones") func afterBadOnes() async throws {
    try await offPool {
      let server = try TestServer()
      let bad = [
        "\0", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
      ]
      for number in 0..<1000 {
        let client = server.client
        client.send(bad[number % bad.count])
        if number % 2 == 0 { #expect(client.answer().map { $0.status >= 400 } ?? (number % 4 == 0)) }
      }
      let client = server.client
      for _ in 0..<200 { client.send(get("/later/x")) }
      for _ in 0..<200 { #expect(client.answer()?.status == 200) }
    }
  }

  @Test("over the maximum a connection is refused, not served slowly") func admission() async throws {
    try await offPool {
      let server = try TestServer { $0.connectionsMax = 2 }
      let first = server.client
      let second = server.client
      first.send(get("/now"))
      second.send(get("/now"))
      #expect(first.answer()?.status == 200)
      #expect(second.answer()?.status == 200)
      #expect(server.client.answer()?.status == 503)
      let page = String(decoding: server.metrics.render(.prometheus), as: UTF8.self)
      #expect(page.contains("http_connections_refused_total 1"))
    }
  }

  @Test("bodies beyond the loop's bound are refused") func bodyBytes() async throws {
    try await offPool {
      let server = try TestServer { $0.bufferedBodyBytesMax = 40_000 }
      let client = server.client
      client.send(
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n" + String(repeating: "x", count: 50_000))
      #expect(client.answer()?.status == 503)
      #expect(try server.ask(post("/echo", "small")).text == "small")
    }
  }

  @Test("a draining server answers what it was asked and then ends") func drain() async throws {
    let gate = Gate()
    let server = try TestServer([
      Route(.get, "/slow", timeLimit: .minutes(10)) { _ in
        await gate.pass()
        return .text("done")
      },
      .immediate(.get, "/now") { _ in .text("now") },
    ])
    let idle = server.client
    let busy = server.client
    try await offPool {
      idle.send(get("/now"))
      #expect(idle.answer()?.status == 200)
      busy.send(get("/slow"))
      gate.waitForArrival()
    }
    try await offPool {
      // On threads of its own: the pool's may be at work for as long as an idle connection may last.
      let drained = DispatchSemaphore(value: 0)
      DispatchQueue(label: "drain").async {
        try? EventLoop.run { await server.server.drain(within: .minutes(10)) }
        drained.signal()
      }
      #expect(idle.rest() == "")
      gate.open()
      let answer = try #require(busy.answer())
      #expect(answer.text == "done")
      #expect(answer["Connection"] == "close")
      #expect(busy.rest() == "")
      drained.wait()
      #expect(RawClient(port: server.port).answer() == nil)
    }
  }

  @Test("a live stream ends in order when the server drains") func drainStream() async throws {
    let server = try TestServer([
      Route(.get, "/events") { _ in
        .stream(MediaType.eventStream) { writer in
          try await writer.write("data: 1\n\n")
          try await Task.sleep(for: .seconds(1000))
        }
      }
    ])
    let client = server.client
    try await offPool {
      client.send(get("/events"))
      #expect(client.answer(hasBody: false)?.status == 200)
    }
    await server.server.drain(within: .seconds(10))
    try await offPool { #expect(client.rest() == "9\r\ndata: 1\n\n\r\n0\r\n\r\n") }
  }
}
