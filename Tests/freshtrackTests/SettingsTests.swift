import Foundation
import Testing

@testable import freshtrack

private func settings(
  _ environment: [String: String], for need: Settings.Need = .nothing, files: [String: String] = [:]
) throws -> Settings {
  try Settings(environment: environment, for: need, readFile: { files[$0].map { Array($0.utf8) } })
}

private func problems(_ environment: [String: String], for need: Settings.Need = .nothing) -> [String] {
  do {
    _ = try settings(environment, for: need)
    return []
  } catch { return "\(error)".split(separator: "\n").map(String.init) }
}

@Suite("Settings")
struct SettingsTests {
  @Test("what is not set has its default")
  func defaults() throws {
    let settings = try settings([:])
    #expect(settings.int("PORT") == 3000)
    #expect(settings.text("HOST") == "0.0.0.0")
    #expect(settings.duration("SHUTDOWN_GRACE") == .seconds(10))
    #expect(!settings.isSet("METRICS_PORT"))
    #expect(settings.list("CORS_ORIGINS") == [])
  }

  @Test("an empty value counts as unset")
  func empty() throws {
    #expect(try settings(["PORT": ""]).int("PORT") == 3000)
    #expect(problems(["DATABASE_URL": ""], for: .database).count == 1)
  }

  @Test("a file wins over the value, and its last newline is not part of it")
  func file() throws {
    let settings = try settings(
      ["DATABASE_URL": "a", "DATABASE_URL_FILE": "/run/secrets/url"], files: ["/run/secrets/url": "host=db \n"])
    #expect(settings.text("DATABASE_URL") == "host=db ")
  }

  @Test("a file that cannot be read is a problem, also when the value is set")
  func missingFile() {
    #expect(
      problems(["PORT": "1", "PORT_FILE": "/nowhere"])
        == ["PORT_FILE: the file /nowhere cannot be read as text"])
  }

  @Test("of several encryption keys the first seals, and a short one stops the start")
  func encryptionKeys() throws {
    let (a, b) = (String(repeating: "0a", count: 32), String(repeating: "B1", count: 32))
    let old = try #require(settings(["ENCRYPTION_KEY": a]).secretBox)
    let both = try #require(settings(["ENCRYPTION_KEY": "\(b), \(a)"]).secretBox)
    #expect(both.open(old.seal([1], context: ""), context: "") == [1])
    #expect(old.open(both.seal([1], context: ""), context: "") == nil)
    #expect(try settings([:]).secretBox == nil)
    #expect(problems(["ENCRYPTION_KEY": "\(a),\(b.dropLast())"]).count == 1)
  }

  @Test("every problem is told at once, a line for each")
  func allProblems() {
    let found = problems(
      [
        "PORT": "eighty", "LOG_LEVEL": "loud", "READ_ONLY": "maybe", "SHUTDOWN_GRACE": "-1s",
        "TRUSTED_PROXIES": "10.0.0.0/8, 10.0.0.1/8", "AUTH_JWKS_URL": "ftp://x",
      ], for: .database)
    #expect(
      found == [
        "PORT must be a whole number from 0 to 65535",
        "LOG_LEVEL must be one of trace, debug, info, warn, error",
        "AUTH_JWKS_URL must start with https:// or http://",
        "TRUSTED_PROXIES must be addresses or blocks such as 10.0.0.0/8, separated by commas; '10.0.0.1/8' is none",
        "READ_ONLY must be true or false",
        "SHUTDOWN_GRACE must be a time such as 500ms, 10s, 5m or 1h",
        "DATABASE_URL is missing: set it to a URL such as postgresql://user:password@host/freshtrack",
      ])
  }

  @Test("a wrong value is never shown: it may be a secret in the wrong place")
  func valuesStayHidden() {
    #expect(!problems(["PORT": "hunter2", "LOG_LEVEL": "hunter2"]).joined().contains("hunter2"))
  }

  @Test("each way of authentication asks for what it needs", arguments: ["stack", "oidc", "local"])
  func authentication(mode: String) {
    let found = problems(["DATABASE_URL": "x", "AUTH_MODE": mode], for: .server)
    #expect(found.count == ["stack": 1, "oidc": 3, "local": 0][mode])
  }

  @Test("the listing shows no secret")
  func listing() throws {
    let settings = try settings(["DATABASE_URL": "postgresql://u:hunter2@h/d", "PORT": "8080"])
    #expect(!settings.listing.contains("hunter2"))
    #expect(!settings.json.contains("hunter2"))
    #expect(settings.listing.contains("8080  (environment)"))
    let object = try JSONSerialization.jsonObject(with: Data(settings.json.utf8)) as? [String: Any]
    #expect(object?.count == Settings.table.count)
  }

  @Test("every default is a value that the setting itself would take, and no name comes twice")
  func table() {
    for setting in Settings.table {
      if let fallback = setting.fallback { #expect(setting.problem(with: fallback) == nil, "\(setting.name)") }
    }
    #expect(Set(Settings.table.map(\.name)).count == Settings.table.count)
  }

  @Test("docs/SETTINGS.md is the page that the table makes")
  func page() throws {
    let path = URL(filePath: #filePath).appending(path: "../../../docs/SETTINGS.md").standardized
    let written = try String(contentsOf: path, encoding: .utf8)
    #expect(written == Settings.page + "\n", "run: swift run freshtrack settings --markdown > docs/SETTINGS.md")
  }

  @Test(
    "times are read strictly",
    arguments: [
      ("10", 10_000), ("250ms", 250), ("2m", 120_000), ("1h", 3_600_000), ("7d", 604_800_000), ("0", 0),
      ("", nil), ("s", nil), ("+1", nil), ("1.5s", nil), ("1 s", nil), ("1w", nil), ("99999999999", nil),
      ("9999999h", nil),
    ] as [(String, Int?)])
  func durations(text: String, milliseconds: Int?) {
    #expect(Duration(setting: text) == milliseconds.map { .milliseconds($0) })
  }
}
