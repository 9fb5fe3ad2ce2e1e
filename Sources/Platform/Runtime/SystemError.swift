import Glibc

/// A system call that failed.
public struct SystemError: Error, CustomStringConvertible {
  /// What was tried, as a verb: "listen on 0.0.0.0:3000".
  public let attempt: String
  /// `errno`.
  public let code: CInt

  public init(_ attempt: String, code: CInt = errno) {
    self.attempt = attempt
    self.code = code
  }

  public var description: String { "cannot \(attempt): \(String(cString: strerror(code)))" }
}
