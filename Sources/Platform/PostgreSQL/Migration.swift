/// One step of the schema: plain SQL, run in a transaction of its own.
public struct Migration: Sendable {
  /// From 1, without gaps.
  public let version: Int
  public let name: String
  /// UTF-8. One or more statements; no BEGIN or COMMIT.
  public let sql: [UInt8]

  public init(version: Int, name: String, sql: [UInt8]) {
    self.version = version
    self.name = name
    self.sql = sql
  }
}
