import Basics

/// Takes the fields of a request body and collects every problem, so that the sender learns all of them at once.
///
///     var fields = try Fields(body: request.body)
///     let name = fields.string("name", 1...120)
///     let limit = fields.optionalDecimal("maxTemp", in: -100...100)
///     try fields.check()
///
/// A required field that is missing or wrong gives a placeholder and a problem: use nothing before ``check()``. Members that nobody
/// asks for are ignored. `null` is the same as absent, except for ``isNull(_:)``.
public struct Fields {
  private final class Problems {
    var list: [FieldProblem] = []
  }

  let object: JSONValue
  private let path: String
  /// Shared with the fields of the objects inside.
  private let problems: Problems

  /// The bytes of a body: one JSON object.
  public init(body: ArraySlice<UInt8>) throws(InvalidBody) {
    let root: JSONValue
    do { root = try JSONDocument(body).root } catch {
      throw InvalidBody(message: "The body is not JSON: \(error).")
    }
    guard root.kind == .object else { throw InvalidBody(message: "The body must be a JSON object.") }
    self.init(root, path: "")
  }

  public init(body: [UInt8]) throws(InvalidBody) { try self.init(body: body[...]) }

  /// `path` is where `object` lies in its document, empty for the root. A value that is no object has no fields.
  public init(_ object: JSONValue, path: String = "") {
    self.object = object
    self.path = path
    problems = Problems()
    if object.kind != .object { record("", "must be an object") }
  }

  private init(_ object: JSONValue, path: String, problems: Problems) {
    self.object = object
    self.path = path
    self.problems = problems
    if object.kind != .object { record("", "must be an object") }
  }

  /// The fields of an object inside this one.
  func inside(_ name: String, _ object: JSONValue) -> Fields {
    Fields(object, path: place(name), problems: problems)
  }

  // MARK: - Problems

  /// Records that the field at `name`, relative to these fields, is wrong. An empty name is the object itself.
  public mutating func problem(_ name: String, _ message: String) { record(name, message) }

  func record(_ name: String, _ message: String) {
    guard problems.list.count < InvalidFields.mostDetails else { return }
    problems.list.append(FieldProblem(path: place(name), message: message))
  }

  private func place(_ name: String) -> String {
    if path.isEmpty { return name }
    return name.isEmpty ? path : "\(path)/\(name)"
  }

  public var hasProblems: Bool { !problems.list.isEmpty }

  /// Throws when anything was wrong, here or in the objects inside.
  public func check() throws(InvalidFields) {
    if hasProblems { throw InvalidFields(details: problems.list) }
  }
}
