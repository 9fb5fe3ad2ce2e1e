/// What went wrong with a statement, a connection or the pool.
///
/// It never holds parameters or a password. `message` is the server's own sentence, for logs: it may quote a value and
/// is not for the answer to a client.
public struct DatabaseError: Error, Sendable, CustomStringConvertible {
  public enum Kind: Sendable, Hashable {
    /// No connection can be made: the server is away, starting, full, or refuses us.
    case unavailable
    /// Every connection of the pool was in use for as long as a caller waits, or too many callers wait already.
    case poolExhausted
    /// The connection broke under the statement. Outside a transaction it may or may not have taken effect.
    case connectionLost
    /// The connection broke between COMMIT and its answer: the transaction is either whole or absent.
    case commitUnknown
    /// The statement took longer than its timeout and was cancelled.
    case timeout
    /// The task was cancelled, and the statement with it.
    case cancelled
    /// A lock was not granted within `lock_timeout`, or at once with NOWAIT.
    case lockTimeout
    /// 40001 or 40P01: the transaction had no effect and may be tried again.
    case serialization
    case uniqueViolation(constraint: String)
    case foreignKeyViolation(constraint: String)
    case checkViolation(constraint: String)
    case exclusionViolation(constraint: String)
    case notNullViolation(column: String)
    /// Class 22: a value that its type cannot hold.
    case invalidValue
    /// The server or the transaction takes no writes.
    case readOnly
    /// Disk full, out of memory, configured limits: class 53.
    case insufficientResources
    case permissionDenied
    /// Another condition of the server; see `sqlState`.
    case server
    /// The caller's parameter cannot be sent, or a column is not what the getter asked for.
    case usage
    /// The schema and the migrations do not fit together.
    case migration
  }

  public var kind: Kind
  public var message: String
  public var sqlState: SQLState?
  public var constraint: String?
  public var table: String?
  public var column: String?
  /// Which statement of a pipeline failed, from 0. Those after it did not run.
  public var statementIndex: Int?

  public init(_ kind: Kind, _ message: String) {
    self.kind = kind
    self.message = message
  }

  public var description: String {
    var text = "\(label): \(message)"
    if let sqlState { text += " (SQLSTATE \(sqlState.code))" }
    if let statementIndex { text += " in statement \(statementIndex)" }
    return text
  }

  /// The kind in one word, of a bounded set: a label for metrics.
  public var label: String {
    switch kind {
    case .unavailable: "unavailable"
    case .poolExhausted: "pool_exhausted"
    case .connectionLost: "connection_lost"
    case .commitUnknown: "commit_unknown"
    case .timeout: "timeout"
    case .cancelled: "cancelled"
    case .lockTimeout: "lock_timeout"
    case .serialization: "serialization"
    case .uniqueViolation: "unique_violation"
    case .foreignKeyViolation: "foreign_key_violation"
    case .checkViolation: "check_violation"
    case .exclusionViolation: "exclusion_violation"
    case .notNullViolation: "not_null_violation"
    case .invalidValue: "invalid_value"
    case .readOnly: "read_only"
    case .insufficientResources: "insufficient_resources"
    case .permissionDenied: "permission_denied"
    case .server: "server"
    case .usage: "usage"
    case .migration: "migration"
    }
  }

  /// True when the database, not the request, is the reason: the same request may succeed a little later.
  public var isUnavailable: Bool {
    switch kind {
    case .unavailable, .poolExhausted, .connectionLost, .commitUnknown, .timeout, .lockTimeout, .readOnly,
      .insufficientResources, .serialization:
      true
    default: false
    }
  }

  /// True when the transaction certainly had no effect and is worth another try.
  public var isRetryable: Bool { kind == .serialization }
}

extension DatabaseError.Kind {
  /// The kind of a condition that the server reported.
  init(_ state: SQLState, constraint: String, column: String) {
    self =
      switch state {
      case .uniqueViolation: .uniqueViolation(constraint: constraint)
      case .foreignKeyViolation, .restrictViolation: .foreignKeyViolation(constraint: constraint)
      case .checkViolation: .checkViolation(constraint: constraint)
      case .exclusionViolation: .exclusionViolation(constraint: constraint)
      case .notNullViolation: .notNullViolation(column: column)
      case .serializationFailure, .deadlockDetected: .serialization
      case .lockNotAvailable: .lockTimeout
      case .queryCanceled: .timeout
      case .adminShutdown, .crashShutdown, .idleInTransactionTimeout: .connectionLost
      case .cannotConnectNow: .unavailable
      case .readOnlyTransaction: .readOnly
      case .insufficientPrivilege: .permissionDenied
      default: Self(category: state.category)
      }
  }

  private init(category: String) {
    self =
      switch category {
      case "08": .connectionLost
      case "22": .invalidValue
      case "28": .unavailable
      case "53": .insufficientResources
      default: .server
      }
  }
}
