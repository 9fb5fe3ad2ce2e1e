import Basics
import CPostgreSQL
import Glibc
import Runtime

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

  /// `url` is what libpq takes: `postgresql://user@host/name?sslmode=verify-full` or `host=/run/postgresql
  /// dbname=name`.
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

  /// libpq quotes what it cannot read, and that may be the password. Only its words on a query parameter are safe to
  /// repeat.
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
  public var host: String? { keywords["host"] }
}

extension DatabaseConfiguration: CustomStringConvertible {
  /// Host, port, database and user; never the password.
  public var description: String {
    ["host", "port", "dbname", "user", "sslmode"].compactMap { name in keywords[name].map { "\(name)=\($0)" } }
      .joined(separator: " ")
  }
}

// MARK: - What libpq is given

extension DatabaseConfiguration {
  /// The caller's settings, ours, and host names resolved: libpq would resolve them on the event loop's thread.
  func resolvedKeywords() async throws(DatabaseError) -> [(String, String)] {
    var all = keywords
    all["application_name"] = all["application_name"] ?? applicationName
    all["client_encoding"] = "UTF8"
    all["gssencmode"] = all["gssencmode"] ?? "disable"
    all["keepalives_idle"] = all["keepalives_idle"] ?? "30"
    all["keepalives_interval"] = all["keepalives_interval"] ?? "10"
    all["keepalives_count"] = all["keepalives_count"] ?? "3"
    all["tcp_user_timeout"] = all["tcp_user_timeout"] ?? "60000"
    if preparedStatements {
      // PgBouncer refuses start-up options that it does not know, so only without it.
      let timeout = "-c statement_timeout=\(statementTimeout.microseconds / 1000)"
      all["options"] = all["options"].map { "\(timeout) \($0)" } ?? timeout
    }
    try await Self.resolveHosts(&all)
    return all.map { ($0.key, $0.value) }
  }

  private static func resolveHosts(_ keywords: inout [String: String]) async throws(DatabaseError) {
    guard let host = keywords["host"], !host.isEmpty, keywords["hostaddr"] == nil else { return }
    let hosts = host.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if hosts.allSatisfy({ $0.isEmpty || $0.hasPrefix("/") || $0.hasPrefix("@") || isAddress($0) }) { return }
    let ports = (keywords["port"] ?? "").split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    var names: [String] = []
    var addresses: [String] = []
    var portOf: [String] = []
    for (place, host) in hosts.enumerated() {
      let isName = !host.isEmpty && !host.hasPrefix("/") && !host.hasPrefix("@")
      let found = isName ? try await resolve(host) : [""]
      for address in found.prefix(8) {
        names.append(host)
        addresses.append(address)
        portOf.append(ports.count == hosts.count ? ports[place] : ports.first ?? "")
      }
    }
    keywords["host"] = names.joined(separator: ",")
    keywords["hostaddr"] = addresses.joined(separator: ",")
    if keywords["port"] != nil { keywords["port"] = portOf.joined(separator: ",") }
  }

  private static func isAddress(_ host: String) -> Bool {
    var address = in6_addr()
    return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1
  }

  private static func resolve(_ host: String) async throws(DatabaseError) -> [String] {
    do {
      return try await Blocking.run { try addresses(of: host) }
    } catch {
      throw DatabaseError(.unavailable, "cannot resolve the host \(host): \(error)")
    }
  }

  private struct ResolutionFailure: Error, CustomStringConvertible {
    let description: String
  }

  private static func addresses(of host: String) throws -> [String] {
    var hints = addrinfo()
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, nil, &hints, &list)
    guard code == 0 else { throw ResolutionFailure(description: String(cString: gai_strerror(code))) }
    defer { freeaddrinfo(list) }
    var found: [String] = []
    var next = list
    while let entry = next?.pointee {
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      if getnameinfo(entry.ai_addr, entry.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 {
        found.append(String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
      }
      next = entry.ai_next
    }
    return found
  }
}
