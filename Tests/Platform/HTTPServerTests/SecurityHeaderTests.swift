import HTTP
import Testing

@testable import HTTPServer

@Suite("What browsers are told")
struct SecurityHeaderTests {
  private static let page = Route(.get, "/page") { _ in
    Response.html("<p>x</p>").with(.contentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'")
  }

  @Test("every answer, errors too, forbids guessing, framing, referring and loading", arguments: ["/now", "/nowhere"])
  func everyAnswer(path: String) async throws {
    try await offPool {
      let answer = try TestServer().ask(get(path))
      #expect(answer["X-Content-Type-Options"] == "nosniff")
      #expect(answer["X-Frame-Options"] == "DENY")
      #expect(answer["Referrer-Policy"] == "no-referrer")
      #expect(answer["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'")
      #expect(answer["Cache-Control"] == "no-store")
    }
  }

  @Test("a page sets its own policy, and only that one is sent") func page() async throws {
    try await offPool {
      let server = try TestServer([Self.page])
      let client = server.client
      client.send(get("/page"))
      let answer = try #require(client.answer(hasBody: true))
      #expect(answer["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'")
      #expect(answer["X-Content-Type-Options"] == "nosniff")
    }
  }

  @Test("scripts of an allowed origin may read what pages, limits and files need") func exposed() async throws {
    try await offPool {
      let server = try TestServer { $0.corsOrigins = ["https://app.example.com", "https://admin.example.com"] }
      let answer = try server.ask(get("/now", "Origin: https://admin.example.com\r\n"))
      #expect(answer["Access-Control-Allow-Origin"] == "https://admin.example.com")
      let exposed = answer["Access-Control-Expose-Headers"] ?? ""
      for name in ["X-Request-Id", "X-Total-Count", "Link", "Retry-After", "x-ratelimit-remaining", "ETag"] {
        #expect(exposed.contains(name))
      }
    }
  }

  @Test("a preflight names methods and headers to allowed origins only") func preflight() async throws {
    try await offPool {
      let server = try TestServer { $0.corsOrigins = ["https://app.example.com"] }
      func ask(_ origin: String) throws -> Answer {
        try server.ask(
          "OPTIONS /json HTTP/1.1\r\nHost: a\r\nOrigin: \(origin)\r\nAccess-Control-Request-Method: PATCH\r\n"
            + "Access-Control-Request-Headers: last-event-id\r\n\r\n")
      }
      let allowed = try ask("https://app.example.com")
      #expect(allowed["Access-Control-Allow-Methods"]?.contains("PATCH") == true)
      #expect(allowed["Access-Control-Allow-Headers"]?.contains("Last-Event-ID") == true)
      for origin in ["https://evil.example", "http://app.example.com", "https://app.example.com:444", "null"] {
        let refused = try ask(origin)
        #expect(refused["Access-Control-Allow-Origin"] == nil)
        #expect(refused["Access-Control-Allow-Methods"] == nil)
        #expect(refused["Access-Control-Allow-Credentials"] == nil)
      }
    }
  }

  @Test("an error is readable for an allowed origin too") func errors() async throws {
    try await offPool {
      let server = try TestServer { $0.corsOrigins = ["https://app.example.com"] }
      let answer = try server.ask(get("/fails", "Origin: https://app.example.com\r\n"))
      #expect(answer.status == 500)
      #expect(answer["Access-Control-Allow-Origin"] == "https://app.example.com")
    }
  }
}
