import JSON
import PostgreSQL

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
