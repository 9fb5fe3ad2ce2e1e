import Basics
import Crypto
import PostgreSQL
import Telemetry

/// A column of sealed credentials, one row for each `key`.
public struct SealedColumn: Sendable {
  let table: String
  let key: String
  let column: String
  let context: @Sendable (UUID) -> String

  /// - Parameter context: where the secret of the row with that key belongs, as it was sealed.
  public init(_ table: String, key: String, _ column: String, context: @escaping @Sendable (UUID) -> String) {
    self.table = table
    self.key = key
    self.column = column
    self.context = context
  }

  public var name: String { "\(table).\(column)" }

  /// Seals with the newest key what an older one has sealed, and returns how many these were.
  func renew(with box: SecretBox, _ database: Database) async throws -> Int {
    let (table, key, column): (SQL, SQL, SQL) = (.identifier(table), .identifier(key), .identifier(column))
    var count = 0
    let rows = try await database.query(
      "SELECT " + key + ", " + column + " FROM " + table + " WHERE " + column + " IS NOT NULL")
    for row in rows {
      let (id, sealed) = (try row.uuid(0), try row.bytes(1))
      guard let renewed = box.renewed(sealed, context: context(id)) else { continue }
      // Not over one that was set in between.
      count += try await database.execute(
        "UPDATE " + table + " SET " + column + " = $3 WHERE " + key + " = $1 AND " + column + " = $2",
        [.uuid(id), .bytes(sealed), .bytes(renewed)])
    }
    return count
  }
}

/// After ENCRYPTION_KEY got a new first key, seals everything with it.
public struct SealRenewal: Sendable {
  private let columns: [SealedColumn]
  private let database: Database
  private let box: SecretBox?
  private let log: Log

  public init(of columns: [SealedColumn], database: Database, box: SecretBox?, log: Log) {
    self.columns = columns
    self.database = database
    self.box = box
    self.log = log
  }

  /// Returns how many secrets there were that an older key had sealed.
  @discardableResult
  public func run() async throws -> Int {
    guard let box else { return 0 }
    var count = 0
    for column in columns { count += try await column.renew(with: box, database) }
    if count > 0 { log.info("credentials were sealed with the new key", ["count": .int(count)]) }
    return count
  }
}
