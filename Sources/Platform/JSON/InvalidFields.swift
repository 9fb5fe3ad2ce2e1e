/// A body that cannot hold fields at all: not JSON, or not an object.
public struct InvalidBody: Error, Hashable, CustomStringConvertible {
  public let message: String

  public init(message: String) { self.message = message }

  public var description: String { message }
}

/// One thing that is wrong with a body: where, as `readings/0/temperature`, and what, for people.
public struct FieldProblem: Hashable, Sendable, CustomStringConvertible {
  public let path: String
  public let message: String

  public init(path: String, message: String) {
    self.path = path
    self.message = message
  }

  public var description: String { "\(path): \(message)" }
}

/// Everything that is wrong with a body, in the order it was found; at most ``mostDetails`` of them.
public struct InvalidFields: Error, CustomStringConvertible {
  public let details: [FieldProblem]

  public static let mostDetails = 100

  public init(details: [FieldProblem]) { self.details = details }

  public init(_ path: String, _ message: String) {
    details = [FieldProblem(path: path, message: message)]
  }

  public var description: String { details.map(\.description).joined(separator: "; ") }
}
