import Basics
import PostgreSQL

/// Keys that the server makes for itself on first use and keeps in the database, so that all replicas have the same.
struct ServerSecrets: Sendable {
  let database: Database

  /// 32 bytes.
  func value(_ name: String) async throws -> [UInt8] {
    let rows = try await database.pipeline([
      (
        "INSERT INTO server_secrets (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        [.text(name), .bytes(SecureRandom.bytes(32))]
      ), ("SELECT value FROM server_secrets WHERE name = $1", [.text(name)]),
    ])
    guard let row = rows[1].first else { throw DatabaseError(.server, "a secret that was just made is gone") }
    return try row.bytes(0)
  }
}
