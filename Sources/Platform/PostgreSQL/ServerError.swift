import CPostgreSQL

extension DatabaseError {
  /// The server's error in a result.
  init?(result: OpaquePointer) {
    func field(_ code: Unicode.Scalar) -> String? {
      PQresultErrorField(result, CInt(code.value)).map { String(cString: $0) }
    }
    guard let code = field("C") else {
      self.init(.connectionLost, PQresultErrorMessage(result).map { String(cString: $0) } ?? "no answer")
      return
    }
    let state = SQLState(code)
    let constraint = field("n")
    let column = field("c")
    self.init(Kind(state, constraint: constraint ?? "", column: column ?? ""), field("M") ?? "")
    sqlState = state
    self.constraint = constraint
    self.column = column
    table = field("t")
  }

  /// A prepared statement that the server has lost, or whose result has another shape since.
  var isStaleStatement: Bool {
    sqlState == .invalidStatementName || sqlState == .duplicatePreparedStatement
      || sqlState == .featureNotSupported && message.contains("cached plan")
  }
}
