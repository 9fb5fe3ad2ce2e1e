/// Why a command ends: one line that says what to do, and the exit code.
struct Failure: Error, CustomStringConvertible {
  /// Codes of sysexits.h where one fits, so that scripts can tell the cases apart. README.md lists them.
  enum Code: CInt {
    /// The answer is no: unhealthy, or something that the command was asked to find is not there.
    case failed = 1
    /// Wrong use of the command line.
    case usage = 64
    /// The schema of the database and the program do not fit together.
    case schema = 65
    /// The database, or the server that was to be asked, cannot be reached.
    case unavailable = 69
    /// A fault of the program.
    case fault = 70
    /// The machine refuses: the port is taken, a file cannot be written, a program is not installed.
    case system = 71
    /// A setting is missing or wrong.
    case settings = 78
  }

  let code: Code
  let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }

  static func usage(_ description: String) -> Failure { Failure(.usage, description) }
}
