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
///
/// The code that takes the fields also describes them: ``describe(_:)`` runs it over nothing and notes what it asks for.
/// So it has to ask for every field, whatever the others hold.
public struct Fields {
  private final class Problems {
    var list: [FieldProblem] = []
  }

  /// What was asked for, while it is described.
  private final class Notes {
    var properties: [Schema.Property] = []
  }

  /// Nil while the fields are described.
  let object: JSONValue?
  private let path: String
  /// Shared with the fields of the objects inside.
  private let problems: Problems
  private let notes: Notes?

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
  public init(_ object: JSONValue, path: String = "") { self.init(object, path: path, problems: Problems()) }

  private init(_ object: JSONValue, path: String, problems: Problems) {
    self.object = object
    self.path = path
    self.problems = problems
    notes = nil
    if object.kind != .object { record("", "must be an object") }
  }

  private init(noting notes: Notes) {
    object = nil
    path = ""
    problems = Problems()
    self.notes = notes
  }

  /// The fields of an object inside this one.
  func inside(_ name: String, _ object: JSONValue) -> Fields {
    Fields(object, path: place(name), problems: problems)
  }

  // MARK: - Description

  /// The object that `read` takes. It runs over nothing and gets placeholders.
  public static func describe(_ read: (inout Fields) throws -> Void) rethrows -> Schema {
    let notes = Notes()
    var fields = Fields(noting: notes)
    try read(&fields)
    return .object(notes.properties)
  }

  public var isDescribing: Bool { notes != nil }

  /// Notes a field while it is described, else nothing. The first note of a name stays, but for one of anything.
  public func note(_ property: @autoclosure () -> Schema.Property) {
    guard let notes else { return }
    let property = property()
    if let place = notes.properties.firstIndex(where: { $0.name == property.name }) {
      if notes.properties[place].schema.kind == .any { notes.properties[place] = property }
    } else {
      notes.properties.append(property)
    }
  }

  // MARK: - Problems

  /// Records that the field at `name`, relative to these fields, is wrong. An empty name is the object itself. A field
  /// that is known to be wrong keeps its first problem: the others are only about the placeholder.
  public mutating func problem(_ name: String, _ message: String) {
    let path = place(name)
    if !problems.list.contains(where: { $0.path == path }) { record(name, message) }
  }

  func record(_ name: String, _ message: String) {
    guard !isDescribing, problems.list.count < InvalidFields.mostDetails else { return }
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
