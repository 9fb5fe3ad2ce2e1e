import Crypto
import PostgreSQL
import Telemetry

/// After ENCRYPTION_KEY got a new first key, seals everything of this room with it.
public struct SealRenewal: Sendable {
  private let store: SMSConfigStore
  private let box: SecretBox?
  private let log: Log

  public init(database: Database, box: SecretBox?, log: Log) {
    store = SMSConfigStore(database: database)
    self.box = box
    self.log = log
  }

  public func run() async throws {
    guard let box else { return }
    let count = try await store.renewSeals(box)
    if count > 0 { log.info("credentials were sealed with the new key", ["count": .int(count)]) }
  }
}
