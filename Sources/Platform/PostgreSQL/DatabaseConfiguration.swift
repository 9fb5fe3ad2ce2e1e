import CPostgreSQL

/// Where the database is and how the pool behaves. Times and counts are for each event loop's own small pool.
public struct DatabaseConfiguration: Sendable {
  /// Connections that are kept open even when idle.
  public var connectionsMin = 1
  public var connectionsMax = 4
  /// Callers that may wait for a connection; one more is refused at once.
  public var waitersMax = 1000
  public var acquireTimeout: Duration = .seconds(5)
  public var connectTimeout: Duration = .seconds(5)
  /// The default for every statement, kept by the server and, should it not answer, by the client.
  public var statementTimeout: Duration = .seconds(30)
  public var idleTimeout: Duration = .minutes(5)
  /// A connection older than this, give or take a tenth, is replaced when it comes back.
  public var connectionMaxAge: Duration = .minutes(60)
  /// Off behind PgBouncer in transaction mode: no named statements, and no session settings beyond the start-up packet.
  public var preparedStatements = true
  public var applicationName = "freshtrack"

  /// The settings of libpq by keyword.
  private(set) var keywords: [String: String]

  /// `url` is what libpq takes: `postgresql://user@host/name?sslmode=verify-full` or `host=/run/postgresql dbname=name`.
  public init(url: String) throws(DatabaseError) {
    var message: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(url, &message) else {
      defer { PQfreemem(message) }
      throw DatabaseError(.usage, Self.complaint(message.map { String(cString: $0) } ?? ""))
    }
    defer { PQconninfoFree(options) }
    var keywords: [String: String] = [:]
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val { keywords[String(cString: keyword)] = String(cString: value) }
      option += 1
    }
    self.keywords = keywords
  }

  /// libpq quotes what it cannot read, and that may be the password. Only its words on a query parameter are safe to repeat.
  private static func complaint(_ message: String) -> String {
    let parameter = "invalid URI query parameter"
    let text = message.split(separator: "\n").first.map(String.init) ?? ""
    return text.hasPrefix(parameter) ? text : "not a libpq connection URL or string"
  }

  /// The same server and settings, another database.
  public func database(_ name: String) -> DatabaseConfiguration {
    var other = self
    other.keywords["dbname"] = name
    return other
  }

  public var databaseName: String? { keywords["dbname"] }
}

extension DatabaseConfiguration: CustomStringConvertible {
  /// Host, port, database and user; never the password.
  public var description: String {
    ["host", "port", "dbname", "user", "sslmode"].compactMap { name in keywords[name].map { "\(name)=\($0)" } }
      .joined(separator: " ")
  }
}
