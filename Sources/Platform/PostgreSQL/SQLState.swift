/// The five characters by which PostgreSQL names a condition (Appendix A, "PostgreSQL Error Codes").
public struct SQLState: Sendable, Hashable, CustomStringConvertible {
  public let code: String

  public init(_ code: String) { self.code = code }

  /// The first two characters: the class, of which there are about forty.
  public var category: String { String(code.prefix(2)) }
  public var description: String { code }

  public static let uniqueViolation = SQLState("23505")
  public static let foreignKeyViolation = SQLState("23503")
  public static let checkViolation = SQLState("23514")
  public static let notNullViolation = SQLState("23502")
  public static let exclusionViolation = SQLState("23P01")
  public static let restrictViolation = SQLState("23001")
  public static let serializationFailure = SQLState("40001")
  public static let deadlockDetected = SQLState("40P01")
  public static let lockNotAvailable = SQLState("55P03")
  public static let queryCanceled = SQLState("57014")
  public static let adminShutdown = SQLState("57P01")
  public static let crashShutdown = SQLState("57P02")
  public static let cannotConnectNow = SQLState("57P03")
  public static let idleInTransactionTimeout = SQLState("25P03")
  public static let readOnlyTransaction = SQLState("25006")
  public static let failedTransaction = SQLState("25P02")
  public static let featureNotSupported = SQLState("0A000")
  public static let invalidStatementName = SQLState("26000")
  public static let duplicatePreparedStatement = SQLState("42P05")
  public static let undefinedTable = SQLState("42P01")
  public static let insufficientPrivilege = SQLState("42501")
  public static let invalidPassword = SQLState("28P01")
  public static let tooManyConnections = SQLState("53300")
  public static let diskFull = SQLState("53100")
}
