import HTTP
import JSON
import PostgreSQL

extension Response {
  /// Rows whose columns are named as the fields.
  public static func rows(_ rows: JSONRows) -> Response { .json(bytes: rows.bytes) }

  /// The one row that a statement found or made; 404 when there is none.
  public static func row(_ rows: Rows, _ status: Status = .ok, or what: String) throws(HTTPError) -> Response {
    guard let object = rows.json.firstObject else { throw .notFound(what) }
    return .json(status, bytes: object)
  }
}

extension DatabaseError {
  /// The constraint that the statement would have broken.
  public var violated: String? {
    switch kind {
    case .uniqueViolation(let constraint), .checkViolation(let constraint), .foreignKeyViolation(let constraint):
      constraint
    default: nil
    }
  }
}

/// Runs a statement and answers what the schema refuses as the fault of a field.
public func refusing<R>(_ refusals: [String: InvalidFields], _ body: () async throws -> R) async throws -> R {
  do { return try await body() } catch let error as DatabaseError {
    if let refusal = error.violated.flatMap({ refusals[$0] }) { throw refusal }
    throw error
  }
}

/// An IANA name that the database does not know.
public let unknownTimeZone = [
  "timezone_known": InvalidFields("timezone", "must be the name of a time zone, as Europe/Berlin")
]
