/// The text of a statement. It is written as a literal, so that no value can get into it; values go in by `$1`, `$2`
/// ...
///
/// Pieces that depend on the request are literals too and are put together with `+`:
/// `"SELECT id FROM units" + (archived ? "" : " WHERE archived_at IS NULL")`.
public struct SQL: Sendable, Hashable, ExpressibleByStringLiteral, CustomStringConvertible {
  public let text: String

  public init(stringLiteral text: StaticString) { self.text = text.description }

  /// Of the ends alone: every statement that is sent is looked up by its text, and two that are equal there as well as in length
  /// hardly exist.
  public func hash(into hasher: inout Hasher) {
    var text = text
    text.withUTF8 { bytes in
      hasher.combine(bytes.count)
      hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes).prefix(64)))
      hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(bytes).suffix(64)))
    }
  }

  /// For text that no literal can hold: the name of a generated partition, a file. The caller answers for every
  /// character of it.
  public init(unchecked text: String) { self.text = text }

  public static func + (a: SQL, b: SQL) -> SQL { SQL(unchecked: a.text + b.text) }

  /// An identifier in double quotes, safe to put into a statement.
  public static func identifier(_ name: String) -> SQL {
    var quoted = "\""
    for character in name.unicodeScalars where character != "\0" {
      if character == "\"" { quoted += "\"" }
      quoted.unicodeScalars.append(character)
    }
    return SQL(unchecked: quoted + "\"")
  }

  public var description: String { text }
}
